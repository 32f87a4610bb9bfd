//! A training pass over stacked layers, kept outside of any graph.
//!
//! candle's backward pass makes a zero tensor and a sum for every edge of its graph: between two layers as
//! much work as a tenth of their own. Here the gradient goes from layer to layer as it is.

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
            x = self.drop_between(layer, &x, mode)?.contiguous()?;
            let (op, weights) = (self.operation(layer, packing, true), self.weights(layer)?);
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
        for ((layer, recorded), last) in self.layers.into_iter().enumerate().zip(states).rev() {
            let Recorded { op, operands } = recorded;
            let [dx, weights, _] = op.backward(&operands, (grad.as_ref(), &last.detach()))?;
            grad = Some(layers.drop_between(layer, &dx, self.mode)?);
            parameters.extend(layers.by_parameter(layer, &weights)?);
        }
        let input = match grad {
            Some(grad) => grad,
            None => self.output.data().zeros_like()?,
        };
        Ok(TapeGradients { input, parameters })
    }
}
