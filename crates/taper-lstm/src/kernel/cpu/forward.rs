//! The layer's forward pass.

use std::ops::Range;

use rayon::prelude::*;

use super::layout::{Blocks, Panels, Weights};
use super::math::Real;
use super::projection::Inputs;
use super::slices::{cut, cut_rows, rows_of_slices};
use super::sweep::{Gates, Sweep};
use super::workspace::{Context, Workspace};
use crate::config::Activations;
use crate::kernel::LayerShape;

/// What the backward pass needs beside the layer's inputs and output.
pub(crate) struct Saved<T> {
    /// Direction by direction; `None` where they are to be computed again.
    pub(super) traces: Option<Vec<Trace<T>>>,
}

/// Activations of one direction, in packed order; empty where none are kept.
#[derive(Default)]
pub(super) struct Trace<T> {
    /// What the cell kept of every step, `[total, width]` ([`Blocks`]).
    pub(super) gates: Vec<T>,
    /// The memory after every step, `[total, padded]`.
    pub(super) memory: Vec<T>,
}

/// One direction after all steps.
pub(super) struct Finished<T> {
    pub(super) trace: Trace<T>,
    /// h after every step, `[total, padded]`
    pub(super) h: Vec<T>,
    /// The memory after every sequence's last step, `[batch, padded]`
    pub(super) memory: Vec<T>,
}

/// Runs the layer; operands and result are those of [`crate::kernel::LayerSequence`].
pub(crate) fn forward<T: Real>(
    shape: &LayerShape,
    inputs: [&[T]; 3],
    keep: bool,
    context: &Context,
) -> (Vec<T>, Option<Saved<T>>) {
    let store = keep && shape.activations == Activations::Keep;
    let finished = run_directions(shape, inputs, store, context);
    let workspace = T::workspace(context);
    let output = gather(shape, &finished, workspace);
    let mut traces = Vec::new();
    for Finished { trace, h, .. } in finished {
        workspace.give(h);
        if store {
            traces.push(trace);
        }
    }
    (output, keep.then_some(Saved { traces: store.then_some(traces) }))
}

/// The traces of a layer that has run before, to the same bits.
pub(super) fn recompute<T: Real>(
    shape: &LayerShape,
    inputs: [&[T]; 3],
    context: &Context,
) -> Vec<Trace<T>> {
    let workspace = T::workspace(context);
    let finished = run_directions(shape, inputs, true, context).into_iter();
    finished
        .map(|Finished { trace, h, .. }| {
            workspace.give(h);
            trace
        })
        .collect()
}

fn run_directions<T: Real>(
    shape: &LayerShape,
    [x, weights, state]: [&[T]; 3],
    store: bool,
    context: &Context,
) -> Vec<Finished<T>> {
    let blocks = Blocks::of(shape);
    let slices = slices(shape);
    (0..shape.directions)
        .into_par_iter()
        .map(|direction| {
            let (ranges, lanes) = (shape.weight_ranges(direction), T::lanes(context.instructions));
            let weights = Weights::new(&blocks, &ranges, weights, shape.input_size, lanes);
            let inputs = Inputs::Rows { x, weights: &weights.input };
            let initial = Initial::new(shape, &blocks, direction, state);
            run(shape, direction, inputs, &weights.hidden, &initial, &slices, store, context)
        })
        .collect()
}

/// How the batch is shared where there are more threads than directions.
pub(super) fn slices(shape: &LayerShape) -> Vec<Range<usize>> {
    let threads = rayon::current_num_threads();
    rows_of_slices(&shape.packing, threads / shape.directions)
}

/// The states before the first step, `[batch, padded]`.
pub(super) struct Initial<T> {
    pub(super) h: Vec<T>,
    /// c, or for a GRU h once more.
    pub(super) memory: Vec<T>,
}

impl<T: Real> Initial<T> {
    /// One direction's part of the layer's state vector.
    pub(super) fn new(shape: &LayerShape, blocks: &Blocks, direction: usize, state: &[T]) -> Self {
        let len = shape.batch() * shape.hidden_size;
        let (h, c) = state.split_at(shape.h_len());
        let h = blocks.pad(&h[direction * len..][..len]);
        let memory =
            if c.is_empty() { h.clone() } else { blocks.pad(&c[direction * len..][..len]) };
        Self { h, memory }
    }
}

/// One direction over all steps.
#[allow(clippy::too_many_arguments, reason = "one call, and a struct would only repeat the names")]
pub(super) fn run<T: Real>(
    shape: &LayerShape,
    direction: usize,
    inputs: Inputs<T>,
    hidden: &Panels<T>,
    initial: &Initial<T>,
    slices: &[Range<usize>],
    store: bool,
    context: &Context,
) -> Finished<T> {
    let (workspace, blocks) = (T::workspace(context), Blocks::of(shape));
    let (packing, padded, width) = (&shape.packing, blocks.padded(), blocks.width());
    let mut h = workspace.take(shape.total() * padded);
    let mut trace = Trace::default();
    if store {
        trace.gates = workspace.take(shape.total() * width);
        trace.memory = workspace.take(h.len());
    }
    let mut memory = initial.memory.clone();
    let order = shape.step_order(direction);

    let kept: Vec<Gates<T>> = if store {
        let gates = cut(&mut trace.gates, width, packing, slices).into_iter();
        let memory = cut(&mut trace.memory, padded, packing, slices);
        gates.zip(memory).map(|(gates, memory)| Gates::Kept { gates, memory }).collect()
    } else {
        slices.iter().map(|_| Gates::Passing(workspace.take(0))).collect()
    };
    let states = cut(&mut h, padded, packing, slices).into_iter();
    let states = states.zip(cut_rows(&mut memory, padded, slices));
    let sweeps: Vec<Sweep<T>> = slices
        .iter()
        .zip(kept.into_iter().zip(states))
        .map(|(rows, (gates, (h, memory)))| Sweep {
            cell: shape.cell,
            blocks,
            packing,
            first_row: rows.start,
            order: &order,
            inputs,
            hidden,
            gates,
            h,
            memory,
            h_0: &initial.h[rows.start * padded..rows.end * padded],
        })
        .collect();
    let run = |sweep: Sweep<T>| workspace.give(sweep.run(context.instructions));
    sweeps.into_par_iter().for_each(run);
    Finished { trace, h, memory }
}

/// `h_seq | h_n | c_n`, out of the padded states of all directions.
pub(super) fn gather<T: Real>(
    shape: &LayerShape,
    finished: &[Finished<T>],
    workspace: &Workspace<T>,
) -> Vec<T> {
    let blocks = Blocks::of(shape);
    let (hidden, padded, batch) = (shape.hidden_size, blocks.padded(), shape.batch());
    let mut output = workspace.take(shape.output_len());
    let (sequence, last) = output.split_at_mut(shape.sequence_len());
    sequence.par_chunks_mut(shape.directions * hidden).enumerate().for_each(|(row, output)| {
        for (output, direction) in output.chunks_mut(hidden).zip(finished) {
            output.copy_from_slice(&direction.h[row * padded..][..hidden]);
        }
    });
    let (h_n, c_n) = last.split_at_mut(shape.h_len());
    for (direction, (h_n, finished)) in
        h_n.chunks_exact_mut(batch * hidden).zip(finished).enumerate()
    {
        for (row, h_n) in h_n.chunks_exact_mut(hidden).enumerate() {
            let length = shape.packing.lengths()[shape.packing.sorted_indices()[row] as usize];
            let t = if direction == 0 { length - 1 } else { 0 };
            let at = (shape.packing.offsets()[t] + row) * padded;
            h_n.copy_from_slice(&finished.h[at..][..hidden]);
        }
    }
    for (c_n, finished) in c_n.chunks_exact_mut(batch * hidden).zip(finished) {
        blocks.unpad(&finished.memory, c_n);
    }
    output
}
