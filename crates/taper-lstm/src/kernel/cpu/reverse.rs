//! One slice of one direction back through all its steps, as [`super::sweep`] goes forward.

use std::ops::Range;

use super::cells::{self, CellMath};
use super::layout::{BLOCK, Blocks, Transposed, load_slots};
use super::math::Real;
use super::sweep::{bounds, chunk_len};
use super::tile::{Rows, accumulate, for_tiles};
use super::vector::{Instructions, Kernel, Vector};
use crate::config::Cell;
use crate::kernel::LayerShape;

pub(super) struct Sweep<'a, T> {
    pub(super) shape: &'a LayerShape,
    pub(super) blocks: Blocks,
    pub(super) direction: usize,
    /// The slice's first row in the batch.
    pub(super) first_row: usize,
    /// The steps in the order of the direction: taken from the end.
    pub(super) order: &'a [usize],
    pub(super) hidden: &'a Transposed<T>,
    pub(super) input: &'a Transposed<T>,
    /// The gradient of `h_seq`, `[total, directions * hidden]`, if any of it is not zero.
    pub(super) incoming: Option<&'a [T]>,
    /// Before a step what the cell kept; after it the gradients of its sums.
    pub(super) gates: Vec<&'a mut [T]>,
    /// The memory after every step.
    pub(super) memory: Vec<&'a mut [T]>,
    pub(super) memory_0: &'a [T],
    /// The gradient of x, `[rows, input.columns()]`
    pub(super) dx: Vec<&'a mut [T]>,
    pub(super) dh: &'a mut [T],
    pub(super) dm: &'a mut [T],
}

impl<T: Real> Sweep<'_, T> {
    /// Goes back through all steps: some of them, then their inputs' gradients while those of their sums are
    /// near.
    pub(super) fn run(mut self, instructions: Instructions) {
        let padded = self.blocks.padded();
        let rows: Vec<usize> = self.memory.iter().map(|memory| memory.len() / padded).collect();
        let mut rest = self.order;
        while !rest.is_empty() {
            let len = chunk_len(rest.iter().rev().copied(), &rows);
            let (others, chunk) = rest.split_at(rest.len() - len);
            T::run(instructions, Steps { at: others.len()..rest.len(), sweep: &mut self });
            let (first, last) = bounds(chunk);
            let gates = self.gates[first..=last].iter().map(|gates| &**gates);
            let targets = self.dx[first..=last].iter_mut().map(|dx| &mut **dx);
            let steps = gates.zip(targets).collect();
            T::run(instructions, Product { weights: self.input, steps });
            rest = others;
        }
    }
}

/// Some steps of a sweep, by their places in its order; taken from the end.
struct Steps<'s, 'a, T> {
    sweep: &'s mut Sweep<'a, T>,
    at: Range<usize>,
}

impl<T: Real> Kernel<T> for Steps<'_, '_, T> {
    #[inline(always)]
    fn run<V: Vector<Number = T>>(self) {
        match self.sweep.shape.cell {
            Cell::Lstm => self.sweep.steps::<V, cells::Lstm, 4>(self.at),
            Cell::Gru => self.sweep.steps::<V, cells::Gru, 4>(self.at),
            Cell::RnnTanh => self.sweep.steps::<V, cells::RnnTanh, 1>(self.at),
            Cell::RnnRelu => self.sweep.steps::<V, cells::RnnRelu, 1>(self.at),
        }
    }
}

impl<T: Real> Sweep<'_, T> {
    #[inline(always)]
    fn steps<V: Vector<Number = T>, C: CellMath<S>, const S: usize>(&mut self, at: Range<usize>) {
        let (padded, width) = (self.blocks.padded(), self.blocks.width());
        for at in at.rev() {
            let t = self.order[at];
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
                let gates = &mut self.gates[t][row * width..][..width];
                let dm = &mut self.dm[states.clone()];
                cell_row::<V, C, S>(
                    gates,
                    &before[states.clone()],
                    &self.memory[t][states.clone()],
                    &self.dh[states],
                    dm,
                );
                clear_padding(&self.blocks, gates, dm);
            }
            // The gradient of h before the step: that of its sums times the recurrent weights.
            let mut steps = [(&*self.gates[t], &mut self.dh[..alive * padded])];
            self.hidden.multiply::<V>(&mut steps, t % 2 == 1);
        }
    }

    /// Adds to `dh` what comes from the layer above.
    #[inline(always)]
    fn add_incoming(&mut self, t: usize, alive: usize) {
        let Some(incoming) = self.incoming else { return };
        let (hidden, width) = (self.blocks.hidden, self.shape.directions * self.blocks.hidden);
        let first = self.shape.packing.offsets()[t] + self.first_row;
        for (row, dh) in self.dh.chunks_exact_mut(self.blocks.padded()).take(alive).enumerate() {
            let incoming = &incoming[(first + row) * width + self.direction * hidden..];
            for (dh, &incoming) in dh[..hidden].iter_mut().zip(&incoming[..hidden]) {
                *dh += incoming;
            }
        }
    }
}

/// The gradients of sums times the weights, for some steps.
struct Product<'a, 'b, T> {
    weights: &'a Transposed<T>,
    /// The gradients, `[rows, width]`, and where the products go, `[rows, weights.columns()]`.
    steps: Vec<(&'b [T], &'b mut [T])>,
}

impl<T: Real> Kernel<T> for Product<'_, '_, T> {
    #[inline(always)]
    fn run<V: Vector<Number = T>>(mut self) {
        self.weights.multiply::<V>(&mut self.steps, false);
    }
}

impl<T: Real> Transposed<T> {
    /// Every panel goes over the rows of all steps while it is near; `down` begins with the last one.
    #[inline(always)]
    fn multiply<V: Vector<Number = T>>(&self, steps: &mut [(&[T], &mut [T])], down: bool) {
        let (width, stride) = (self.width(), self.columns());
        for (column, columns, panel) in self.groups(down) {
            for (depth, panel) in (0..).step_by(DEPTH).zip(panel.chunks(DEPTH * columns)) {
                for (gates, target) in &mut *steps {
                    let (left, rows) = (Rows { data: gates, stride: width }, gates.len() / width);
                    let mut target = Target { data: target, stride, column };
                    if columns == V::LANES {
                        for_tiles!(V::TILE_ROWS, 0, rows, |row, ROWS| target
                            .tile::<V, ROWS, 1>(left, row, depth, panel));
                    } else {
                        for_tiles!(V::TILE_ROWS, 0, rows, |row, ROWS| target
                            .tile::<V, ROWS, 4>(left, row, depth, panel));
                    }
                }
            }
        }
    }
}

/// Rows of a panel that are taken at a time, so that it stays near while all tiles go over it.
const DEPTH: usize = 256;

/// Where a tile of a product goes.
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

/// Sets the gradients of what only fills up a row's last block to zero. They are zero, unless an input is infinite: with
/// the zeros among the weights it makes NaN, which the products to come would spread.
#[inline(always)]
fn clear_padding<T: Real>(blocks: &Blocks, gates: &mut [T], dm: &mut [T]) {
    let units = blocks.hidden % BLOCK;
    if units > 0 {
        let last = gates.len() - blocks.slots * BLOCK;
        for slot in gates[last..].chunks_exact_mut(BLOCK) {
            slot[units..].fill(T::default());
        }
        dm[blocks.hidden..].fill(T::default());
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
