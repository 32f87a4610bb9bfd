//! The shape of an LSTM, checked at one door.

use crate::error::{Error, Result};

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
    /// Probability of dropping an output of every layer but the last, while training.
    pub dropout: f64,
}

impl LstmConfig {
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
        if self.bidirectional { 2 } else { 1 }
    }

    /// Features of one output step: `num_directions * hidden_size`.
    pub fn output_size(&self) -> usize {
        self.num_directions() * self.hidden_size
    }

    /// Features of one step into layer `layer`.
    pub(crate) fn layer_input_size(&self, layer: usize) -> usize {
        if layer == 0 { self.input_size } else { self.output_size() }
    }

    pub(crate) fn check(&self) -> Result<()> {
        for (key, value) in [
            ("input_size", self.input_size),
            ("hidden_size", self.hidden_size),
            ("num_layers", self.num_layers),
        ] {
            if value == 0 {
                return Err(Error::Config {
                    key,
                    found: value.to_string(),
                    expected: "at least 1",
                });
            }
        }
        check_probability("dropout", self.dropout)
    }
}

/// A probability of dropping must leave something over.
pub(crate) fn check_probability(key: &'static str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::Config { key, found: value.to_string(), expected: "at least 0 and below 1" })
}
