//! A training pass over stacked layers, kept outside of any graph.
//!
//! candle's backward pass makes a zero tensor and a sum for every edge of its graph. Here the gradient goes
//! from layer to layer as it is.

use candle_core::Tensor;

use crate::dropout::Mode;
use crate::error::Result;
use crate::kernel::LayerSequence;
use crate::layers::{Layers, States, final_states, split};
use crate::packed::PackedSequence;

/// What a training pass leaves for its way back.
#[derive(Debug)]
pub(crate) struct Tape {
    mode: Mode,
    layers: Vec<Recorded>,
    output: PackedSequence,
}

/// One layer's part.
#[derive(Debug)]
struct Recorded {
    op: LayerSequence,
    /// x (after dropout), weights, initial states, output.
    operands: [Tensor; 4],
}

/// The gradients of a recorded pass.
#[derive(Debug)]
pub(crate) struct TapeGradients {
    /// Of the input, `[total, input_size]`.
    pub(crate) input: Tensor,
    /// Every parameter and its gradient.
    pub(crate) parameters: Vec<(Tensor, Tensor)>,
}

impl Layers {
    /// [`Self::forward`] from states of zero, to the same bits, on a tape.
    pub(crate) fn record(
        &self,
        input: &PackedSequence,
        mode: Mode,
    ) -> Result<(PackedSequence, States, Tape)> {
        self.check_input(input)?;
        let packing = input.packing();
        let mut x = input.data().detach();
        let (mut h_n, mut c_n, mut layers) = (Vec::new(), Vec::new(), Vec::new());
        for (layer, state) in self.initial(input, None)?.into_iter().enumerate() {
            x = self.drop_between(layer, &x, packing, mode)?.contiguous()?;
            let (op, weights) = (self.operation(layer, packing, true), self.weights(layer, mode)?);
            let weights = weights.detach();
            let output = x.apply_op3_no_bwd(&weights, &state, &op)?;
            let (sequence, h, c) = split(op.shape(), &output)?;
            h_n.push(h);
            c_n.extend(c);
            let operands = [std::mem::replace(&mut x, sequence), weights, state, output];
            layers.push(Recorded { op, operands });
        }
        let output = input.with_data(x)?;
        let tape = Tape { mode, layers, output: output.clone() };
        Ok((output, final_states(packing, &h_n, &c_n)?, tape))
    }
}

impl Tape {
    /// Goes back through the layers, given the gradients of the output's data and of the final states;
    /// what is not given is zero.
    pub(crate) fn backward(
        self,
        layers: &Layers,
        grad_output: Option<Tensor>,
        grad_states: Option<&States>,
    ) -> Result<TapeGradients> {
        let names = ["the gradient of the final h", "the gradient of the final c"];
        let states = layers.flat_states(&self.output, grad_states, names)?;
        let mut grad = grad_output.map(|grad| grad.detach().contiguous()).transpose()?;
        let mut parameters = Vec::new();
        let top = self.layers.len().saturating_sub(1);
        for ((layer, recorded), last) in self.layers.into_iter().enumerate().zip(states).rev() {
            let Recorded { op, operands } = recorded;
            let [dx, weights, _] = op.backward(&operands, (grad.as_ref(), &last.detach()))?;
            let packing = self.output.packing();
            let below = layers.drop_between(layer, &dx, packing, self.mode)?;
            parameters.extend(layers.by_parameter(layer, &weights, self.mode)?);

            // Of this layer only `below` is still to be read.
            let [x, _, _, output] = operands;
            layers.give_back(&output)?;
            if layer > 0 {
                layers.give_back(&x)?;
            }
            if below.id() != dx.id() {
                layers.give_back(&dx)?;
            }
            if let Some(above) = grad.replace(below).filter(|_| layer < top) {
                layers.give_back(&above)?;
            }
        }
        let input = match grad {
            Some(grad) => grad,
            None => self.output.data().zeros_like()?,
        };
        Ok(TapeGradients { input, parameters })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use candle_core::{DType, Device, Var};

    use super::*;
    use crate::config::StackConfig;
    use crate::packed::Packing;
    use crate::{LstmConfig, Parameters};

    const TRAIN: Mode = Mode::Train { seed: 4, step: 2 };

    fn bits(tensor: &Tensor) -> Vec<u32> {
        let values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
        values.into_iter().map(f32::to_bits).collect()
    }

    fn numbers(dims: &[usize], scale: f32) -> Tensor {
        let count = dims.iter().product::<usize>();
        let values: Vec<f32> = (0..count).map(|i| (i * 7 % 11) as f32 * scale - 0.3).collect();
        Tensor::from_vec(values, dims, &Device::Cpu).unwrap()
    }

    #[test]
    fn a_pass_leaves_as_much_memory_as_the_one_before() {
        for (dropout, variational) in [(0.4, false), (0.0, false), (0.4, true)] {
            let lstm = LstmConfig { num_layers: 3, dropout, variational, ..LstmConfig::new(3, 5) };
            let parameters = Parameters::new(2);
            let layers =
                Layers::new(lstm.stack(), &parameters.var_builder(DType::F32, &Device::Cpu));
            let layers = layers.unwrap();
            let packing = Arc::new(Packing::new(&[3, 6, 1]).unwrap());
            let input = PackedSequence::new(numbers(&[10, 3], 0.1), packing).unwrap();
            let pass = || {
                let (output, _, tape) = layers.record(&input, TRAIN).unwrap();
                let grad = numbers(output.data().dims(), 0.2);
                tape.backward(&layers, Some(grad), None).unwrap();
                layers.context().waiting()
            };
            let first = pass();
            assert!(first > 0);
            assert_eq!([pass(), pass()], [first, first], "{dropout} {variational}");
        }
    }

    #[test]
    fn another_type_is_named() {
        let parameters = Parameters::new(2);
        let stack = LstmConfig::new(3, 5).stack();
        let layers = Layers::new(stack, &parameters.var_builder(DType::F32, &Device::Cpu)).unwrap();
        let packing = Arc::new(Packing::new(&[2]).unwrap());
        let of = |dtype| numbers(&[2, 3], 0.1).to_dtype(dtype).unwrap();
        let input = |dtype| PackedSequence::new(of(dtype), packing.clone()).unwrap();
        let message = layers.forward(&input(DType::F64), None, TRAIN).unwrap_err().to_string();
        assert_eq!(message, "the input is f64; expected f32");
        let state = |dtype| numbers(&[1, 1, 5], 0.1).to_dtype(dtype).unwrap();
        let states = States { h: state(DType::F32), c: Some(state(DType::U32)) };
        let error = layers.forward(&input(DType::F32), Some(&states), TRAIN).unwrap_err();
        assert_eq!(error.to_string(), "the initial c is u32; expected f32");

        let vb = parameters.var_builder(DType::F32, &Device::Cpu);
        let cell = crate::LstmCell::new(3, 5, true, &vb.pp("cell")).unwrap();
        let h = numbers(&[2, 5], 0.1);
        let message = cell.step(&of(DType::F64), &h, &h).unwrap_err().to_string();
        assert_eq!(message, "x is f64; expected f32");
        let message = cell.step(&of(DType::F32), &h.get(0).unwrap(), &h).unwrap_err().to_string();
        assert_eq!(message, "h has shape [5]; expected [2, 5]");
    }

    #[test]
    fn off_the_graph_everything_has_the_same_bits() {
        let config = LstmConfig {
            num_layers: 3,
            bidirectional: true,
            dropout: 0.4,
            ..LstmConfig::new(3, 5)
        };
        for stack in [config.stack(), StackConfig { proj_size: Some(2), ..config.stack() }] {
            let parameters = Parameters::new(2);
            let vb = parameters.var_builder(DType::F32, &Device::Cpu);
            let layers = Layers::new(stack.clone(), &vb).unwrap();
            let packing = Arc::new(Packing::new(&[3, 6, 1]).unwrap());
            let x = Var::from_tensor(&numbers(&[10, 3], 0.1)).unwrap();
            let input = PackedSequence::new(x.as_tensor().clone(), packing).unwrap();
            let h_size = stack.proj_size.unwrap_or(5);
            let (grad_output, grad_h) =
                (numbers(&[10, 2 * h_size], 0.2), numbers(&[6, 3, h_size], 0.3));

            let (output, states) = layers.forward(&input, None, TRAIN).unwrap();
            let grads = States { h: grad_h, c: states.c.map(|c| c.zeros_like().unwrap()) };
            for (with_output, with_states) in [(true, true), (true, false), (false, true)] {
                let (again, states) = layers.forward(&input, None, TRAIN).unwrap();
                let through_output = (again.data() * &grad_output).unwrap().sum_all().unwrap();
                let through_states = (&states.h * &grads.h).unwrap().sum_all().unwrap();
                let loss = match (with_output, with_states) {
                    (true, true) => (through_output + through_states).unwrap(),
                    (true, false) => through_output,
                    _ => through_states,
                };
                let store = loss.backward().unwrap();

                let (taped, taped_states, tape) = layers.record(&input, TRAIN).unwrap();
                assert_eq!(bits(output.data()), bits(taped.data()));
                assert_eq!(bits(&states.h), bits(&taped_states.h));
                let grad_output = with_output.then(|| grad_output.clone());
                let found = tape.backward(&layers, grad_output, with_states.then_some(&grads));
                let found = found.unwrap();
                assert_eq!(bits(store.get(&x).unwrap()), bits(&found.input));
                assert_eq!(found.parameters.len(), parameters.vars().len());
                for (parameter, gradient) in &found.parameters {
                    assert_eq!(parameter.dims(), gradient.dims());
                    assert_eq!(bits(store.get(parameter).unwrap()), bits(gradient));
                }
            }
        }
    }
}
