//! Stacked, bidirectional layers without gates over packed sequences: PyTorch's `nn.RNN`.

use candle_core::Tensor;
use candle_nn::VarBuilder;

use crate::config::{Cell, RecurrentConfig};
use crate::dropout::Mode;
use crate::error::Result;
use crate::layers::{Layers, States};
use crate::packed::PackedSequence;

/// What bends the sum of a plain recurrent step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Nonlinearity {
    /// Hyperbolic tangent: PyTorch's default.
    #[default]
    Tanh,
    /// `max(0, ·)`, with the derivative 0 at 0.
    Relu,
}

/// A multi-layer plain (Elman 1990) RNN with PyTorch's parameters and names: `weight_ih_l{k}`
/// `[hidden_size, input]`, `weight_hh_l{k}` `[hidden_size, hidden_size]`, `bias_ih_l{k}`, `bias_hh_l{k}`
/// `[hidden_size]`, the second direction's with the suffix `_reverse`.
///
/// ```text
/// h' = tanh(W_ih x + b_ih + W_hh h + b_hh)      or max(0, ·)
/// ```
///
/// It is what an LSTM's gates were made to mend: gradients fade (or explode) with every step.
#[derive(Debug, Clone)]
pub struct Rnn {
    nonlinearity: Nonlinearity,
    config: RecurrentConfig,
    layers: Layers,
}

impl Rnn {
    /// Builds the layers; parameters are taken from `vb`, or drawn as PyTorch does.
    ///
    /// # Errors
    /// If `config` is out of range, or `vb` lacks a parameter or has one of another shape.
    pub fn new(
        nonlinearity: Nonlinearity,
        config: &RecurrentConfig,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let cell = match nonlinearity {
            Nonlinearity::Tanh => Cell::RnnTanh,
            Nonlinearity::Relu => Cell::RnnRelu,
        };
        let layers = Layers::new(config.stack(cell), vb)?;
        Ok(Self { nonlinearity, config: config.clone(), layers })
    }

    /// The nonlinearity it was built with.
    pub fn nonlinearity(&self) -> Nonlinearity {
        self.nonlinearity
    }

    /// The shape it was built with.
    pub fn config(&self) -> &RecurrentConfig {
        &self.config
    }

    /// Runs a packed batch; without `h_0` the states start at zero. Gives the outputs and `h_n`, the
    /// states after each sequence's own last (or, going backward, first) step.
    ///
    /// # Shapes
    /// `input.data()`: `[total, input_size]`; the result's: `[total, directions * hidden_size]`;
    /// `h_0`, `h_n`: `[num_layers * directions, batch, hidden_size]`, in the batch's order
    ///
    /// # Errors
    /// If a shape disagrees with the configuration.
    pub fn forward(
        &self,
        input: &PackedSequence,
        h_0: Option<&Tensor>,
        mode: Mode,
    ) -> Result<(PackedSequence, Tensor)> {
        let states = h_0.map(|h| States { h: h.clone(), c: None });
        let (output, states) = self.layers.forward(input, states.as_ref(), mode)?;
        Ok((output, states.h))
    }
}
