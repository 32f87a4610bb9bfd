//! The layer's backward pass: the steps in reverse give the gradients of all pre-activations and of the
//! inputs; then those of the weights and the biases follow from a few large products.

use std::ops::Range;

use rayon::prelude::*;

use super::forward::{Initial, Saved, Trace, recompute, slices};
use super::gradient::{WeightGradients, columns};
use super::layout::{BLOCK, Blocks, Side, Transposed};
use super::math::Real;
use super::reverse::Sweep;
use super::slices::{cut, cut_rows};
use super::workspace::{Context, Workspace};
use crate::config::Cell;
use crate::kernel::LayerShape;

/// Gradients in the layouts of the operation's inputs.
pub(crate) struct Gradients<T> {
    pub(crate) x: Vec<T>,
    pub(crate) weights: Vec<T>,
    pub(crate) state: Vec<T>,
}

/// What the steps of one direction leave for the products.
struct Reversed<T> {
    /// Gradients of the pre-activations, `[total, width]`
    gates: Vec<T>,
    /// Gradients of the inputs, this direction's part, `[total, input_size filled up to blocks]`
    x: Vec<T>,
    /// Gradients of the initial h and memory, `[batch, padded]`
    dh: Vec<T>,
    dm: Vec<T>,
}

/// The gradients of `h_seq`, all zero where there is none, and of `h_n | c_n`.
type Incoming<'a, T> = (Option<&'a [T]>, &'a [T]);

/// Gradients of x, weights and initial states, out of the output's.
pub(crate) fn backward<T: Real>(
    shape: &LayerShape,
    saved: Saved<T>,
    [x, weights, state, output]: [&[T]; 4],
    grads: Incoming<T>,
    context: &Context,
) -> Gradients<T> {
    let workspace = T::workspace(context);
    let traces = saved.traces.unwrap_or_else(|| recompute(shape, [x, weights, state], context));
    let slices = slices(shape);
    let reversed: Vec<Reversed<T>> = traces
        .into_par_iter()
        .enumerate()
        .map(|(direction, trace)| {
            reverse(shape, direction, trace, [weights, state], grads, &slices, context)
        })
        .collect();

    let (hidden, blocks) = (shape.hidden_size, Blocks::of(shape));
    let columns = columns(shape.input_size + hidden);
    let products = weight_gradients(shape, &reversed, [x, state, output], context);
    let mut gradients = Gradients {
        x: sum_directions(&reversed, shape.input_size, workspace),
        weights: vec![T::default(); weights.len()],
        state: vec![T::default(); state.len()],
    };
    for (direction, (reversed, (product, sums))) in reversed.iter().zip(&products).enumerate() {
        let ranges = shape.weight_ranges(direction);
        for (side, range, part) in [
            (Side::Input, ranges.weight_ih, 0..shape.input_size),
            (Side::Hidden, ranges.weight_hh, shape.input_size..shape.input_size + hidden),
        ] {
            blocks.gate_rows(side, product, columns, part, &mut gradients.weights[range]);
        }
        if shape.bias {
            for (side, range) in [(Side::Input, ranges.bias_ih), (Side::Hidden, ranges.bias_hh)] {
                blocks.gate_rows(side, sums, 1, 0..1, &mut gradients.weights[range]);
            }
        }
        let len = shape.batch() * hidden;
        let (dh_0, dc_0) = gradients.state.split_at_mut(shape.h_len());
        blocks.unpad(&reversed.dh, &mut dh_0[direction * len..][..len]);
        if !dc_0.is_empty() {
            blocks.unpad(&reversed.dm, &mut dc_0[direction * len..][..len]);
        }
    }
    let used = reversed.into_iter().flat_map(|Reversed { gates, x, .. }| [gates, x]);
    for buffer in used.chain(products.into_iter().map(|(product, _)| product)) {
        workspace.give(buffer);
    }
    gradients
}

/// For every direction the gradients of both weights, `[width, columns]`, and of each bias, `[width]`.
fn weight_gradients<T: Real>(
    shape: &LayerShape,
    reversed: &[Reversed<T>],
    [x, state, output]: [&[T]; 3],
    context: &Context,
) -> Vec<(Vec<T>, Vec<T>)> {
    let width = Blocks::of(shape).width();
    let columns = columns(shape.input_size + shape.hidden_size);
    // Threads beyond the directions share their rows: every sum is one thread's.
    let parts = rayon::current_num_threads().div_ceil(shape.directions);
    let rows = (width / BLOCK).div_ceil(parts) * BLOCK;
    let one = |(direction, Reversed { gates, .. }): (usize, &Reversed<T>)| {
        let h = states_before(shape, direction, state, output);
        let mut weights = T::workspace(context).take(width * columns);
        weights.fill(T::default());
        let mut bias = vec![T::default(); width];
        let parts = weights.par_chunks_mut(rows * columns).zip(bias.par_chunks_mut(rows));
        parts.enumerate().for_each(|(part, (weights, bias))| {
            let own = part * rows..part * rows + bias.len();
            let gradients = WeightGradients { gates, width, own, x, h: &h, weights, bias };
            T::run(context.instructions, gradients);
        });
        (weights, bias)
    };
    reversed.par_iter().enumerate().map(one).collect()
}

/// One direction's steps, last to first. `dh` and `dm` hold one row a sequence throughout: those of
/// sequences that the reversed order has not reached yet keep the gradients of their final states.
fn reverse<T: Real>(
    shape: &LayerShape,
    direction: usize,
    trace: Trace<T>,
    [weights, state]: [&[T]; 2],
    (incoming, grad_last): Incoming<T>,
    slices: &[Range<usize>],
    context: &Context,
) -> Reversed<T> {
    let (packing, blocks) = (&shape.packing, Blocks::of(shape));
    let padded = blocks.padded();
    let (instructions, workspace) = (context.instructions, T::workspace(context));
    let (ranges, lanes) = (shape.weight_ranges(direction), T::lanes(instructions));
    let hidden = Transposed::new(&blocks, Side::Hidden, &weights[ranges.weight_hh], lanes);
    let input = Transposed::new(&blocks, Side::Input, &weights[ranges.weight_ih], lanes);
    let initial = Initial::new(shape, &blocks, direction, state);
    let Initial { h: mut dh, memory: mut dm } = Initial::new(shape, &blocks, direction, grad_last);
    if shape.cell != Cell::Lstm {
        dm.fill(T::default());
    }
    let Trace { mut gates, mut memory } = trace;
    let order = shape.step_order(direction);
    let mut dx = workspace.take(shape.total() * input.columns());

    let mut dx_of = cut(&mut dx, input.columns(), packing, slices).into_iter();
    let mut gates_of = cut(&mut gates, blocks.width(), packing, slices).into_iter();
    let mut memory_of = cut(&mut memory, padded, packing, slices).into_iter();
    let mut dh_of = cut_rows(&mut dh, padded, slices).into_iter();
    let mut dm_of = cut_rows(&mut dm, padded, slices).into_iter();
    let mut sweeps = Vec::new();
    for rows in slices {
        let (Some(gates), Some(memory)) = (gates_of.next(), memory_of.next()) else { break };
        let (Some(dx), Some(dh), Some(dm)) = (dx_of.next(), dh_of.next(), dm_of.next()) else {
            break;
        };
        sweeps.push(Sweep {
            shape,
            blocks,
            direction,
            first_row: rows.start,
            order: &order,
            hidden: &hidden,
            input: &input,
            incoming,
            gates,
            memory,
            memory_0: &initial.memory[rows.start * padded..rows.end * padded],
            dx,
            dh,
            dm,
        });
    }
    sweeps.into_par_iter().for_each(|sweep| sweep.run(instructions));
    if shape.cell == Cell::Gru {
        // The memory is h: what reached it belongs to h.
        for (dh, &dm) in dh.iter_mut().zip(&dm) {
            *dh += dm;
        }
    }
    workspace.give(memory);
    Reversed { gates, x: dx, dh, dm }
}

/// h before every step, a row for each of the packed ones: the output of the step before, and for sequences which start
/// there the initial state.
fn states_before<'a, T>(
    shape: &LayerShape,
    direction: usize,
    state: &'a [T],
    output: &'a [T],
) -> Vec<&'a [T]> {
    let (hidden, packing) = (shape.hidden_size, &shape.packing);
    let (sizes, offsets) = (packing.batch_sizes(), packing.offsets());
    let width = shape.directions * hidden;
    let h_0 = &state[direction * shape.batch() * hidden..];
    let mut before = Vec::with_capacity(shape.total());
    for (t, &alive) in sizes.iter().enumerate() {
        let previous = shape.previous_step(direction, t);
        let going_on = previous.map_or(0, |previous| sizes[previous].min(alive));
        before.extend((0..alive).map(|row| match previous {
            Some(previous) if row < going_on => {
                &output[(offsets[previous] + row) * width + direction * hidden..][..hidden]
            }
            _ => &h_0[row * hidden..][..hidden],
        }));
    }
    before
}

/// The gradient of x, `[total, input_size]`: the directions' parts, in their order.
fn sum_directions<T: Real>(
    reversed: &[Reversed<T>],
    input_size: usize,
    workspace: &Workspace<T>,
) -> Vec<T> {
    let padded = input_size.next_multiple_of(BLOCK);
    let total = reversed.first().map_or(0, |first| first.x.len() / padded);
    let mut sums = workspace.take(total * input_size);
    sums.par_chunks_mut(input_size).enumerate().for_each(|(row, sums)| {
        for (direction, Reversed { x, .. }) in reversed.iter().enumerate() {
            let x = &x[row * padded..][..input_size];
            if direction == 0 {
                sums.copy_from_slice(x);
            } else {
                for (sum, &x) in sums.iter_mut().zip(x) {
                    *sum += x;
                }
            }
        }
    });
    sums
}
