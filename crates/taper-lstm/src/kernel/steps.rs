//! The layer as tensor operations, step by step: what one reads, what the fused kernels are tested
//! against, and what runs where they do not. The equations of a step are in [`cells`].
//!
//! Any cell, any device, f32 and f64. Intermediate tensors carry no graph: the backward pass is written
//! by hand here as well.

mod cells;

use candle_core::{Result, Tensor};

use super::{LayerShape, WeightRanges};
pub(crate) use cells::Gates;

/// What the backward pass needs.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    /// Direction by direction, the steps in the order of time.
    pub(crate) directions: Vec<Vec<Step>>,
}

/// One step of one direction, for the sequences alive at it.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    h_previous: Tensor,
    c_previous: Option<Tensor>,
    pub(crate) gates: Gates,
    pub(crate) c: Option<Tensor>,
    /// What the cell shows, `[alive, hidden_size]`, before any projection.
    shown: Tensor,
    /// `[alive, output_size]`
    pub(crate) h: Tensor,
}

/// Gradients that reach the states of one direction, from everything that comes after them.
#[derive(Debug)]
pub(crate) struct Totals {
    /// `[total, output_size]`
    pub(crate) h: Tensor,
    /// `[total, hidden_size]`, where the cell has a memory
    pub(crate) c: Option<Tensor>,
}

/// One direction's parameters, out of the layer's weight vector.
struct Weights {
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Option<[Tensor; 2]>,
    weight_hr: Option<Tensor>,
}

impl Weights {
    fn new(shape: &LayerShape, direction: usize, weights: &Tensor) -> Result<Self> {
        let WeightRanges { weight_ih, weight_hh, bias_ih, bias_hh, weight_hr } =
            shape.weight_ranges(direction);
        let rows = shape.gate_rows();
        let part = |range: std::ops::Range<usize>| weights.narrow(0, range.start, range.len());
        let projected = |size| part(weight_hr)?.reshape((size, shape.hidden_size));
        Ok(Self {
            weight_ih: part(weight_ih)?.reshape((rows, shape.input_size))?,
            weight_hh: part(weight_hh)?.reshape((rows, shape.output_size()))?,
            bias: if shape.bias { Some([part(bias_ih)?, part(bias_hh)?]) } else { None },
            weight_hr: shape.proj_size.map(projected).transpose()?,
        })
    }

    /// `x W_ih^T + b_ih`
    fn input_sums(&self, x: &Tensor) -> Result<Tensor> {
        linear(x, &self.weight_ih, self.bias.as_ref().map(|[bias_ih, _]| bias_ih))
    }

    /// `h W_hh^T + b_hh`
    fn state_sums(&self, h: &Tensor) -> Result<Tensor> {
        linear(h, &self.weight_hh, self.bias.as_ref().map(|[_, bias_hh]| bias_hh))
    }

    /// `shown W_hr^T`, or what is shown itself.
    fn project(&self, shown: &Tensor) -> Result<Tensor> {
        match &self.weight_hr {
            Some(weight_hr) => linear(shown, weight_hr, None),
            None => Ok(shown.clone()),
        }
    }
}

fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let y = x.contiguous()?.matmul(&weight.t()?)?;
    match bias {
        Some(bias) => y.broadcast_add(bias),
        None => Ok(y),
    }
}

/// Runs the layer; operands and result are those of [`super::LayerSequence`].
pub(crate) fn forward(
    shape: &LayerShape,
    x: &Tensor,
    weights: &Tensor,
    state: &Tensor,
) -> Result<(Tensor, Saved)> {
    let (x, weights) = (x.detach(), weights.detach());
    let (h_0, c_0) = states(shape, &state.detach())?;
    let (mut sequences, mut h_n, mut c_n, mut directions) = (vec![], vec![], vec![], vec![]);
    for direction in 0..shape.directions {
        let weights = Weights::new(shape, direction, &weights)?;
        let c_0 = c_0.as_ref().map(|c| c.get(direction)).transpose()?;
        let (steps, h, c) = run(shape, direction, &x, &weights, h_0.get(direction)?, c_0)?;
        let sequence: Vec<&Tensor> = steps.iter().map(|step| &step.h).collect();
        sequences.push(Tensor::cat(&sequence, 0)?);
        h_n.push(h.flatten_all()?);
        c_n.extend(c.map(|c| c.flatten_all()).transpose()?);
        directions.push(steps);
    }
    let mut parts = vec![Tensor::cat(&sequences, 1)?.flatten_all()?];
    parts.extend(h_n);
    parts.extend(c_n);
    Ok((Tensor::cat(&parts, 0)?, Saved { directions }))
}

/// One direction: its steps in the order of time, and its final states.
///
/// `h` and `c` hold one row a sequence throughout. Going forward, the rows of finished sequences keep
/// their final state; going backward, those of sequences not yet begun keep their initial one.
fn run(
    shape: &LayerShape,
    direction: usize,
    x: &Tensor,
    weights: &Weights,
    mut h: Tensor,
    mut c: Option<Tensor>,
) -> Result<(Vec<Step>, Tensor, Option<Tensor>)> {
    let from_input = weights.input_sums(x)?;
    let mut steps = Vec::new();
    for t in shape.step_order(direction) {
        let (first, alive) = (shape.packing.offsets()[t], shape.packing.batch_sizes()[t]);
        let h_previous = h.narrow(0, 0, alive)?;
        let c_previous = c.as_ref().map(|c| c.narrow(0, 0, alive)).transpose()?;
        let from_input = from_input.narrow(0, first, alive)?;
        let from_state = weights.state_sums(&h_previous)?;
        let after =
            cells::forward(shape.cell, &from_input, &from_state, &h_previous, c_previous.as_ref())?;
        let cells::After { gates, c: memory, shown } = after;
        let shows = weights.project(&shown)?;
        h = replace_first(&h, &shows)?;
        if let (Some(all), Some(memory)) = (&c, &memory) {
            c = Some(replace_first(all, memory)?);
        }
        steps.push((t, Step { h_previous, c_previous, gates, c: memory, shown, h: shows }));
    }
    Ok((in_time(steps), h, c))
}

/// As [`super::cpu::backward`], on any device: gradients of x, weights and initial states.
pub(crate) fn backward(
    shape: &LayerShape,
    saved: &Saved,
    [x, weights, _, _, grad]: &[Tensor; 5],
) -> Result<[Tensor; 3]> {
    Ok(backward_with_totals(shape, saved, [x, weights, grad])?.0)
}

/// The gradients, and direction by direction those of the states at every step.
pub(crate) fn backward_with_totals(
    shape: &LayerShape,
    saved: &Saved,
    operands: [&Tensor; 3],
) -> Result<([Tensor; 3], Vec<Totals>)> {
    let [x, weights, grad] = operands.map(Tensor::detach);
    let size = shape.output_size();
    let sequence = grad
        .narrow(0, 0, shape.sequence_len())?
        .reshape((shape.total(), shape.directions * size))?;
    let (dh_n, dc_n) = states(shape, &grad.narrow(0, shape.sequence_len(), shape.state_len())?)?;
    let mut dx = x.zeros_like()?;
    let (mut dweights, mut dh_0, mut dc_0, mut totals) = (vec![], vec![], vec![], vec![]);
    for (direction, steps) in saved.directions.iter().enumerate() {
        let weights = Weights::new(shape, direction, &weights)?;
        let incoming = sequence.narrow(1, direction * size, size)?;
        let dc = dc_n.as_ref().map(|dc| dc.get(direction)).transpose()?;
        let reversed =
            reverse(shape, direction, steps, &weights, &incoming, dh_n.get(direction)?, dc)?;
        dx = (dx + reversed.dfrom_input.matmul(&weights.weight_ih)?)?;
        dweights.extend(weight_gradients(&x, steps, &weights, &reversed)?);
        dh_0.push(reversed.dh_0.flatten_all()?);
        dc_0.extend(reversed.dc_0.map(|dc| dc.flatten_all()).transpose()?);
        totals.push(reversed.totals);
    }
    dh_0.extend(dc_0);
    Ok(([dx, Tensor::cat(&dweights, 0)?, Tensor::cat(&dh_0, 0)?], totals))
}

/// What comes of one direction's steps, last to first.
struct Reversed {
    /// `[total, gate_rows]`
    dfrom_input: Tensor,
    /// `[total, gate_rows]`
    dfrom_state: Tensor,
    totals: Totals,
    dh_0: Tensor,
    dc_0: Option<Tensor>,
}

fn reverse(
    shape: &LayerShape,
    direction: usize,
    steps: &[Step],
    weights: &Weights,
    incoming: &Tensor,
    mut dh: Tensor,
    mut dc: Option<Tensor>,
) -> Result<Reversed> {
    let (mut dfrom_input, mut dfrom_state) = (vec![], vec![]);
    let (mut dh_totals, mut dc_totals) = (vec![], vec![]);
    for t in shape.step_order(direction).into_iter().rev() {
        let (first, alive) = (shape.packing.offsets()[t], shape.packing.batch_sizes()[t]);
        let step = &steps[t];
        let dh_here = (dh.narrow(0, 0, alive)? + incoming.narrow(0, first, alive)?)?;
        let dshown = match &weights.weight_hr {
            Some(weight_hr) => dh_here.matmul(weight_hr)?,
            None => dh_here.clone(),
        };
        let dc_here = dc.as_ref().map(|dc| dc.narrow(0, 0, alive)).transpose()?;
        let before = cells::backward(step, &dshown, dc_here.as_ref())?;
        let mut dh_previous = before.dfrom_state.matmul(&weights.weight_hh)?;
        if let Some(direct) = &before.dh_previous {
            dh_previous = (dh_previous + direct)?;
        }
        dh = replace_first(&dh, &dh_previous)?;
        if let (Some(all), Some((dc_here, dc_previous))) = (&dc, before.dc) {
            dc = Some(replace_first(all, &dc_previous)?);
            dc_totals.push((t, dc_here));
        }
        dfrom_input.push((t, before.dfrom_input));
        dfrom_state.push((t, before.dfrom_state));
        dh_totals.push((t, dh_here));
    }
    Ok(Reversed {
        dfrom_input: Tensor::cat(&in_time(dfrom_input), 0)?,
        dfrom_state: Tensor::cat(&in_time(dfrom_state), 0)?,
        totals: Totals {
            h: Tensor::cat(&in_time(dh_totals), 0)?,
            c: dc.is_some().then(|| Tensor::cat(&in_time(dc_totals), 0)).transpose()?,
        },
        dh_0: dh,
        dc_0: dc,
    })
}

/// One direction's gradients, in the order of its parameters: one product each over all steps.
fn weight_gradients(
    x: &Tensor,
    steps: &[Step],
    weights: &Weights,
    reversed: &Reversed,
) -> Result<Vec<Tensor>> {
    let product = |of: &Tensor, with: &Tensor| -> Result<Tensor> {
        of.t()?.contiguous()?.matmul(&with.contiguous()?)?.flatten_all()
    };
    let all =
        |part: fn(&Step) -> &Tensor| Tensor::cat(&steps.iter().map(part).collect::<Vec<_>>(), 0);
    let mut gradients = vec![
        product(&reversed.dfrom_input, x)?,
        product(&reversed.dfrom_state, &all(|step| &step.h_previous)?)?,
    ];
    if weights.bias.is_some() {
        gradients.extend([reversed.dfrom_input.sum(0)?, reversed.dfrom_state.sum(0)?]);
    }
    if weights.weight_hr.is_some() {
        gradients.push(product(&reversed.totals.h, &all(|step| &step.shown)?)?);
    }
    Ok(gradients)
}

/// A state vector's h `[directions, batch, output_size]` and c `[directions, batch, hidden_size]`.
fn states(shape: &LayerShape, state: &Tensor) -> Result<(Tensor, Option<Tensor>)> {
    let part = |start, len, size| {
        state.narrow(0, start, len)?.reshape((shape.directions, shape.batch(), size))
    };
    let h = part(0, shape.h_len(), shape.output_size())?;
    let c = match shape.c_len() {
        0 => None,
        len => Some(part(shape.h_len(), len, shape.hidden_size)?),
    };
    Ok((h, c))
}

/// What was collected in a direction's order, in the order of time.
fn in_time<T>(mut steps: Vec<(usize, T)>) -> Vec<T> {
    steps.sort_by_key(|step| step.0);
    steps.into_iter().map(|step| step.1).collect()
}

/// `rows` with its first rows replaced by `first`.
fn replace_first(rows: &Tensor, first: &Tensor) -> Result<Tensor> {
    let (all, replaced) = (rows.dim(0)?, first.dim(0)?);
    if all == replaced {
        return first.contiguous();
    }
    Tensor::cat(&[first, &rows.narrow(0, replaced, all - replaced)?], 0)
}
