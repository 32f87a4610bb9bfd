//! One recurrent layer of any kind under a linear one, and the gradient that reaches each of its states.

use candle_core::{D, DType, Device, Tensor, Var};
use candle_nn::{AdamW, Linear, Module, Optimizer, ParamsAdamW, loss::cross_entropy};
use taper_lstm::{
    Gru, Lstm, LstmConfig, LstmState, Mode, Nonlinearity, PackedSequence, Packing, Parameters,
    RecurrentConfig, Rnn,
};

use super::task::{CHOICES, SYMBOLS, Sequence};
use super::{CellKind, Reach, Settings};
use crate::error::Result;
use crate::steps::numbers;

/// Gradients of all parameters together are cut to this norm before a step.
const CLIP: f64 = 1.0;

/// Sequences that are judged together: what they hold in memory grows with their length.
const TOGETHER: usize = 128;

/// Symbols as one-hot vectors, a layer, logits from its last state.
pub(super) struct Network {
    cell: CellKind,
    hidden_size: usize,
    dtype: DType,
    parameters: Parameters,
    layer: Layer,
    fc: Linear,
}

enum Layer {
    Rnn(Rnn),
    Gru(Gru),
    Lstm(Lstm),
}

/// h, and c where there is one: `[1, batch, hidden_size]` each.
struct State {
    h: Tensor,
    c: Option<Tensor>,
}

impl Layer {
    fn forward(&self, input: &PackedSequence, state: Option<&State>, mode: Mode) -> Result<State> {
        let h = state.map(|state| &state.h);
        Ok(match self {
            Self::Rnn(rnn) => State { h: rnn.forward(input, h, mode)?.1, c: None },
            Self::Gru(gru) => State { h: gru.forward(input, h, mode)?.1, c: None },
            Self::Lstm(lstm) => {
                let state = state.and_then(|State { h, c }| {
                    c.as_ref().map(|c| LstmState { h: h.clone(), c: c.clone() })
                });
                let LstmState { h, c } = lstm.forward(input, state.as_ref(), mode)?.1;
                State { h, c: Some(c) }
            }
        })
    }
}

impl Network {
    pub(super) fn new(cell: CellKind, settings: &Settings) -> Result<Self> {
        let network = Self::build(cell, settings.hidden_size, settings.seed, DType::F32)?;
        let forget = match cell {
            CellKind::LstmForget0 => 0.0,
            CellKind::LstmForget1 => 1.0,
            CellKind::Rnn | CellKind::Gru => return Ok(network),
        };
        let units = settings.hidden_size;
        // The gates' two biases are added: one holds the value, the other is zero.
        for (name, value) in [("bias_ih_l0", forget), ("bias_hh_l0", 0.0)] {
            if let Some(bias) = network.parameters.vars().get(name) {
                let mut values: Vec<f32> = bias.to_vec1()?;
                values[units..2 * units].fill(value);
                bias.set(&Tensor::new(values, &Device::Cpu)?)?;
            }
        }
        Ok(network)
    }

    fn build(cell: CellKind, hidden_size: usize, seed: u64, dtype: DType) -> Result<Self> {
        let parameters = Parameters::new(seed);
        let vb = parameters.var_builder(dtype, &Device::Cpu);
        let plain = RecurrentConfig::new(SYMBOLS, hidden_size);
        let layer = match cell {
            CellKind::Rnn => Layer::Rnn(Rnn::new(Nonlinearity::Tanh, &plain, &vb)?),
            CellKind::Gru => Layer::Gru(Gru::new(&plain, &vb)?),
            CellKind::LstmForget0 | CellKind::LstmForget1 => {
                Layer::Lstm(Lstm::new(&LstmConfig::new(SYMBOLS, hidden_size), &vb)?)
            }
        };
        let bound = 1.0 / (hidden_size as f64).sqrt();
        let init = candle_nn::Init::Uniform { lo: -bound, up: bound };
        let weight = vb.get_with_hints((CHOICES, hidden_size), "fc.weight", init)?;
        let bias = vb.get_with_hints(CHOICES, "fc.bias", init)?;
        let fc = Linear::new(weight, Some(bias));
        Ok(Self { cell, hidden_size, dtype, parameters, layer, fc })
    }

    pub(super) fn count(&self) -> usize {
        self.parameters.count()
    }

    pub(super) fn optimizer(&self, learning_rate: f64) -> Result<AdamW> {
        let vars = self.parameters.vars().into_values().collect();
        let settings = ParamsAdamW { lr: learning_rate, weight_decay: 0.0, ..Default::default() };
        Ok(AdamW::new(vars, settings)?)
    }

    /// One step of `optimizer` on a batch.
    pub(super) fn learn(&self, batch: &[Sequence], optimizer: &mut AdamW) -> Result<()> {
        let state =
            self.layer.forward(&self.one_hot(&symbols(batch))?, None, Mode::Differentiate)?;
        let loss = cross_entropy(&self.logits(&state.h)?, &answers(batch)?)?;
        let mut gradients = loss.backward()?;
        let vars = self.parameters.vars();
        let mut squares = 0.0;
        for var in vars.values() {
            if let Some(gradient) = gradients.get(var) {
                squares += numbers(gradient)?.iter().map(|value| value * value).sum::<f64>();
            }
        }
        let norm = squares.sqrt();
        if norm > CLIP {
            for var in vars.values() {
                if let Some(gradient) = gradients.remove(var) {
                    gradients.insert(var, (gradient * (CLIP / norm))?);
                }
            }
        }
        Ok(optimizer.step(&gradients)?)
    }

    /// Share of the batch whose answer is named.
    pub(super) fn accuracy(&self, batch: &[Sequence]) -> Result<f64> {
        let mut right = 0;
        for part in batch.chunks(TOGETHER) {
            let state = self.layer.forward(&self.one_hot(&symbols(part))?, None, Mode::Evaluate)?;
            let named: Vec<u32> = self.logits(&state.h)?.argmax(D::Minus1)?.to_vec1()?;
            let pairs = named.iter().zip(part);
            right += pairs.filter(|(named, sequence)| **named == sequence.answer).count();
        }
        Ok(right as f64 / batch.len() as f64)
    }

    /// The norms of the gradients that reach each state of a batch of equal lengths.
    ///
    /// The sequence is read a step at a time and gone back in the same way: the gradient of a step's states is the
    /// weight of the states it made. In f64, where 1e-300 is still a number.
    pub(super) fn reach(&self, batch: &[Sequence]) -> Result<Reach> {
        let exact = Self::build(self.cell, self.hidden_size, 0, DType::F64)?;
        let values = self.parameters.vars().into_iter();
        exact
            .parameters
            .set(&values.map(|(name, var)| (name, var.as_detached_tensor())).collect())?;
        exact.reach_exactly(batch)
    }

    fn reach_exactly(&self, batch: &[Sequence]) -> Result<Reach> {
        let length = batch[0].symbols.len();
        let column =
            |t: usize| -> Vec<&[u32]> { batch.iter().map(|s| &s.symbols[t..=t]).collect() };
        let mut states: Vec<State> = Vec::with_capacity(length);
        for t in 0..length {
            let input = self.one_hot(&column(t))?;
            states.push(self.layer.forward(&input, states.last(), Mode::Evaluate)?);
        }
        let mut reach = Reach { h: Vec::new(), c: None };
        let mut next: Option<State> = None;
        for t in (0..length).rev() {
            let h = Var::from_tensor(&states[t].h.detach())?;
            let c = states[t].c.as_ref().map(|c| Var::from_tensor(&c.detach())).transpose()?;
            let (here, cell) = (h.as_tensor().clone(), c.as_ref().map(|c| c.as_tensor().clone()));
            let scalar = match &next {
                // Each sequence's own loss: their mean times their number.
                None => {
                    (cross_entropy(&self.logits(&here)?, &answers(batch)?)? * batch.len() as f64)?
                }
                Some(gradient) => {
                    let input = self.one_hot(&column(t + 1))?;
                    let state = State { h: here, c: cell };
                    let made = self.layer.forward(&input, Some(&state), Mode::Differentiate)?;
                    let mut sum = (made.h * &gradient.h)?.sum_all()?;
                    if let (Some(c), Some(gradient)) = (made.c, &gradient.c) {
                        sum = (sum + (c * gradient)?.sum_all()?)?;
                    }
                    sum
                }
            };
            let mut store = scalar.backward()?;
            let mut taken = |var: &Var| store.remove(var).map_or_else(|| var.zeros_like(), Ok);
            let (h, c) = (taken(&h)?, c.as_ref().map(taken).transpose()?);
            reach.h.push(norm(&h)?);
            if t + 1 == length {
                reach.c = self.reach_memory(batch, &h)?;
            }
            next = Some(State { h, c });
        }
        Ok(reach)
    }

    /// The same of an LSTM's memory, through this step's h and all later steps; `h` is the gradient of the last h.
    fn reach_memory(&self, batch: &[Sequence], h: &Tensor) -> Result<Option<Vec<f64>>> {
        let Layer::Lstm(lstm) = &self.layer else { return Ok(None) };
        let trace = lstm.trace(&self.one_hot(&symbols(batch))?, None)?;
        let state = LstmState { h: h.clone(), c: h.zeros_like()? };
        let norms = trace.gradient_norms(None, Some(&state))?;
        // Equal lengths lie step by step.
        let by_step = numbers(&norms[0][0].c)?;
        let means = by_step.chunks(batch.len()).rev();
        Ok(Some(means.map(|norms| norms.iter().sum::<f64>() / norms.len() as f64).collect()))
    }

    fn one_hot(&self, sequences: &[&[u32]]) -> Result<PackedSequence> {
        let lengths: Vec<usize> = sequences.iter().map(|symbols| symbols.len()).collect();
        let packing = Packing::new(&lengths)?;
        let symbols = packing.pack(sequences)?;
        let mut rows = vec![0_f32; symbols.len() * SYMBOLS];
        for (row, symbol) in symbols.iter().enumerate() {
            rows[row * SYMBOLS + *symbol as usize] = 1.0;
        }
        let rows = Tensor::from_vec(rows, (symbols.len(), SYMBOLS), &Device::Cpu)?;
        Ok(PackedSequence::new(rows.to_dtype(self.dtype)?, packing.into())?)
    }

    fn logits(&self, h: &Tensor) -> Result<Tensor> {
        Ok(self.fc.forward(&h.get(0)?)?)
    }
}

fn answers(batch: &[Sequence]) -> Result<Tensor> {
    let answers: Vec<u32> = batch.iter().map(|sequence| sequence.answer).collect();
    Ok(Tensor::new(answers, &Device::Cpu)?)
}

fn symbols(batch: &[Sequence]) -> Vec<&[u32]> {
    batch.iter().map(|sequence| sequence.symbols.as_slice()).collect()
}

/// The L2 norm of each sequence's row, averaged.
fn norm(gradient: &Tensor) -> Result<f64> {
    let norms = numbers(&gradient.sqr()?.sum(D::Minus1)?.sqrt()?)?;
    Ok(norms.iter().sum::<f64>() / norms.len() as f64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::experiment::task;

    #[test]
    fn a_step_at_a_time_gives_the_gradients_of_the_trace() {
        let settings = Settings { hidden_size: 7, length: 12, ..Settings::default() };
        let network = Network::new(CellKind::LstmForget1, &settings).unwrap();
        let batch = task::draw(3, task::PROBE, 0, &[12; 5], 1);
        let found = network.reach(&batch).unwrap();
        let Layer::Lstm(lstm) = &network.layer else { panic!("an LSTM") };
        let trace = lstm.trace(&network.one_hot(&symbols(&batch)).unwrap(), None).unwrap();
        let h = Var::from_tensor(&trace.state.h).unwrap();
        let logits = network.logits(h.as_tensor()).unwrap();
        let loss = cross_entropy(&logits, &answers(&batch).unwrap()).unwrap();
        let h = (loss.backward().unwrap().get(&h).unwrap() * 5.0).unwrap();
        let state = LstmState { c: h.zeros_like().unwrap(), h };
        let norms = &trace.gradient_norms(None, Some(&state)).unwrap()[0][0];
        let expected: Vec<Vec<f32>> = norms.h.reshape((12, 5)).unwrap().to_vec2().unwrap();
        for (found, expected) in found.h.iter().zip(expected.iter().rev()) {
            let expected = f64::from(expected.iter().sum::<f32>()) / 5.0;
            assert!((found - expected).abs() < 1e-4 * expected, "{found}, not {expected}");
        }
        assert_eq!(found.h.len(), 12);
        assert_eq!(found.c.unwrap().len(), 12);
    }

    #[test]
    fn forget_gates_begin_with_their_bias() {
        for (cell, bias) in [(CellKind::LstmForget0, 0.0), (CellKind::LstmForget1, 1.0)] {
            let network = Network::new(cell, &Settings { hidden_size: 4, ..Settings::default() });
            let vars = network.unwrap().parameters.vars();
            let sum = (vars["bias_ih_l0"].as_tensor() + vars["bias_hh_l0"].as_tensor()).unwrap();
            assert_eq!(sum.narrow(0, 4, 4).unwrap().to_vec1::<f32>().unwrap(), [bias; 4]);
        }
    }
}
