//! One slice of one direction through all its steps. A thread that has a slice waits for nobody: it
//! multiplies the inputs of a few steps, takes those steps while the products are still near, and goes on.

use super::cells::{self, CellMath};
use super::layout::{Blocks, Panels, Part, load_slots};
use super::math::Real;
use super::projection::Inputs;
use super::slices::pair;
use super::tile::{Rows, for_tiles};
use super::vector::{Instructions, Kernel, Vector};
use crate::config::Cell;
use crate::packed::Packing;

/// Rows whose inputs are multiplied at a time: enough that reading all input weights for them is cheap,
/// few enough that their products wait in the cache.
const CHUNK_ROWS: usize = 128;

/// Everything that a slice reads and writes. Matrices are cut step by step.
pub(super) struct Sweep<'a, T> {
    pub(super) cell: Cell,
    pub(super) blocks: Blocks,
    pub(super) packing: &'a Packing,
    /// The slice's first row in the batch.
    pub(super) first_row: usize,
    /// The steps in the order of the direction.
    pub(super) order: &'a [usize],
    pub(super) inputs: Inputs<'a, T>,
    pub(super) hidden: &'a Panels<T>,
    pub(super) gates: Gates<'a, T>,
    pub(super) h: Vec<&'a mut [T]>,
    pub(super) memory: &'a mut [T],
    pub(super) h_0: &'a [T],
}

/// Rows of gates: first the input's products, then what the cell keeps.
pub(super) enum Gates<'a, T> {
    /// Of every step, with the memory after it, for a backward pass.
    Kept { gates: Vec<&'a mut [T]>, memory: Vec<&'a mut [T]> },
    /// Of the steps at hand alone, in one buffer, which the sweep gives back.
    Passing(Vec<T>),
}

impl<T: Real> Sweep<'_, T> {
    /// Runs all steps; gives back the buffer of passing gates.
    pub(super) fn run(mut self, instructions: Instructions) -> Vec<T> {
        let (width, padded) = (self.blocks.width(), self.blocks.padded());
        let rows: Vec<usize> = self.h.iter().map(|h| h.len() / padded).collect();
        let mut before = None;
        let mut rest = self.order;
        while !rest.is_empty() {
            let (chunk, others) = rest.split_at(chunk_len(rest.iter().copied(), &rows));
            rest = others;
            let (first, last) = bounds(chunk);
            let steps = first..=last;
            let starts = self.packing.offsets()[steps.clone()].iter();
            let starts = starts.map(|offset| offset + self.first_row);
            let (gates, trace) = match &mut self.gates {
                Gates::Kept { gates, memory } => {
                    let gates = &mut gates[steps.clone()];
                    let pieces = starts.zip(gates.iter_mut().map(|gates| &mut **gates));
                    self.inputs.multiply(&self.blocks, pieces, instructions);
                    let gates = gates.iter_mut().map(|gates| &mut **gates).collect();
                    let memory = memory[steps].iter_mut().map(|memory| &mut **memory);
                    (gates, Some(memory.collect()))
                }
                Gates::Passing(buffer) => {
                    let rows = &rows[steps.clone()];
                    buffer.resize(rows.iter().sum::<usize>() * width, T::default());
                    if rows == &self.packing.batch_sizes()[steps] {
                        // The slice is the whole batch: its rows stand together, like those of one step.
                        let all = starts.take(1).zip([&mut **buffer]);
                        self.inputs.multiply(&self.blocks, all, instructions);
                    } else {
                        let pieces = starts.zip(cut_steps(buffer, width, rows));
                        self.inputs.multiply(&self.blocks, pieces, instructions);
                    }
                    (cut_steps(buffer, width, rows), None)
                }
            };
            let steps = Steps {
                cell: self.cell,
                blocks: self.blocks,
                hidden: self.hidden,
                chunk,
                first,
                before: &mut before,
                gates,
                trace,
                h: &mut self.h,
                memory: self.memory,
                h_0: self.h_0,
            };
            T::run(instructions, steps);
        }
        match self.gates {
            Gates::Passing(buffer) => buffer,
            Gates::Kept { .. } => Vec::new(),
        }
    }
}

/// How many of the coming steps are taken together, given the rows alive at each.
pub(super) fn chunk_len(mut steps: impl ExactSizeIterator<Item = usize>, rows: &[usize]) -> usize {
    let (all, mut sum) = (steps.len(), 0);
    let enough = steps.position(|t| {
        sum += rows[t];
        sum >= CHUNK_ROWS
    });
    enough.map_or(all, |last| last + 1)
}

/// The smallest and the largest of consecutive steps, in whatever direction they run.
pub(super) fn bounds(chunk: &[usize]) -> (usize, usize) {
    let (a, b) = (chunk[0], chunk[chunk.len() - 1]);
    (a.min(b), a.max(b))
}

fn cut_steps<'a, T>(mut rest: &'a mut [T], width: usize, rows: &[usize]) -> Vec<&'a mut [T]> {
    let cut = rows.iter().map(|rows| {
        let (own, others) = std::mem::take(&mut rest).split_at_mut(rows * width);
        rest = others;
        own
    });
    cut.collect()
}

/// Some consecutive steps whose inputs have been multiplied.
struct Steps<'s, 'a, T> {
    cell: Cell,
    blocks: Blocks,
    hidden: &'s Panels<T>,
    chunk: &'s [usize],
    /// The earliest step in time of the chunk, where `gates` and `trace` begin.
    first: usize,
    /// The step that was taken last, if any.
    before: &'s mut Option<usize>,
    gates: Vec<&'s mut [T]>,
    trace: Option<Vec<&'s mut [T]>>,
    h: &'s mut [&'a mut [T]],
    memory: &'s mut [T],
    h_0: &'s [T],
}

impl<T: Real> Kernel<T> for Steps<'_, '_, T> {
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

impl<T: Real> Steps<'_, '_, T> {
    #[inline(always)]
    fn steps<V: Vector<Number = T>, C: CellMath<S>, const S: usize>(mut self) {
        let padded = self.blocks.padded();
        for &t in self.chunk {
            let (h, h_before) = pair(self.h, t, *self.before);
            let alive = h.len() / padded;
            if alive == 0 {
                continue;
            }
            *self.before = Some(t);
            // Sequences that start here take their initial state; those going on stand above them.
            let going_on = alive.min(h_before.len() / padded);
            let mut step = Step {
                width: self.blocks.width(),
                padded,
                gates: &mut *self.gates[t - self.first],
                memory: self.memory,
                trace: self.trace.as_mut().map(|trace| &mut *trace[t - self.first]),
                h,
            };
            // Up and down in turns: what the last step read last, this one finds in the cache.
            for unit in self.blocks.units(V::LANES, t % 2 == 1) {
                let part = self.hidden.part::<V, S>(&self.blocks, unit);
                for (rows, data) in [(0..going_on, h_before), (going_on..alive, self.h_0)] {
                    let left = Rows { data, stride: padded };
                    for_tiles!(V::TILE_ROWS, rows.start, rows.end, |row, ROWS| step
                        .tile::<V, C, ROWS, S>(left, row, &part));
                }
            }
        }
    }
}

/// What a step of a slice writes; one row a sequence alive.
struct Step<'a, T> {
    width: usize,
    padded: usize,
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
        let sums = part.multiply::<R>(h_before, first);
        for (row, sums) in (first..).zip(sums) {
            let gates = &mut self.gates[row * self.width..];
            let inputs = load_slots::<V, S>(gates, part.column);
            let unit = row * self.padded + part.unit;
            let memory = V::load(&self.memory[unit..]);
            let (kept, memory, h) = C::forward(inputs, sums, memory);
            memory.store(&mut self.memory[unit..]);
            h.store(&mut self.h[unit..]);
            if let Some(trace) = &mut self.trace {
                memory.store(&mut trace[unit..]);
                part.store(kept, gates);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_have_enough_rows_and_no_more() {
        let rows = [200, 100, 100, 10];
        let len = |steps: &[usize]| chunk_len(steps.iter().copied(), &rows);
        assert_eq!([len(&[0, 1, 2, 3]), len(&[3, 2, 1, 0]), len(&[2, 3])], [1, 3, 2]);
        assert_eq!((bounds(&[3, 2]), bounds(&[1])), ((2, 3), (1, 1)));
    }
}
