//! What happened inside an LSTM: every gate and state of a batch, and how far gradients reach.

use candle_core::{D, Tensor};

use crate::dropout::Mode;
use crate::error::{Error, Result};
use crate::kernel::LayerShape;
use crate::kernel::steps::{self, Gates};
use crate::layers::{Layers, States, final_states, split};
use crate::lstm::{Lstm, LstmState};
use crate::packed::PackedSequence;

#[cfg(test)]
mod tests;

/// An LSTM's pass over a batch, opened up; see [`Lstm::trace`].
#[derive(Debug, Clone)]
pub struct LstmTrace {
    /// Layer by layer, from the input on; forward direction, then backward.
    pub layers: Vec<Vec<DirectionTrace>>,
    /// As [`Lstm::forward`] gives it.
    pub output: PackedSequence,
    /// As [`Lstm::forward`] gives it.
    pub state: LstmState,
    stack: Layers,
    passes: Vec<Pass>,
}

/// The gates and states of one direction of one layer at every step, in the packing of the input:
/// row `packing.row(sequence, t)` is what stood after that direction had read step `t` of the sequence.
/// (The backward direction has read the steps after `t` before it.)
#[derive(Debug, Clone)]
pub struct DirectionTrace {
    /// Input gate, `[total, hidden_size]`, in (0, 1): how much of `g` is written.
    pub i: Tensor,
    /// Forget gate, `[total, hidden_size]`, in (0, 1): how much of the previous `c` is kept.
    pub f: Tensor,
    /// Candidate, `[total, hidden_size]`, in (-1, 1): what would be written.
    pub g: Tensor,
    /// Output gate, `[total, hidden_size]`, in (0, 1): how much of `c` is shown.
    pub o: Tensor,
    /// What the cells hold, `[total, hidden_size]`.
    pub c: Tensor,
    /// What the cells show, `[total, proj_size or hidden_size]`.
    pub h: Tensor,
}

/// L2 norms of the gradients that reach the states of one direction of one layer; see
/// [`LstmTrace::gradient_norms`].
#[derive(Debug, Clone)]
pub struct GradientNorms {
    /// `‖∂loss/∂h_t‖` of every packed row, `[total]`.
    pub h: Tensor,
    /// `‖∂loss/∂c_t‖` of every packed row, `[total]`.
    pub c: Tensor,
}

/// One layer's pass, ready to be gone back.
#[derive(Debug, Clone)]
struct Pass {
    shape: LayerShape,
    x: Tensor,
    weights: Tensor,
    saved: steps::Saved,
}

impl Lstm {
    /// Runs a packed batch as [`Self::forward`] does when evaluating, and keeps every gate and state.
    ///
    /// This is the pass written out step by step, in the parameters' own type whatever the
    /// configuration's precision: slower than `forward`, and equal to it up to rounding. Nothing of
    /// it has a graph.
    ///
    /// ```
    /// use candle_core::{DType, Device, Tensor};
    /// use taper_lstm::{Lstm, LstmConfig, PackedSequence, Parameters};
    /// let vb = Parameters::new(1).var_builder(DType::F32, &Device::Cpu);
    /// let lstm = Lstm::new(&LstmConfig::new(3, 5), &vb)?;
    /// let padded = Tensor::ones((1, 9, 3), DType::F32, &Device::Cpu)?;
    /// let trace = lstm.trace(&PackedSequence::pack_padded(&padded, &[9])?, None)?;
    /// assert_eq!(trace.layers[0][0].f.dims(), [9, 5]);
    /// // How much of the last output's gradient reaches the memory at each of the nine steps.
    /// let last = trace.state.h.ones_like()?;
    /// let state = taper_lstm::LstmState { c: last.zeros_like()?, h: last };
    /// let norms = trace.gradient_norms(None, Some(&state))?;
    /// let c: Vec<f32> = norms[0][0].c.to_vec1()?;
    /// assert!(c[0] < c[8]);
    /// # Ok::<(), taper_lstm::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn trace(&self, input: &PackedSequence, state: Option<&LstmState>) -> Result<LstmTrace> {
        let stack = self.layers.clone();
        stack.check_input(input)?;
        let initial = stack.initial(input, state.map(States::from).as_ref())?;
        let mut x = input.data().detach();
        let (mut h_n, mut c_n) = (Vec::new(), Vec::new());
        let (mut layers, mut passes) = (Vec::new(), Vec::new());
        for (layer, initial) in initial.iter().enumerate() {
            let shape = stack.shape(layer, input.packing());
            let weights = stack.weights(layer, Mode::Evaluate)?.detach();
            let (output, saved) = steps::forward(&shape, &x, &weights, initial)?;
            let (sequence, h, c) = split(&shape, &output)?;
            h_n.push(h);
            c_n.extend(c);
            layers
                .push(saved.directions.iter().map(|s| direction_trace(s)).collect::<Result<_>>()?);
            passes.push(Pass { shape, x: std::mem::replace(&mut x, sequence), weights, saved });
        }
        let state = final_states(input.packing(), &h_n, &c_n)?.try_into()?;
        Ok(LstmTrace { layers, output: input.with_data(x)?, state, stack, passes })
    }
}

impl LstmTrace {
    /// How much of a loss's gradient reaches each state, layer by layer and direction by direction.
    ///
    /// The loss is known by its gradients: `grad_output` with respect to [`Self::output`]'s data,
    /// `grad_state` with respect to [`Self::state`]; what is not given is zero. For every layer, direction
    /// and packed row, `h` is the L2 norm of the total derivative of the loss with respect to that
    /// step's h, over all ways from it to the loss: this step's output, the layer above (both its
    /// directions), the next step of this direction, the final state. (With `proj_size`, h is
    /// the projected one.) `c` is the same of that step's c: through this step's h, the next
    /// step's memory, the final state. Norms of other steps' initial states are not among them.
    ///
    /// A memory that keeps shows as `c` falling slowly from the loss toward the first step; where it
    /// falls by orders of magnitude, nothing is learnt from there.
    ///
    /// # Shapes
    /// `grad_output`: `[total, directions * h_size]`; `grad_state`: as [`Self::state`]
    ///
    /// # Errors
    /// If a gradient's shape is not that of what it belongs to.
    pub fn gradient_norms(
        &self,
        grad_output: Option<&Tensor>,
        grad_state: Option<&LstmState>,
    ) -> Result<Vec<Vec<GradientNorms>>> {
        let names = ["the gradient of the final h", "the gradient of the final c"];
        let states = grad_state.map(States::from);
        let states = self.stack.flat_states(&self.output, states.as_ref(), names)?;
        let expected = self.output.data();
        let mut grad = match grad_output {
            Some(grad) if grad.dims() != expected.dims() => {
                return Err(Error::shape("the output's gradient", grad.dims(), expected.dims()));
            }
            Some(grad) => grad.detach(),
            None => expected.zeros_like()?,
        };
        let mut norms = Vec::new();
        for (Pass { shape, x, weights, saved }, state) in self.passes.iter().zip(&states).rev() {
            let both = Tensor::cat(&[&grad.flatten_all()?, &state.detach()], 0)?;
            let ([dx, ..], totals) =
                steps::backward_with_totals(shape, saved, [x, weights, &both])?;
            grad = dx;
            norms.push(totals.into_iter().map(direction_norms).collect::<Result<_>>()?);
        }
        norms.reverse();
        Ok(norms)
    }
}

fn direction_trace(steps: &[steps::Step]) -> Result<DirectionTrace> {
    let mut parts: [Vec<&Tensor>; 6] = Default::default();
    for step in steps {
        let (Gates::Lstm { i, f, g, o }, Some(c)) = (&step.gates, &step.c) else {
            return Err(not_an_lstm());
        };
        for (part, value) in parts.iter_mut().zip([i, f, g, o, c, &step.h]) {
            part.push(value);
        }
    }
    let all = |part: &Vec<&Tensor>| Tensor::cat(part, 0);
    let [i, f, g, o, c, h] = &parts;
    Ok(DirectionTrace { i: all(i)?, f: all(f)?, g: all(g)?, o: all(o)?, c: all(c)?, h: all(h)? })
}

fn direction_norms(totals: steps::Totals) -> Result<GradientNorms> {
    let norm = |rows: &Tensor| rows.sqr()?.sum(D::Minus1)?.sqrt();
    let c = totals.c.ok_or_else(not_an_lstm)?;
    Ok(GradientNorms { h: norm(&totals.h)?, c: norm(&c)? })
}

fn not_an_lstm() -> Error {
    Error::Candle(candle_core::Error::Msg("only an LSTM's steps have four gates".into()))
}
