//! Stacked, bidirectional LSTM layers over packed sequences: PyTorch's `nn.LSTM`.

use candle_core::{Tensor, bail};
use candle_nn::VarBuilder;

use crate::config::LstmConfig;
use crate::dropout::Mode;
use crate::error::Result;
use crate::layers::{Layers, States};
use crate::packed::PackedSequence;

/// A multi-layer LSTM with PyTorch's parameters and names: `weight_ih_l{k}` `[4 * hidden_size, input]`,
/// `weight_hh_l{k}` `[4 * hidden_size, h_size]`, `bias_ih_l{k}`, `bias_hh_l{k}` `[4 * hidden_size]`,
/// with a projection `weight_hr_l{k}` `[proj_size, hidden_size]`, the second direction's with the suffix
/// `_reverse`; gates in the order i, f, g, o. `h_size` is `proj_size`, or `hidden_size` without one.
///
/// A step is [`crate::LstmCell::step`], its h' times `weight_hr`'s transpose where h is projected (Sak et
/// al. 2014); here a layer's whole sequence is one operation.
#[derive(Debug, Clone)]
pub struct Lstm {
    config: LstmConfig,
    pub(crate) layers: Layers,
}

/// The memory of an LSTM before or after a batch.
#[derive(Debug, Clone)]
pub struct LstmState {
    /// What the cells show: `[num_layers * directions, batch, h_size]`, in the batch's order.
    pub h: Tensor,
    /// What the cells hold: `[num_layers * directions, batch, hidden_size]`.
    pub c: Tensor,
}

impl Lstm {
    /// Builds the layers; parameters are taken from `vb`, or drawn as PyTorch does.
    ///
    /// # Errors
    /// If `config` is out of range, or `vb` lacks a parameter or has one of another shape.
    pub fn new(config: &LstmConfig, vb: &VarBuilder) -> Result<Self> {
        Ok(Self { config: config.clone(), layers: Layers::new(config.stack(), vb)? })
    }

    /// The shape it was built with.
    pub fn config(&self) -> &LstmConfig {
        &self.config
    }

    /// Runs a packed batch; without `state` the memory starts at zero.
    ///
    /// The second direction starts at each sequence's own last step, and the final states are those
    /// after each sequence's own last (or, going backward, first) step.
    ///
    /// # Shapes
    /// `input.data()`: `[total, input_size]`; the result's: `[total, directions * h_size]`
    ///
    /// # Errors
    /// If a shape disagrees with the configuration.
    pub fn forward(
        &self,
        input: &PackedSequence,
        state: Option<&LstmState>,
        mode: Mode,
    ) -> Result<(PackedSequence, LstmState)> {
        let states = state.map(States::from);
        let (output, states) = self.layers.forward(input, states.as_ref(), mode)?;
        Ok((output, states.try_into()?))
    }
}

impl From<&LstmState> for States {
    fn from(LstmState { h, c }: &LstmState) -> Self {
        Self { h: h.clone(), c: Some(c.clone()) }
    }
}

impl TryFrom<States> for LstmState {
    type Error = candle_core::Error;

    fn try_from(States { h, c }: States) -> candle_core::Result<Self> {
        match c {
            Some(c) => Ok(Self { h, c }),
            None => bail!("an LSTM's layers ended without a memory"),
        }
    }
}
