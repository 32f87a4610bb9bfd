//! The layer's backward pass: the steps in reverse give the gradients of all pre-activations; then the
//! weights, the inputs and the biases follow from a few large products.

use std::ops::Range;

use rayon::prelude::*;

use super::cells::{self, CellMath};
use super::forward::{Initial, Saved, Trace, load_slots, recompute, slices};
use super::layout::{BLOCK, Blocks, Side, Transposed, input_rows};
use super::math::Real;
use super::product::{Matrix, multiply};
use super::slices::{cut, cut_rows};
use super::tile::{Rows, accumulate, for_tiles};
use super::vector::{Kernel, Vector};
use super::workspace::Context;
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
    /// h before every step, `[total, hidden]`
    h_before: Vec<T>,
    /// Gradients of the initial h and memory, `[batch, padded]`
    dh: Vec<T>,
    dm: Vec<T>,
}

/// Gradients of x, weights and initial states, out of the output's.
pub(crate) fn backward<T: Real>(
    shape: &LayerShape,
    saved: Saved<T>,
    [x, weights, state, output, grad]: [&[T]; 5],
    context: &Context,
) -> Gradients<T> {
    let workspace = T::workspace(context);
    let traces = saved.traces.unwrap_or_else(|| recompute(shape, [x, weights, state], context));
    let slices = slices(shape);
    let reversed: Vec<Reversed<T>> = traces
        .into_par_iter()
        .enumerate()
        .map(|(direction, trace)| {
            let inputs = [weights, state, output, grad];
            reverse(shape, direction, trace, inputs, &slices, context)
        })
        .collect();

    let (total, hidden, blocks) = (shape.total(), shape.hidden_size, Blocks::of(shape));
    let width = blocks.width();
    let mut gradients = Gradients {
        x: vec![T::default(); total * shape.input_size],
        weights: vec![T::default(); weights.len()],
        state: vec![T::default(); state.len()],
    };
    let x = Matrix::new(x, total, shape.input_size);
    for (direction, reversed) in reversed.iter().enumerate() {
        let ranges = shape.weight_ranges(direction);
        let gates = Matrix::new(&reversed.gates, total, width);

        let input = input_rows(&blocks, &weights[ranges.weight_ih.clone()], shape.input_size);
        let input = Matrix::new(&input, width, shape.input_size);
        multiply(&mut gradients.x, direction > 0, gates, input);

        let h_before = Matrix::new(&reversed.h_before, total, hidden);
        for (side, range, right) in
            [(Side::Input, ranges.weight_ih, x), (Side::Hidden, ranges.weight_hh, h_before)]
        {
            let mut product = vec![T::default(); width * right.columns()];
            multiply(&mut product, false, gates.t(), right);
            let target = &mut gradients.weights[range];
            blocks.gate_rows(side, right.columns(), &product, target);
        }
        if shape.bias {
            let sums = column_sums(&reversed.gates, width);
            for (side, range) in [(Side::Input, ranges.bias_ih), (Side::Hidden, ranges.bias_hh)] {
                blocks.gate_rows(side, 1, &sums, &mut gradients.weights[range]);
            }
        }
        let len = shape.batch() * hidden;
        let (dh_0, dc_0) = gradients.state.split_at_mut(shape.h_len());
        blocks.unpad(&reversed.dh, &mut dh_0[direction * len..][..len]);
        if !dc_0.is_empty() {
            blocks.unpad(&reversed.dm, &mut dc_0[direction * len..][..len]);
        }
    }
    for Reversed { gates, h_before, .. } in reversed {
        workspace.give(gates);
        workspace.give(h_before);
    }
    gradients
}

/// One direction's steps, last to first. `dh` and `dm` hold one row a sequence throughout: those of
/// sequences that the reversed order has not reached yet keep the gradients of their final states.
fn reverse<T: Real>(
    shape: &LayerShape,
    direction: usize,
    trace: Trace<T>,
    [weights, state, output, grad]: [&[T]; 4],
    slices: &[Range<usize>],
    context: &Context,
) -> Reversed<T> {
    let (packing, blocks) = (&shape.packing, Blocks::of(shape));
    let padded = blocks.padded();
    let (instructions, workspace) = (context.instructions, T::workspace(context));
    let weight_hh = &weights[shape.weight_ranges(direction).weight_hh];
    let recurrent = Transposed::new(&blocks, weight_hh, T::lanes(instructions));
    let initial = Initial::new(shape, &blocks, direction, state);
    let (grad_sequence, grad_last) = grad.split_at(shape.sequence_len());
    let Initial { h: mut dh, memory: mut dm } = Initial::new(shape, &blocks, direction, grad_last);
    if shape.cell != Cell::Lstm {
        dm.fill(T::default());
    }
    let Trace { mut gates, mut memory } = trace;
    let order = shape.step_order(direction);

    let mut gates_of = cut(&mut gates, blocks.width(), packing, slices).into_iter();
    let mut memory_of = cut(&mut memory, padded, packing, slices).into_iter();
    let mut dh_of = cut_rows(&mut dh, padded, slices).into_iter();
    let mut dm_of = cut_rows(&mut dm, padded, slices).into_iter();
    let mut sweeps = Vec::new();
    for rows in slices {
        let (Some(gates), Some(memory)) = (gates_of.next(), memory_of.next()) else { break };
        let (Some(dh), Some(dm)) = (dh_of.next(), dm_of.next()) else { break };
        sweeps.push(Sweep {
            shape,
            blocks,
            direction,
            first_row: rows.start,
            order: &order,
            recurrent: &recurrent,
            incoming: grad_sequence,
            gates,
            memory,
            memory_0: &initial.memory[rows.start * padded..rows.end * padded],
            dh,
            dm,
        });
    }
    sweeps.into_par_iter().for_each(|sweep| T::run(instructions, sweep));
    if shape.cell == Cell::Gru {
        // The memory is h: what reached it belongs to h.
        for (dh, &dm) in dh.iter_mut().zip(&dm) {
            *dh += dm;
        }
    }
    workspace.give(memory);
    let mut h_before = workspace.take(shape.total() * shape.hidden_size);
    states_before(shape, direction, state, output, &mut h_before);
    Reversed { gates, h_before, dh, dm }
}

/// h before every step, `[total, hidden]`: the output of the step before, and for sequences which
/// start there the initial state.
fn states_before<T: Real>(
    shape: &LayerShape,
    direction: usize,
    state: &[T],
    output: &[T],
    before: &mut [T],
) {
    let (hidden, packing) = (shape.hidden_size, &shape.packing);
    let (sizes, offsets) = (packing.batch_sizes(), packing.offsets());
    let width = shape.directions * hidden;
    let h_0 = &state[direction * shape.batch() * hidden..];
    for t in 0..packing.num_steps() {
        let rows = before[offsets[t] * hidden..][..sizes[t] * hidden].chunks_exact_mut(hidden);
        let previous = shape.previous_step(direction, t);
        let going_on = previous.map_or(0, |previous| sizes[previous].min(sizes[t]));
        for (row, to) in rows.enumerate() {
            let from = match previous {
                Some(previous) if row < going_on => {
                    &output[(offsets[previous] + row) * width + direction * hidden..]
                }
                _ => &h_0[row * hidden..],
            };
            to.copy_from_slice(&from[..hidden]);
        }
    }
}

/// One slice of one direction: everything it reads and writes. Matrices are cut step by step.
struct Sweep<'a, T> {
    shape: &'a LayerShape,
    blocks: Blocks,
    direction: usize,
    /// The slice's first row in the batch.
    first_row: usize,
    /// The steps in the order of the direction: taken from the end.
    order: &'a [usize],
    recurrent: &'a Transposed<T>,
    /// The gradient of `h_seq`, `[total, directions * hidden]`
    incoming: &'a [T],
    /// Before a step what the cell kept; after it the gradients of its sums.
    gates: Vec<&'a mut [T]>,
    /// The memory after every step.
    memory: Vec<&'a mut [T]>,
    memory_0: &'a [T],
    dh: &'a mut [T],
    dm: &'a mut [T],
}

impl<T: Real> Kernel<T> for Sweep<'_, T> {
    #[inline(always)]
    fn run<V: Vector<Number = T>>(self) {
        match self.shape.cell {
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
        for (at, &t) in self.order.iter().enumerate().rev() {
            let alive = self.memory[t].len() / padded;
            if alive == 0 {
                continue;
            }
            self.add_incoming(t, alive);
            let before = if at == 0 { &[][..] } else { &*self.memory[self.order[at - 1]] };
            let going_on = alive.min(before.len() / padded);
            for row in 0..alive {
                let before = if row < going_on { before } else { self.memory_0 };
                let states = row * padded..(row + 1) * padded;
                cell_row::<V, C, S>(
                    &mut self.gates[t][row * self.blocks.width()..][..self.blocks.width()],
                    &before[states.clone()],
                    &self.memory[t][states.clone()],
                    &self.dh[states.clone()],
                    &mut self.dm[states],
                );
            }
            self.recurrent_product::<V>(t, alive);
        }
    }

    /// Adds to `dh` what comes from the layer above.
    #[inline(always)]
    fn add_incoming(&mut self, t: usize, alive: usize) {
        let (hidden, width) = (self.blocks.hidden, self.shape.directions * self.blocks.hidden);
        let first = self.shape.packing.offsets()[t] + self.first_row;
        for (row, dh) in self.dh.chunks_exact_mut(self.blocks.padded()).take(alive).enumerate() {
            let incoming = &self.incoming[(first + row) * width + self.direction * hidden..];
            for (dh, &incoming) in dh[..hidden].iter_mut().zip(&incoming[..hidden]) {
                *dh += incoming;
            }
        }
    }

    /// The gradient of h before the step: that of its sums times the recurrent weights.
    #[inline(always)]
    fn recurrent_product<V: Vector<Number = T>>(&mut self, t: usize, alive: usize) {
        let width = self.blocks.width();
        for (column, columns, panel) in self.recurrent.groups(width) {
            let left = Rows { data: &*self.gates[t], stride: width };
            let mut target = Target { data: self.dh, stride: self.blocks.padded(), column };
            let mut depth = 0;
            for panel in panel.chunks(DEPTH * columns) {
                if columns == V::LANES {
                    for_tiles!(V::TILE_ROWS, 0, alive, |row, ROWS| target
                        .tile::<V, ROWS, 1>(left, row, depth, panel));
                } else {
                    for_tiles!(V::TILE_ROWS, 0, alive, |row, ROWS| target
                        .tile::<V, ROWS, 4>(left, row, depth, panel));
                }
                depth += DEPTH;
            }
        }
    }
}

/// Rows of a panel that are taken at a time, so that it stays near while all tiles go over it.
const DEPTH: usize = 256;

/// Where a tile of the recurrent product goes.
struct Target<'a, T> {
    data: &'a mut [T],
    stride: usize,
    column: usize,
}

impl<T: Real> Target<'_, T> {
    /// `R` rows by `S` registers of the product, over the panel's part of the depth from `depth` on.
    #[inline(always)]
    fn tile<V: Vector<Number = T>, const R: usize, const S: usize>(
        &mut self,
        left: Rows<T>,
        first: usize,
        depth: usize,
        panel: &[T],
    ) {
        let mut sums = [[V::splat(T::default()); S]; R];
        if depth > 0 {
            for (row, sums) in (first..).zip(&mut sums) {
                for (s, sum) in sums.iter_mut().enumerate() {
                    *sum = V::load(&self.data[row * self.stride + self.column + s * V::LANES..]);
                }
            }
        }
        let sums = accumulate(sums, left, first, depth, panel);
        for (row, sums) in (first..).zip(sums) {
            for (s, sum) in sums.into_iter().enumerate() {
                sum.store(&mut self.data[row * self.stride + self.column + s * V::LANES..]);
            }
        }
    }
}

/// The cell's equations backward, on one row.
#[inline(always)]
fn cell_row<V: Vector, C: CellMath<S>, const S: usize>(
    gates: &mut [V::Number],
    before: &[V::Number],
    after: &[V::Number],
    dh: &[V::Number],
    dm: &mut [V::Number],
) {
    for unit in (0..dh.len()).step_by(V::LANES) {
        let gates = &mut gates[unit / BLOCK * S * BLOCK + unit % BLOCK..];
        let (before, after) = (V::load(&before[unit..]), V::load(&after[unit..]));
        let (dh, memory) = (V::load(&dh[unit..]), V::load(&dm[unit..]));
        let (slots, memory) = C::backward(load_slots::<V, S>(gates, 0), before, after, dh, memory);
        for (slot, gradient) in slots.into_iter().enumerate() {
            gradient.store(&mut gates[slot * BLOCK..]);
        }
        memory.store(&mut dm[unit..]);
    }
}

/// Sums over all rows of `[total, columns]`, in blocks: every block's sum is small beside the whole,
/// which keeps f32's rounding away, and the order is always the same.
fn column_sums<T: Real>(values: &[T], columns: usize) -> Vec<T> {
    const BLOCK_ROWS: usize = 64;
    let blocks: Vec<Vec<T>> = values
        .par_chunks(BLOCK_ROWS * columns)
        .map(|block| sum_rows(block.chunks_exact(columns), columns))
        .collect();
    sum_rows(blocks.iter().map(Vec::as_slice), columns)
}

fn sum_rows<'a, T: Real>(rows: impl Iterator<Item = &'a [T]>, columns: usize) -> Vec<T> {
    let mut sums = vec![T::default(); columns];
    for row in rows {
        for (sum, &value) in sums.iter_mut().zip(row) {
            *sum += value;
        }
    }
    sums
}
