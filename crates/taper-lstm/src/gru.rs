//! Stacked, bidirectional GRU layers over packed sequences: PyTorch's `nn.GRU`.

use candle_core::Tensor;
use candle_nn::VarBuilder;

use crate::config::{Cell, RecurrentConfig};
use crate::dropout::Mode;
use crate::error::Result;
use crate::layers::{Layers, States};
use crate::packed::PackedSequence;

/// A multi-layer gated recurrent unit with PyTorch's parameters and names: `weight_ih_l{k}`
/// `[3 * hidden_size, input]`, `weight_hh_l{k}` `[3 * hidden_size, hidden_size]`, `bias_ih_l{k}`, `bias_hh_l{k}`
/// `[3 * hidden_size]`, the second direction's with the suffix `_reverse`; gates in the order r, z, n.
///
/// ```text
/// r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)          reset gate: how much of h the candidate sees
/// z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)          update gate: how much of h is kept
/// n = tanh   (W_in x + b_in + r * (W_hn h + b_hn))    candidate: what would be written
/// h' = (1 - z) * n + z * h
/// ```
/// (Cho et al. 2014, with the reset gate after the product, as in PyTorch and cuDNN.)
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use taper_lstm::{Gru, Mode, PackedSequence, Parameters, RecurrentConfig};
/// let vb = Parameters::new(1).var_builder(DType::F32, &Device::Cpu);
/// let gru = Gru::new(&RecurrentConfig::new(3, 5), &vb)?;
/// let padded = Tensor::zeros((2, 4, 3), DType::F32, &Device::Cpu)?;
/// let input = PackedSequence::pack_padded(&padded, &[2, 4])?;
/// let (output, h_n) = gru.forward(&input, None, Mode::Evaluate)?;
/// assert_eq!((output.data().dims(), h_n.dims()), (&[6, 5][..], &[1, 2, 5][..]));
/// # Ok::<(), taper_lstm::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Gru {
    config: RecurrentConfig,
    layers: Layers,
}

impl Gru {
    /// Builds the layers; parameters are taken from `vb`, or drawn as PyTorch does.
    ///
    /// # Errors
    /// If `config` is out of range, or `vb` lacks a parameter or has one of another shape.
    pub fn new(config: &RecurrentConfig, vb: &VarBuilder) -> Result<Self> {
        Ok(Self { config: config.clone(), layers: Layers::new(config.stack(Cell::Gru), vb)? })
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
