//! One LSTM step, to be held against the equations.

use candle_core::Tensor;
use candle_nn::ops::sigmoid;
use candle_nn::{Init, VarBuilder};

use crate::config::LstmConfig;
use crate::error::{Error, Result};

/// Gates are stacked in this order in every weight, bias and gradient, as in PyTorch.
const NUM_GATES: usize = 4;

/// A single LSTM cell, PyTorch's `nn.LSTMCell`: for loops that must look at every step.
///
/// Whole sequences belong to [`crate::Lstm`], which runs a layer as one operation.
///
/// ```text
/// i = sigmoid(W_ii x + b_ii + W_hi h + b_hi)      input gate: how much of g is written
/// f = sigmoid(W_if x + b_if + W_hf h + b_hf)      forget gate: how much of c is kept
/// g = tanh   (W_ig x + b_ig + W_hg h + b_hg)      candidate: what would be written
/// o = sigmoid(W_io x + b_io + W_ho h + b_ho)      output gate: how much of c is shown
/// c' = f * c + i * g
/// h' = o * tanh(c')
/// ```
/// (Hochreiter and Schmidhuber 1997; Gers et al. 2000; names as in PyTorch's `nn.LSTMCell`.)
#[derive(Debug, Clone)]
pub struct LstmCell {
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Option<(Tensor, Tensor)>,
}

impl LstmCell {
    /// Parameters `weight_ih` `[4 * hidden_size, input_size]`, `weight_hh`
    /// `[4 * hidden_size, hidden_size]` and, with `bias`, `bias_ih` and `bias_hh`
    /// `[4 * hidden_size]`, all uniform within `1 / sqrt(hidden_size)`.
    pub fn new(input_size: usize, hidden_size: usize, bias: bool, vb: &VarBuilder) -> Result<Self> {
        LstmConfig::new(input_size, hidden_size).stack().check()?;
        let init = uniform(hidden_size);
        let rows = NUM_GATES * hidden_size;
        let draw = |name| vb.get_with_hints(rows, name, init);
        let bias = if bias { Some((draw("bias_ih")?, draw("bias_hh")?)) } else { None };
        Ok(Self {
            weight_ih: vb.get_with_hints((rows, input_size), "weight_ih", init)?,
            weight_hh: vb.get_with_hints((rows, hidden_size), "weight_hh", init)?,
            bias,
        })
    }

    /// One step: `(h', c')` of `x`, `h` and `c`. Differentiable.
    ///
    /// # Shapes
    /// `x`: `[batch, input_size]`; `h`, `c` and both results: `[batch, hidden_size]`
    pub fn step(&self, x: &Tensor, h: &Tensor, c: &Tensor) -> Result<(Tensor, Tensor)> {
        self.check(x, h, c)?;
        let mut gates = (x.matmul(&self.weight_ih.t()?)? + h.matmul(&self.weight_hh.t()?)?)?;
        if let Some((bias_ih, bias_hh)) = &self.bias {
            gates = gates.broadcast_add(&(bias_ih + bias_hh)?)?;
        }
        let gates = gates.chunk(NUM_GATES, 1)?;
        let i = sigmoid(&gates[0])?;
        let f = sigmoid(&gates[1])?;
        let g = gates[2].tanh()?;
        let o = sigmoid(&gates[3])?;
        let c = ((f * c)? + (i * g)?)?;
        let h = (o * c.tanh()?)?;
        Ok((h, c))
    }

    fn check(&self, x: &Tensor, h: &Tensor, c: &Tensor) -> Result<()> {
        let (_, input_size) = self.weight_ih.dims2()?;
        let (_, hidden_size) = self.weight_hh.dims2()?;
        let batch = x.dims().first().copied().unwrap_or_default();
        for (what, tensor, features) in
            [("x", x, input_size), ("h", h, hidden_size), ("c", c, hidden_size)]
        {
            Error::check_type(what, tensor, self.weight_ih.dtype())?;
            if tensor.dims() != [batch, features] {
                return Err(Error::shape(what, tensor.dims(), &[batch, features]));
            }
        }
        Ok(())
    }
}

/// PyTorch's initialisation of every recurrent parameter: U(-1/sqrt(H), 1/sqrt(H)).
pub(crate) fn uniform(hidden_size: usize) -> Init {
    let bound = 1.0 / (hidden_size as f64).sqrt();
    Init::Uniform { lo: -bound, up: bound }
}
