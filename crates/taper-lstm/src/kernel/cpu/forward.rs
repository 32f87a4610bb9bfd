//! The layer's forward pass.

use std::ops::Range;

use rayon::prelude::*;

use super::cells::{self, CellMath};
use super::layout::{BLOCK, Blocks, Weights};
use super::math::Real;
use super::product::{Matrix, multiply};
use super::slices::{cut, cut_rows, pair, rows_of_slices};
use super::tile::{Rows, accumulate, for_tiles};
use super::vector::{Kernel, Vector};
use super::workspace::{Context, Workspace};
use crate::config::{Activations, Cell};
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
    let output = gather(shape, &finished);
    let mut traces = Vec::new();
    for Finished { trace, h, .. } in finished {
        workspace.give(h);
        if store {
            traces.push(trace);
        } else {
            workspace.give(trace.gates);
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
    let (instructions, workspace) = (context.instructions, T::workspace(context));
    let slices = slices(shape);
    let directions: Vec<(Weights<T>, Vec<T>)> = (0..shape.directions)
        .map(|direction| {
            let ranges = shape.weight_ranges(direction);
            let lanes = T::lanes(instructions);
            let weights = Weights::new(&blocks, &ranges, weights, shape.input_size, lanes);
            let gates = project(shape, &blocks, x, &weights.input, workspace);
            (weights, gates)
        })
        .collect();
    directions
        .into_par_iter()
        .enumerate()
        .map(|(direction, (weights, gates))| {
            let initial = Initial::new(shape, &blocks, direction, state);
            run(shape, blocks, direction, &weights, gates, &initial, &slices, store, context)
        })
        .collect()
}

/// How the batch is shared where there are more threads than directions.
pub(super) fn slices(shape: &LayerShape) -> Vec<Range<usize>> {
    let threads = rayon::current_num_threads();
    rows_of_slices(&shape.packing, threads / shape.directions)
}

/// `x W_ih^T`, `[total, width]`: one large product over all steps.
pub(super) fn project<T: Real>(
    shape: &LayerShape,
    blocks: &Blocks,
    x: &[T],
    weight_ih: &[T],
    workspace: &Workspace<T>,
) -> Vec<T> {
    let (total, width) = (shape.total(), blocks.width());
    let mut gates = workspace.take(total * width);
    let x = Matrix::new(x, total, shape.input_size);
    let weight = Matrix::new(weight_ih, width, shape.input_size);
    multiply(&mut gates, false, x, weight.t());
    gates
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
    blocks: Blocks,
    direction: usize,
    weights: &Weights<T>,
    mut gates: Vec<T>,
    initial: &Initial<T>,
    slices: &[Range<usize>],
    store: bool,
    context: &Context,
) -> Finished<T> {
    let workspace = T::workspace(context);
    let (packing, padded) = (&shape.packing, blocks.padded());
    let mut h = workspace.take(shape.total() * padded);
    let mut trace = if store { workspace.take(h.len()) } else { Vec::new() };
    let mut memory = initial.memory.clone();
    let order = shape.step_order(direction);

    let mut traces = if store { cut(&mut trace, padded, packing, slices) } else { vec![] };
    let mut sweeps = Vec::new();
    let mut gates_of = cut(&mut gates, blocks.width(), packing, slices).into_iter();
    let mut h_of = cut(&mut h, padded, packing, slices).into_iter();
    let mut memory_of = cut_rows(&mut memory, padded, slices).into_iter();
    traces.reverse();
    for rows in slices {
        let (Some(gates), Some(h), Some(memory)) = (gates_of.next(), h_of.next(), memory_of.next())
        else {
            break;
        };
        sweeps.push(Sweep {
            cell: shape.cell,
            blocks,
            order: &order,
            weights,
            gates,
            h,
            trace: traces.pop(),
            memory,
            h_0: &initial.h[rows.start * padded..rows.end * padded],
        });
    }
    sweeps.into_par_iter().for_each(|sweep| T::run(context.instructions, sweep));
    Finished { trace: Trace { gates, memory: trace }, h, memory }
}

/// One slice of one direction: everything it reads and writes. Matrices are cut step by step.
struct Sweep<'a, T> {
    cell: Cell,
    blocks: Blocks,
    /// The steps in the order of the direction.
    order: &'a [usize],
    weights: &'a Weights<T>,
    /// Before a step the input's products; after it, where traces are kept, what the cell keeps.
    gates: Vec<&'a mut [T]>,
    h: Vec<&'a mut [T]>,
    /// The memory after every step, where it is kept.
    trace: Option<Vec<&'a mut [T]>>,
    memory: &'a mut [T],
    h_0: &'a [T],
}

impl<T: Real> Kernel<T> for Sweep<'_, T> {
    #[inline(always)]
    fn run<V: Vector<Number = T>>(self) {
        match self.cell {
            Cell::Lstm => self.steps::<V, cells::Lstm, 4>(),
            Cell::Gru => self.steps::<V, cells::Gru, 4>(),
            Cell::RnnTanh => self.steps::<V, cells::RnnTanh, 1>(),
            Cell::RnnRelu => self.steps::<V, cells::RnnRelu, 1>(),
        }
    }
}

impl<T: Real> Sweep<'_, T> {
    #[inline(always)]
    fn steps<V: Vector<Number = T>, C: CellMath<S>, const S: usize>(mut self) {
        let padded = self.blocks.padded();
        let mut before = None;
        for &t in self.order {
            let (h, h_before) = pair(&mut self.h, t, before);
            let alive = h.len() / padded;
            if alive == 0 {
                continue;
            }
            before = Some(t);
            // Sequences that start here take their initial state; those going on stand above them.
            let going_on = alive.min(h_before.len() / padded);
            let mut step = Step {
                blocks: self.blocks,
                gates: self.gates[t],
                memory: self.memory,
                trace: self.trace.as_mut().map(|trace| &mut *trace[t]),
                h,
            };
            for block in 0..self.blocks.count() {
                for lane in (0..BLOCK).step_by(V::LANES) {
                    let part = Part::<V, S>::new(&self.blocks, self.weights, block, lane);
                    for (rows, data) in [(0..going_on, h_before), (going_on..alive, self.h_0)] {
                        let left = Rows { data, stride: padded };
                        for_tiles!(V::TILE_ROWS, rows.start, rows.end, |row, ROWS| step
                            .tile::<V, C, ROWS, S>(left, row, &part));
                    }
                }
            }
        }
    }
}

/// The weights of as many units as a register has lanes.
struct Part<'a, V: Vector, const S: usize> {
    /// Where their pre-activations begin in a row of gates; the slots are [`BLOCK`] apart.
    column: usize,
    /// Where they stand in a row of states.
    unit: usize,
    panel: &'a [V::Number],
    input_bias: [V; S],
    hidden_bias: [V; S],
}

impl<'a, V: Vector, const S: usize> Part<'a, V, S> {
    #[inline(always)]
    fn new(blocks: &Blocks, weights: &'a Weights<V::Number>, block: usize, lane: usize) -> Self {
        let (unit, column) = (block * BLOCK + lane, block * S * BLOCK + lane);
        let panel = blocks.hidden * S;
        Self {
            column,
            unit,
            panel: &weights.panels.as_ref()[unit * panel..][..V::LANES * panel],
            input_bias: load_slots(&weights.input_bias, column),
            hidden_bias: load_slots(&weights.hidden_bias, column),
        }
    }
}

#[inline(always)]
pub(super) fn load_slots<V: Vector, const S: usize>(from: &[V::Number], column: usize) -> [V; S] {
    let mut slots = [V::splat(V::Number::default()); S];
    for (slot, vector) in slots.iter_mut().enumerate() {
        *vector = V::load(&from[column + slot * BLOCK..]);
    }
    slots
}

/// What a step of a slice writes; one row a sequence alive.
struct Step<'a, T> {
    blocks: Blocks,
    gates: &'a mut [T],
    memory: &'a mut [T],
    trace: Option<&'a mut [T]>,
    h: &'a mut [T],
}

impl<T: Real> Step<'_, T> {
    /// The recurrent sums of `R` rows and the cell's equations on them, while they are in registers.
    #[inline(always)]
    fn tile<V: Vector<Number = T>, C: CellMath<S>, const R: usize, const S: usize>(
        &mut self,
        h_before: Rows<T>,
        first: usize,
        part: &Part<V, S>,
    ) {
        let sums = accumulate([part.hidden_bias; R], h_before, first, 0, part.panel);
        let (width, padded) = (self.blocks.width(), self.blocks.padded());
        for (row, sums) in (first..).zip(sums) {
            let gates = &mut self.gates[row * width + part.column..];
            let mut inputs = load_slots::<V, S>(gates, 0);
            for (input, bias) in inputs.iter_mut().zip(part.input_bias) {
                *input = input.add(bias);
            }
            let unit = row * padded + part.unit;
            let memory = V::load(&self.memory[unit..]);
            let (kept, memory, h) = C::forward(inputs, sums, memory);
            memory.store(&mut self.memory[unit..]);
            h.store(&mut self.h[unit..]);
            if let Some(trace) = &mut self.trace {
                memory.store(&mut trace[unit..]);
                for (slot, kept) in kept.into_iter().enumerate() {
                    kept.store(&mut gates[slot * BLOCK..]);
                }
            }
        }
    }
}

/// `h_seq | h_n | c_n`, out of the padded states of all directions.
pub(super) fn gather<T: Real>(shape: &LayerShape, finished: &[Finished<T>]) -> Vec<T> {
    let blocks = Blocks::of(shape);
    let (hidden, padded, batch) = (shape.hidden_size, blocks.padded(), shape.batch());
    let mut output = vec![T::default(); shape.output_len()];
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
