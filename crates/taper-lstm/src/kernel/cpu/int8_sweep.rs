//! The LSTM's steps and input products with weights of 8 bits; for inference only.

use std::ops::Range;

use rayon::prelude::*;

use super::cells::{CellMath, Lstm};
use super::int8::{Int8, Quantized, quantise};
use super::layout::{BLOCK, Blocks, load_slots};
use super::slices::{cut, cut_rows, pair};
use super::tile::for_tiles;
use super::vector::{Int8Kernel, run_int8};
use super::workspace::Context;
use crate::kernel::LayerShape;

/// i, f, g, o.
const SLOTS: usize = 4;

/// One direction after all steps.
pub(super) struct Finished8 {
    /// What it was given.
    pub(super) gates: Vec<f32>,
    /// h after every step, `[total, padded]`
    pub(super) h: Vec<f32>,
    /// The same in 127ths.
    pub(super) rounded: Vec<i8>,
    /// c after every sequence's last step, `[batch, padded]`
    pub(super) memory: Vec<f32>,
}

/// The products of `rows` with a layer's input weights, `[rows, width]`.
pub(super) fn project(
    blocks: &Blocks,
    weights: &Quantized,
    rows: &[i8],
    context: &Context,
) -> Vec<f32> {
    /// Rows of a task: enough for every panel to be read rarely, few enough for many tasks.
    const TASK: usize = 96;
    let (width, depth) = (blocks.width(), weights.depth());
    let mut gates = context.f32.take(rows.len() / depth * width);
    gates.par_chunks_mut(TASK * width).zip(rows.par_chunks(TASK * depth)).for_each(
        |(gates, rows)| {
            run_int8(context.instructions, Projection { blocks: *blocks, weights, rows, gates });
        },
    );
    gates
}

struct Projection<'a> {
    blocks: Blocks,
    weights: &'a Quantized,
    rows: &'a [i8],
    gates: &'a mut [f32],
}

impl Int8Kernel for Projection<'_> {
    #[inline(always)]
    fn run<V: Int8>(self) {
        let width = self.blocks.width();
        let count = self.gates.len() / width;
        for unit in (0..self.blocks.padded()).step_by(V::LANES) {
            let column = unit / BLOCK * SLOTS * BLOCK + unit % BLOCK;
            let part = self.weights.part::<V, SLOTS>(unit, column);
            for_tiles!(<V as Int8>::TILE_ROWS, 0, count, |row, ROWS| {
                let products = part.multiply::<ROWS>(self.rows, row);
                for (row, products) in (row..).zip(products) {
                    for (slot, product) in products.into_iter().enumerate() {
                        product.store(&mut self.gates[row * width + column + slot * BLOCK..]);
                    }
                }
            });
        }
    }
}

/// One direction's steps from states of zero; `gates` are the input's products.
pub(super) fn run(
    shape: &LayerShape,
    direction: usize,
    weights: &Quantized,
    bias: &[f32],
    mut gates: Vec<f32>,
    slices: &[Range<usize>],
    context: &Context,
) -> Finished8 {
    let (packing, blocks) = (&shape.packing, Blocks::of(shape));
    let padded = blocks.padded();
    let mut h = context.f32.take(shape.total() * padded);
    let mut rounded = vec![0; h.len()];
    let mut memory = vec![0.0; shape.batch() * padded];
    let order = shape.step_order(direction);
    let zeros = vec![0; memory.len()];

    let states = cut(&mut h, padded, packing, slices).into_iter();
    let states = states.zip(cut(&mut rounded, padded, packing, slices));
    let gates_of = cut(&mut gates, blocks.width(), packing, slices);
    let sweeps: Vec<_> = gates_of
        .into_iter()
        .zip(states)
        .zip(cut_rows(&mut memory, padded, slices))
        .map(|((gates, (h, rounded)), memory)| Sweep {
            blocks,
            order: &order,
            weights,
            bias,
            gates,
            h,
            rounded,
            memory,
            zeros: &zeros,
        })
        .collect();
    sweeps.into_par_iter().for_each(|sweep| run_int8(context.instructions, sweep));
    Finished8 { gates, h, rounded, memory }
}

/// One slice of one direction, as in [`super::sweep`].
struct Sweep<'a> {
    blocks: Blocks,
    order: &'a [usize],
    weights: &'a Quantized,
    bias: &'a [f32],
    gates: Vec<&'a mut [f32]>,
    h: Vec<&'a mut [f32]>,
    rounded: Vec<&'a mut [i8]>,
    memory: &'a mut [f32],
    /// The rounded h before the first step.
    zeros: &'a [i8],
}

impl Int8Kernel for Sweep<'_> {
    #[inline(always)]
    fn run<V: Int8>(mut self) {
        let (padded, width) = (self.blocks.padded(), self.blocks.width());
        let mut before = None;
        for &t in self.order {
            let (rounded, rounded_before) = pair(&mut self.rounded, t, before);
            let alive = rounded.len() / padded;
            if alive == 0 {
                continue;
            }
            before = Some(t);
            let going_on = alive.min(rounded_before.len() / padded);
            let (gates, h) = (&*self.gates[t], &mut *self.h[t]);
            for unit in (0..padded).step_by(V::LANES) {
                let column = unit / BLOCK * SLOTS * BLOCK + unit % BLOCK;
                let part = self.weights.part::<V, SLOTS>(unit, column);
                let bias = load_slots::<V, SLOTS>(self.bias, column);
                for (rows, left) in [(0..going_on, rounded_before), (going_on..alive, self.zeros)] {
                    for_tiles!(<V as Int8>::TILE_ROWS, rows.start, rows.end, |row, ROWS| {
                        let products = part.multiply::<ROWS>(left, row);
                        for (row, products) in (row..).zip(products) {
                            let mut inputs = load_slots::<V, SLOTS>(gates, row * width + column);
                            for (input, bias) in inputs.iter_mut().zip(bias) {
                                *input = input.add(bias);
                            }
                            let at = row * padded + unit;
                            let c = V::load(&self.memory[at..]);
                            let (_, c, shown) = Lstm::forward(inputs, products, c);
                            c.store(&mut self.memory[at..]);
                            shown.store(&mut h[at..]);
                            quantise(shown, &mut rounded[at..]);
                        }
                    });
                }
            }
        }
    }
}
