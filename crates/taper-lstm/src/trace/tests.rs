//! The trace against the equations written out, one sequence and one step at a time, with autograd.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::ops::sigmoid;

use crate::dropout::Mode;
use crate::random::Philox;
use crate::{Lstm, LstmConfig, LstmState, LstmTrace, PackedSequence, Parameters};

const LENGTHS: [usize; 3] = [2, 5, 3];

fn numbers(stream: u32, dims: &[usize]) -> Tensor {
    let philox = Philox::new(5, stream, 0);
    let count = dims.iter().product::<usize>() as u64;
    let values: Vec<f64> = (0..count).map(|i| 2.0 * philox.uniform(i) - 1.0).collect();
    Tensor::from_vec(values, dims, &Device::Cpu).unwrap()
}

fn assert_close(what: &str, found: &Tensor, expected: &Tensor) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let difference = (found - expected).unwrap().abs().unwrap().flatten_all().unwrap();
    let largest: f64 = difference.max(0).unwrap().to_scalar().unwrap();
    assert!(largest < 1e-12, "{what} is off by {largest:e}");
}

/// A network with a batch and the gradients of a loss.
struct Case {
    config: LstmConfig,
    vars: BTreeMap<String, Var>,
    lstm: Lstm,
    input: PackedSequence,
    state: LstmState,
    grad_output: Tensor,
    grad_state: LstmState,
}

impl Case {
    fn new(config: LstmConfig) -> Self {
        let parameters = Parameters::new(3);
        let lstm = Lstm::new(&config, &parameters.var_builder(DType::F64, &Device::Cpu)).unwrap();
        let padded = numbers(0, &[LENGTHS.len(), 5, config.input_size]);
        let rows = config.num_layers * config.num_directions();
        let h_size = config.proj_size.unwrap_or(config.hidden_size);
        let state = |stream| LstmState {
            h: numbers(stream, &[rows, LENGTHS.len(), h_size]),
            c: numbers(stream + 1, &[rows, LENGTHS.len(), config.hidden_size]),
        };
        Self {
            vars: parameters.vars(),
            lstm,
            input: PackedSequence::pack_padded(&padded, &LENGTHS).unwrap(),
            state: state(1),
            grad_output: numbers(3, &[LENGTHS.iter().sum(), config.output_size()]),
            grad_state: state(4),
            config,
        }
    }

    fn both() -> [Self; 2] {
        let config = LstmConfig { num_layers: 2, bidirectional: true, ..LstmConfig::new(3, 4) };
        [config.clone(), LstmConfig { proj_size: Some(3), bias: false, ..config }].map(Self::new)
    }

    fn trace(&self) -> LstmTrace {
        self.lstm.trace(&self.input, Some(&self.state)).unwrap()
    }

    /// A parameter's product with a row vector.
    fn product(&self, name: &str, x: &Tensor) -> Tensor {
        x.matmul(&self.vars[name].t().unwrap()).unwrap()
    }

    /// A row of a packed tensor, `[1, features]`.
    fn row(&self, packed: &Tensor, sequence: usize, t: usize) -> Tensor {
        packed.narrow(0, self.input.packing().row(sequence, t).unwrap(), 1).unwrap()
    }

    /// i, f, g, o, c and h of one step, `nudges` added to c and h.
    fn step(&self, at: &str, x: &Tensor, [h, c]: [&Tensor; 2], nudges: &[Var; 2]) -> [Tensor; 6] {
        let mut sums = (self.product(&format!("weight_ih_{at}"), x)
            + self.product(&format!("weight_hh_{at}"), h))
        .unwrap();
        if self.config.bias {
            for name in ["bias_ih", "bias_hh"] {
                sums = sums.broadcast_add(&self.vars[&format!("{name}_{at}")]).unwrap();
            }
        }
        let sums = sums.chunk(4, 1).unwrap();
        let [i, f, o] = [0, 1, 3].map(|gate| sigmoid(&sums[gate]).unwrap());
        let g = sums[2].tanh().unwrap();
        let c = ((&f * c).unwrap() + (&i * &g).unwrap()).unwrap();
        let c = (c + nudges[1].as_tensor()).unwrap();
        let mut h = (&o * c.tanh().unwrap()).unwrap();
        if self.config.proj_size.is_some() {
            h = self.product(&format!("weight_hr_{at}"), &h);
        }
        let h = (h + nudges[0].as_tensor()).unwrap();
        [i, f, g, o, c, h]
    }

    /// One sequence by the equations, compared with the trace; then its loss's gradients with respect
    /// to nudges of every state, compared with the trace's norms.
    fn check_sequence(&self, trace: &LstmTrace, sequence: usize) {
        let length = LENGTHS[sequence];
        let mut xs: Vec<Tensor> =
            (0..length).map(|t| self.row(self.input.data(), sequence, t)).collect();
        let mut loss = Tensor::zeros((), DType::F64, &Device::Cpu).unwrap();
        let mut add = |value: &Tensor, gradient: Tensor| {
            loss = (&loss + (value * gradient).unwrap().sum_all().unwrap()).unwrap();
        };
        let mut nudges = BTreeMap::new();
        for layer in 0..self.config.num_layers {
            let mut outputs = vec![vec![]; length];
            for (direction, suffix) in ["", "_reverse"].into_iter().enumerate() {
                let of = |state: &Tensor| {
                    let row = state.get(2 * layer + direction).unwrap();
                    row.narrow(0, sequence, 1).unwrap()
                };
                let (mut h, mut c) = (of(&self.state.h), of(&self.state.c));
                let mut order: Vec<usize> = (0..length).collect();
                if direction == 1 {
                    order.reverse();
                }
                for t in order {
                    let nudge =
                        [&h, &c].map(|s| Var::zeros(s.shape(), DType::F64, &Device::Cpu).unwrap());
                    let at = format!("l{layer}{suffix}");
                    let found = self.step(&at, &xs[t], [&h, &c], &nudge);
                    let traced = &trace.layers[layer][direction];
                    let traced = [&traced.i, &traced.f, &traced.g, &traced.o, &traced.c, &traced.h];
                    for (name, (expected, traced)) in "ifgoch".chars().zip(found.iter().zip(traced))
                    {
                        let what = format!("{name} of {at}, sequence {sequence}, step {t}");
                        assert_close(&what, &self.row(traced, sequence, t), expected);
                    }
                    [_, _, _, _, c, h] = found;
                    outputs[t].push(h.clone());
                    nudges.insert((layer, direction, t), nudge);
                }
                add(&h, of(&self.grad_state.h));
                add(&c, of(&self.grad_state.c));
            }
            xs = outputs.iter().map(|h| Tensor::cat(h, 1).unwrap()).collect();
        }
        for (t, output) in xs.iter().enumerate() {
            add(output, self.row(&self.grad_output, sequence, t));
        }

        let gradients = loss.backward().unwrap();
        let norms = trace.gradient_norms(Some(&self.grad_output), Some(&self.grad_state)).unwrap();
        for ((layer, direction, t), nudge) in nudges {
            let [h, c] = nudge.map(|nudge| {
                let gradient = gradients.get(&nudge).unwrap();
                gradient.sqr().unwrap().sum(1).unwrap().sqrt().unwrap()
            });
            let found = &norms[layer][direction];
            let what =
                format!("layer {layer}, direction {direction}, sequence {sequence}, step {t}");
            assert_close(&what, &self.row(&found.h, sequence, t), &h);
            assert_close(&what, &self.row(&found.c, sequence, t), &c);
        }
    }
}

#[test]
fn gates_states_and_gradients_are_those_of_the_equations() {
    for case in Case::both() {
        let trace = case.trace();
        for sequence in 0..LENGTHS.len() {
            case.check_sequence(&trace, sequence);
        }
    }
}

#[test]
fn output_and_state_are_those_of_forward() {
    for case in Case::both() {
        let trace = case.trace();
        for mode in [Mode::Evaluate, Mode::Train { seed: 1, step: 1 }] {
            let (output, state) = case.lstm.forward(&case.input, Some(&case.state), mode).unwrap();
            assert_close("output", trace.output.data(), output.data());
            assert_close("h_n", &trace.state.h, &state.h);
            assert_close("c_n", &trace.state.c, &state.c);
        }
    }
}

#[test]
fn gradients_that_are_not_given_are_zero() {
    let [case, _] = Case::both();
    let trace = case.trace();
    let norms = trace.gradient_norms(None, None).unwrap();
    for norms in norms.iter().flatten() {
        assert_close("h", &norms.h, &norms.h.zeros_like().unwrap());
        assert_close("c", &norms.c, &norms.c.zeros_like().unwrap());
    }
}

#[test]
fn a_wrong_shape_is_named() {
    let [case, projected] = Case::both();
    let trace = case.trace();
    let error = |output: Option<&Tensor>, state: Option<&LstmState>| {
        trace.gradient_norms(output, state).unwrap_err().to_string()
    };
    assert!(error(Some(&projected.grad_output), None).contains("the output's gradient"));
    assert!(error(None, Some(&projected.grad_state)).contains("the gradient of the final h"));
    let swapped = LstmState { h: projected.state.c.clone(), c: projected.state.h.clone() };
    let error = projected.lstm.trace(&projected.input, Some(&swapped)).unwrap_err().to_string();
    assert!(error.contains("the initial h") && error.contains("[4, 3, 3]"), "{error}");
}
