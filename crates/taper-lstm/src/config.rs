//! The shape of recurrent layers, checked at one door.

use crate::error::{Error, Result};

/// What stands at every step of a recurrent layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Long short-term memory: four gates and a memory beside the hidden state.
    Lstm,
    /// Gated recurrent unit: three gates.
    Gru,
    /// `tanh` of a sum: no gates.
    RnnTanh,
    /// `max(0, ·)` of a sum: no gates.
    RnnRelu,
}

impl Cell {
    /// Blocks of rows in every stacked weight, as in PyTorch: LSTM i, f, g, o; GRU r, z, n.
    pub(crate) fn num_gates(self) -> usize {
        match self {
            Self::Lstm => 4,
            Self::Gru => 3,
            Self::RnnTanh | Self::RnnRelu => 1,
        }
    }
}

/// In which numbers the recurrent weights are multiplied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Precision {
    /// Everything in the parameters' own type.
    #[default]
    F32,
    /// Weights and hidden states in bfloat16, memory and sums in f32. CUDA only.
    Bf16,
}

/// What a forward pass keeps for the backward pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Activations {
    /// The gates of every step.
    #[default]
    Keep,
    /// The states only; the backward pass computes the gates again, to the same bits.
    Recompute,
}

/// Shape of a (stacked, bidirectional) LSTM, in the terms of PyTorch's `nn.LSTM`.
///
/// ```
/// use taper_lstm::LstmConfig;
/// let config = LstmConfig { num_layers: 2, bidirectional: true, ..LstmConfig::new(100, 256) };
/// assert_eq!(config.output_size(), 512);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LstmConfig {
    /// Features of one input step.
    pub input_size: usize,
    /// Units of one direction of one layer.
    pub hidden_size: usize,
    /// Layers stacked on each other.
    pub num_layers: usize,
    /// Whether every layer also reads the sequence from its end.
    pub bidirectional: bool,
    /// Whether the gates have biases (`bias_ih` and `bias_hh`, as in PyTorch).
    pub bias: bool,
    /// Features that h is projected to, fewer than `hidden_size`; without, h is not projected.
    pub proj_size: Option<usize>,
    /// Probability of dropping an output of every layer but the last, while training.
    pub dropout: f64,
    /// Whether a sequence meets one dropout mask at all its steps (Gal and Ghahramani 2016).
    pub variational: bool,
    /// Probability of dropping an element of `weight_hh` for a training step (Merity et al. 2018).
    pub weight_dropout: f64,
    /// In which numbers the weights are multiplied.
    pub precision: Precision,
    /// What training keeps for the backward pass.
    pub activations: Activations,
}

impl LstmConfig {
    /// One layer, one direction, with bias, without projection or dropout.
    pub fn new(input_size: usize, hidden_size: usize) -> Self {
        Self {
            input_size,
            hidden_size,
            num_layers: 1,
            bidirectional: false,
            bias: true,
            proj_size: None,
            dropout: 0.0,
            variational: false,
            weight_dropout: 0.0,
            precision: Precision::default(),
            activations: Activations::default(),
        }
    }

    /// 1 or 2.
    pub fn num_directions(&self) -> usize {
        directions(self.bidirectional)
    }

    /// Features of one output step: `num_directions * (proj_size or hidden_size)`.
    pub fn output_size(&self) -> usize {
        self.num_directions() * self.proj_size.unwrap_or(self.hidden_size)
    }

    pub(crate) fn stack(&self) -> StackConfig {
        StackConfig {
            cell: Cell::Lstm,
            proj_size: self.proj_size,
            variational: self.variational,
            weight_dropout: self.weight_dropout,
            precision: self.precision,
            activations: self.activations,
            layers: RecurrentConfig {
                input_size: self.input_size,
                hidden_size: self.hidden_size,
                num_layers: self.num_layers,
                bidirectional: self.bidirectional,
                bias: self.bias,
                dropout: self.dropout,
            },
        }
    }
}

/// Shape of a (stacked, bidirectional) GRU or plain RNN, in the terms of PyTorch's `nn.GRU`.
///
/// ```
/// use taper_lstm::RecurrentConfig;
/// let config = RecurrentConfig { bidirectional: true, ..RecurrentConfig::new(100, 256) };
/// assert_eq!(config.output_size(), 512);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RecurrentConfig {
    /// Features of one input step.
    pub input_size: usize,
    /// Units of one direction of one layer.
    pub hidden_size: usize,
    /// Layers stacked on each other.
    pub num_layers: usize,
    /// Whether every layer also reads the sequence from its end.
    pub bidirectional: bool,
    /// Whether there are biases (`bias_ih` and `bias_hh`, as in PyTorch).
    pub bias: bool,
    /// Probability of dropping an output of every layer but the last, while training.
    pub dropout: f64,
}

impl RecurrentConfig {
    /// One layer, one direction, with bias, without dropout.
    pub fn new(input_size: usize, hidden_size: usize) -> Self {
        Self {
            input_size,
            hidden_size,
            num_layers: 1,
            bidirectional: false,
            bias: true,
            dropout: 0.0,
        }
    }

    /// 1 or 2.
    pub fn num_directions(&self) -> usize {
        directions(self.bidirectional)
    }

    /// Features of one output step: `num_directions * hidden_size`.
    pub fn output_size(&self) -> usize {
        self.num_directions() * self.hidden_size
    }

    pub(crate) fn stack(&self, cell: Cell) -> StackConfig {
        StackConfig {
            cell,
            proj_size: None,
            variational: false,
            weight_dropout: 0.0,
            precision: Precision::default(),
            activations: Activations::default(),
            layers: self.clone(),
        }
    }
}

fn directions(bidirectional: bool) -> usize {
    if bidirectional { 2 } else { 1 }
}

/// What the LSTM, the GRU and the plain RNN are to the layers they share.
#[derive(Debug, Clone)]
pub(crate) struct StackConfig {
    pub(crate) cell: Cell,
    pub(crate) proj_size: Option<usize>,
    pub(crate) variational: bool,
    pub(crate) weight_dropout: f64,
    pub(crate) precision: Precision,
    pub(crate) activations: Activations,
    pub(crate) layers: RecurrentConfig,
}

impl StackConfig {
    /// Features of h in one direction.
    pub(crate) fn h_size(&self) -> usize {
        self.proj_size.unwrap_or(self.layers.hidden_size)
    }

    /// Features of one step into layer `layer`.
    pub(crate) fn layer_input_size(&self, layer: usize) -> usize {
        if layer == 0 {
            self.layers.input_size
        } else {
            self.layers.num_directions() * self.h_size()
        }
    }

    /// The one door.
    pub(crate) fn check(&self) -> Result<()> {
        let RecurrentConfig { input_size, hidden_size, num_layers, dropout, .. } = self.layers;
        for (key, value) in
            [("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)]
        {
            if value == 0 {
                return Err(Error::Config {
                    key,
                    found: value.to_string(),
                    expected: "at least 1",
                });
            }
        }
        if let Some(size) = self.proj_size
            && !(1..hidden_size).contains(&size)
        {
            return Err(Error::Config {
                key: "proj_size",
                found: size.to_string(),
                expected: "at least 1 and below hidden_size",
            });
        }
        check_probability("weight_dropout", self.weight_dropout)?;
        check_probability("dropout", dropout)
    }
}

/// A probability of dropping must leave something over.
pub(crate) fn check_probability(key: &'static str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::Config { key, found: value.to_string(), expected: "at least 0 and below 1" })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_out_of_range_is_named() {
        let good = LstmConfig { proj_size: Some(3), ..LstmConfig::new(3, 4) };
        assert_eq!(good.output_size(), 3);
        good.stack().check().unwrap();
        for (bad, key) in [
            (LstmConfig { input_size: 0, ..good.clone() }, "input_size"),
            (LstmConfig { hidden_size: 0, ..good.clone() }, "hidden_size"),
            (LstmConfig { num_layers: 0, ..good.clone() }, "num_layers"),
            (LstmConfig { proj_size: Some(0), ..good.clone() }, "proj_size"),
            (LstmConfig { proj_size: Some(4), ..good.clone() }, "proj_size"),
            (LstmConfig { weight_dropout: -0.1, ..good.clone() }, "weight_dropout"),
            (LstmConfig { dropout: 1.0, ..good.clone() }, "dropout"),
            (LstmConfig { dropout: f64::NAN, ..good.clone() }, "dropout"),
        ] {
            let error = bad.stack().check().unwrap_err().to_string();
            assert!(error.starts_with(key), "{error}");
        }
    }
}
