//! The layer as one matrix product and one pointwise operation a step: what runs on CUDA, and what
//! the tests hold the CPU's kernel against. Intermediate tensors carry no graph.

use candle_core::{D, Result, Tensor};

use super::LayerShape;
use super::pointwise::{GatesBackward, GatesForward};
use crate::cell::NUM_GATES;

/// What the backward pass needs.
pub(crate) struct Saved {
    traces: Vec<Trace>,
}

/// Activations of one direction: for every step, in the order of time.
struct Trace {
    /// i, f, g, o, c, h after the step: `[alive, 6 * hidden_size]`
    activations: Vec<Tensor>,
    /// h before the step: `[alive, hidden_size]`
    h_previous: Vec<Tensor>,
    /// c before the step: `[alive, hidden_size]`
    c_previous: Vec<Tensor>,
}

/// One direction's parameters, out of the layer's weight vector.
struct Weights {
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Option<Tensor>,
}

impl Weights {
    fn new(shape: &LayerShape, direction: usize, weights: &Tensor) -> Result<Self> {
        let ranges = shape.weight_ranges(direction);
        let rows = shape.gate_rows();
        let part = |range: std::ops::Range<usize>| weights.narrow(0, range.start, range.len());
        Ok(Self {
            weight_ih: part(ranges.weight_ih)?.reshape((rows, shape.input_size))?,
            weight_hh: part(ranges.weight_hh)?.reshape((rows, shape.hidden_size))?,
            bias: if shape.bias {
                Some((part(ranges.bias_ih)? + part(ranges.bias_hh)?)?)
            } else {
                None
            },
        })
    }
}

/// As [`super::cpu::forward`], on any device.
pub(crate) fn forward(
    shape: &LayerShape,
    x: &Tensor,
    weights: &Tensor,
    state: &Tensor,
) -> Result<(Tensor, Saved)> {
    let (x, weights, state) = (x.detach(), weights.detach(), state.detach());
    let (mut sequences, mut h_n, mut c_n, mut traces) = (vec![], vec![], vec![], vec![]);
    for direction in 0..shape.directions {
        let weights = Weights::new(shape, direction, &weights)?;
        let (trace, h, c) = run(shape, direction, &x, &weights, &state)?;
        let activations = Tensor::cat(&trace.activations, 0)?;
        sequences.push(activations.narrow(1, 5 * shape.hidden_size, shape.hidden_size)?);
        h_n.push(h.flatten_all()?);
        c_n.push(c.flatten_all()?);
        traces.push(trace);
    }
    let mut parts = vec![Tensor::cat(&sequences, 1)?.flatten_all()?];
    parts.extend(h_n);
    parts.extend(c_n);
    Ok((Tensor::cat(&parts, 0)?, Saved { traces }))
}

fn run(
    shape: &LayerShape,
    direction: usize,
    x: &Tensor,
    weights: &Weights,
    state: &Tensor,
) -> Result<(Trace, Tensor, Tensor)> {
    let hidden = shape.hidden_size;
    let mut projection = x.matmul(&weights.weight_ih.t()?)?;
    if let Some(bias) = &weights.bias {
        projection = projection.broadcast_add(bias)?;
    }
    let recurrent = weights.weight_hh.t()?.contiguous()?;
    let mut h = state.get(0)?.get(direction)?;
    let mut c = state.get(1)?.get(direction)?;
    let mut steps = Vec::new();
    for t in shape.step_order(direction) {
        let (first, alive) = (shape.packing.offsets()[t], shape.packing.batch_sizes()[t]);
        let (h_previous, c_previous) = (h.narrow(0, 0, alive)?, c.narrow(0, 0, alive)?);
        let gates = (projection.narrow(0, first, alive)? + h_previous.matmul(&recurrent)?)?;
        let after = gates.apply_op2_no_bwd(&c_previous.contiguous()?, &GatesForward)?;
        c = replace_first(&c, &after.narrow(1, 4 * hidden, hidden)?)?;
        h = replace_first(&h, &after.narrow(1, 5 * hidden, hidden)?)?;
        steps.push((t, after, h_previous, c_previous));
    }
    steps.sort_by_key(|step| step.0);
    let mut trace = Trace { activations: vec![], h_previous: vec![], c_previous: vec![] };
    for (_, after, h_previous, c_previous) in steps {
        trace.activations.push(after);
        trace.h_previous.push(h_previous);
        trace.c_previous.push(c_previous);
    }
    Ok((trace, h, c))
}

/// As [`super::cpu::backward`], on any device: gradients of x, weights and initial states.
pub(crate) fn backward(
    shape: &LayerShape,
    saved: &Saved,
    [x, weights, _, grad]: [&Tensor; 4],
) -> Result<[Tensor; 3]> {
    let (x, weights, grad) = (x.detach(), weights.detach(), grad.detach());
    let hidden = shape.hidden_size;
    let sequence = grad
        .narrow(0, 0, shape.sequence_len())?
        .reshape((shape.total(), shape.directions * hidden))?;
    let last = grad.narrow(0, shape.sequence_len(), 2 * shape.state_len())?.reshape((
        2,
        shape.directions,
        shape.batch(),
        hidden,
    ))?;
    let mut dx = x.zeros_like()?;
    let (mut dweights, mut dh_0, mut dc_0) = (vec![], vec![], vec![]);
    for (direction, trace) in saved.traces.iter().enumerate() {
        let weights = Weights::new(shape, direction, &weights)?;
        let incoming = sequence.narrow(1, direction * hidden, hidden)?;
        let dh = last.get(0)?.get(direction)?;
        let dc = last.get(1)?.get(direction)?;
        let (dgates, dh, dc) = reverse(shape, direction, trace, &weights, &incoming, dh, dc)?;
        dx = (dx + dgates.matmul(&weights.weight_ih)?)?;
        let dgates_t = dgates.t()?.contiguous()?;
        dweights.push(dgates_t.matmul(&x)?.flatten_all()?);
        let h_previous = Tensor::cat(&trace.h_previous, 0)?;
        dweights.push(dgates_t.matmul(&h_previous)?.flatten_all()?);
        if shape.bias {
            let sums = dgates.sum(0)?;
            dweights.extend([sums.clone(), sums]);
        }
        dh_0.push(dh);
        dc_0.push(dc);
    }
    let states = [Tensor::stack(&dh_0, 0)?, Tensor::stack(&dc_0, 0)?];
    Ok([dx, Tensor::cat(&dweights, 0)?, Tensor::stack(&states, 0)?])
}

/// The steps of one direction, last to first: the gradients of all pre-activations,
/// `[total, 4 * hidden_size]`, and of the initial h and c.
fn reverse(
    shape: &LayerShape,
    direction: usize,
    trace: &Trace,
    weights: &Weights,
    incoming: &Tensor,
    mut dh: Tensor,
    mut dc: Tensor,
) -> Result<(Tensor, Tensor, Tensor)> {
    let (hidden, rows) = (shape.hidden_size, NUM_GATES * shape.hidden_size);
    let mut steps = Vec::new();
    for t in shape.step_order(direction).into_iter().rev() {
        let (first, alive) = (shape.packing.offsets()[t], shape.packing.batch_sizes()[t]);
        let dh_here = (dh.narrow(0, 0, alive)? + incoming.narrow(0, first, alive)?)?;
        let states = Tensor::cat(&[&dh_here, &dc.narrow(0, 0, alive)?], D::Minus1)?;
        let c_previous = trace.c_previous[t].contiguous()?;
        let after = trace.activations[t].apply_op3_no_bwd(&c_previous, &states, &GatesBackward)?;
        let dgates = after.narrow(1, 0, rows)?.contiguous()?;
        dc = replace_first(&dc, &after.narrow(1, rows, hidden)?)?;
        dh = replace_first(&dh, &dgates.matmul(&weights.weight_hh)?)?;
        steps.push((t, dgates));
    }
    steps.sort_by_key(|step| step.0);
    let dgates: Vec<Tensor> = steps.into_iter().map(|step| step.1).collect();
    Ok((Tensor::cat(&dgates, 0)?, dh, dc))
}

/// `rows` with its first rows replaced by `first`.
fn replace_first(rows: &Tensor, first: &Tensor) -> Result<Tensor> {
    let (all, replaced) = (rows.dim(0)?, first.dim(0)?);
    if all == replaced {
        return first.contiguous();
    }
    Tensor::cat(&[first, &rows.narrow(0, replaced, all - replaced)?], 0)
}
