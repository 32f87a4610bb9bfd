//! Stacked LSTM layers for inference alone: weights are packed once, not for every batch; inputs that
//! repeat are multiplied once; and, where that is asked for, weights have 8 bits.

use std::sync::Arc;

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use super::forward::{Finished, Initial, Trace, gather, run, slices};
use super::int8::Quantized;
use super::int8_sweep::{self, Finished8};
use super::layout::{Blocks, Panels, Side, Weights};
use super::math::Real;
use super::projection::{Inputs, Projection};
use super::vector::{Instructions, int8_lanes};
use super::workspace::Context;
use crate::kernel::LayerShape;
use crate::packed::Packing;

/// A stack of layers that will not be trained any more.
pub(crate) struct Frozen {
    layers: Vec<Layer>,
    context: Context,
}

struct Layer {
    /// Its sizes, with the packing of some other batch.
    shape: LayerShape,
    directions: Vec<Direction>,
}

/// One direction's weights.
enum Direction {
    F32(Weights<f32>),
    Int8 {
        /// The first layer's inputs have no bounds: its products stay in f32.
        input: Input,
        hidden: Quantized,
        /// What the products lack, `[width]`: the hidden bias, and the input's unless it is in them.
        bias: Vec<f32>,
    },
}

enum Input {
    F32(Panels<f32>),
    Int8(Quantized),
}

impl Frozen {
    /// Packs the weights of every layer, given as for [`crate::kernel::LayerSequence`]. With `int8`,
    /// all but the first layer's input weights are rounded to 8 bits.
    pub(crate) fn new(layers: &[(LayerShape, Vec<f32>)], int8: bool) -> Self {
        Self::with(Context::default(), layers, int8)
    }

    pub(super) fn with(context: Context, layers: &[(LayerShape, Vec<f32>)], int8: bool) -> Self {
        let instructions = context.instructions;
        let layers = layers.iter().enumerate().map(|(number, (shape, weights))| Layer {
            shape: shape.clone(),
            directions: (0..shape.directions)
                .map(|direction| {
                    Direction::new(shape, direction, weights, number == 0, int8, instructions)
                })
                .collect(),
        });
        Self { layers: layers.collect(), context }
    }

    /// Takes back the memory of a result of [`Self::forward`], of which nothing is read any more.
    pub(crate) fn give_back(&self, output: &Tensor) -> Result<()> {
        self.context.reclaim(output)
    }

    /// The last layer's `h_seq | h_n | c_n` ([`LayerShape::output_len`]), from states of zero.
    ///
    /// # Shapes
    /// `rows`: distinct inputs, `[n, input_size]`; `indices`: which of them every packed step is
    pub(crate) fn forward(
        &self,
        packing: &Arc<Packing>,
        rows: &[f32],
        indices: &[u32],
    ) -> Vec<f32> {
        let mut below = Below::Distinct { rows, indices };
        for layer in &self.layers {
            let shape = LayerShape { packing: packing.clone(), ..layer.shape.clone() };
            let output = layer.forward(&shape, &below, &self.context);
            if let Below::Finished { output, .. } = std::mem::replace(&mut below, output) {
                self.context.f32.give(output);
            }
        }
        match below {
            Below::Finished { output, .. } => output,
            Below::Distinct { .. } => Vec::new(),
        }
    }
}

/// What a layer reads.
enum Below<'a> {
    Distinct {
        rows: &'a [f32],
        indices: &'a [u32],
    },
    Finished {
        /// `h_seq | h_n | c_n`
        output: Vec<f32>,
        /// h of all directions in 127ths, `[total, directions * padded]`, or nothing.
        rounded: Vec<i8>,
    },
}

impl Layer {
    fn forward(&self, shape: &LayerShape, below: &Below, context: &Context) -> Below<'static> {
        let workspace = &context.f32;
        let slices = slices(shape);
        let blocks = Blocks::of(shape);
        let finished: Vec<(Finished<f32>, Vec<i8>)> = self
            .directions
            .par_iter()
            .enumerate()
            .map(|(number, direction)| match direction {
                Direction::Int8 { input, hidden, bias } => {
                    let gates = input.products(shape, &blocks, below, context);
                    let finished =
                        int8_sweep::run(shape, number, hidden, bias, gates, &slices, context);
                    let Finished8 { gates, h, rounded, memory } = finished;
                    workspace.give(gates);
                    (Finished { trace: Trace::default(), h, memory }, rounded)
                }
                Direction::F32(Weights { input, hidden }) => {
                    let zeros = vec![0.0; shape.state_len()];
                    let initial = Initial::new(shape, &blocks, number, &zeros);
                    let mut own = Vec::new();
                    let inputs = match below {
                        Below::Finished { output, .. } => {
                            let x = &output[..shape.total() * shape.input_size];
                            Inputs::Rows { x, weights: input }
                        }
                        &Below::Distinct { rows, indices } if repeats(rows, indices, shape) => {
                            own = products(&blocks, input, rows, context);
                            Inputs::Products { distinct: &own, indices }
                        }
                        &Below::Distinct { rows, indices } => {
                            own = workspace.take(indices.len() * shape.input_size);
                            expand(rows, indices, shape.input_size, &mut own);
                            Inputs::Rows { x: &own, weights: input }
                        }
                    };
                    let finished =
                        run(shape, number, inputs, hidden, &initial, &slices, false, context);
                    workspace.give(own);
                    (finished, vec![])
                }
            })
            .collect();
        let (finished, rounded): (Vec<_>, Vec<_>) = finished.into_iter().unzip();
        let output = gather(shape, &finished, workspace);
        for Finished { h, .. } in finished {
            workspace.give(h);
        }
        Below::Finished { output, rounded: interleave(&rounded, blocks.padded()) }
    }
}

impl Direction {
    /// `first`: whether the layer reads the stack's inputs.
    fn new(
        shape: &LayerShape,
        direction: usize,
        weights: &[f32],
        first: bool,
        int8: bool,
        instructions: Instructions,
    ) -> Self {
        let (blocks, ranges) = (Blocks::of(shape), shape.weight_ranges(direction));
        let lanes = f32::lanes(instructions);
        let packed = Weights::new(&blocks, &ranges, weights, shape.input_size, lanes);
        if !int8 {
            return Self::F32(packed);
        }
        let (lanes, padded) = (int8_lanes(instructions), blocks.padded());
        let rows = weights[ranges.weight_hh].chunks_exact(shape.hidden_size);
        let rows = blocks.columns(Side::Hidden).zip(rows);
        let hidden = Quantized::new(&blocks, rows, padded, lanes);
        let mut bias = packed.hidden.bias().to_vec();
        let input = if first {
            Input::F32(packed.input)
        } else {
            let filled = blocks.pad(&weights[ranges.weight_ih]);
            let columns = shape.input_size / shape.hidden_size * padded;
            let rows = blocks.columns(Side::Input).zip(filled.chunks_exact(columns));
            for (bias, input) in bias.iter_mut().zip(packed.input.bias()) {
                *bias += input;
            }
            Input::Int8(Quantized::new(&blocks, rows, columns, lanes))
        };
        Self::Int8 { input, hidden, bias }
    }
}

impl Input {
    /// The input's products, `[total, width]`.
    fn products(
        &self,
        shape: &LayerShape,
        blocks: &Blocks,
        below: &Below,
        context: &Context,
    ) -> Vec<f32> {
        let workspace = &context.f32;
        match (self, below) {
            (Self::Int8(input), Below::Finished { rounded, .. }) => {
                int8_sweep::project(blocks, input, rounded, context)
            }
            (Self::F32(input), Below::Finished { output, .. }) => {
                let x = &output[..shape.total() * shape.input_size];
                products(blocks, input, x, context)
            }
            (Self::F32(input), Below::Distinct { rows, indices }) => {
                let width = blocks.width();
                let distinct = products(blocks, input, rows, context);
                let mut gates = workspace.take(indices.len() * width);
                gates.par_chunks_mut(width).zip(indices.par_iter()).for_each(|(gates, &index)| {
                    gates.copy_from_slice(&distinct[index as usize * width..][..width]);
                });
                workspace.give(distinct);
                gates
            }
            (Self::Int8(_), Below::Distinct { .. }) => Vec::new(),
        }
    }
}

/// Whether rows stand for so many steps that their products are worth a detour through memory.
fn repeats(rows: &[f32], indices: &[u32], shape: &LayerShape) -> bool {
    2 * rows.len() <= indices.len() * shape.input_size
}

/// The row of every step, `[total, columns]`.
fn expand(rows: &[f32], indices: &[u32], columns: usize, x: &mut [f32]) {
    for (x, &index) in x.chunks_exact_mut(columns).zip(indices) {
        x.copy_from_slice(&rows[index as usize * columns..][..columns]);
    }
}

/// The products of all `rows`, `[n, width]`.
fn products(blocks: &Blocks, weights: &Panels<f32>, rows: &[f32], context: &Context) -> Vec<f32> {
    /// Rows of a task: enough for every panel to be read rarely, few enough for many tasks.
    const TASK: usize = 96;
    let (width, depth) = (blocks.width(), weights.depth());
    let mut products = context.f32.take(rows.len() / depth * width);
    products.par_chunks_mut(TASK * width).zip(rows.par_chunks(TASK * depth)).for_each(
        |(products, rows)| {
            let steps = vec![(rows, products)];
            f32::run(context.instructions, Projection { blocks: *blocks, weights, steps });
        },
    );
    products
}

/// `[total, columns]` of every direction as `[total, directions * columns]`.
fn interleave(directions: &[Vec<i8>], columns: usize) -> Vec<i8> {
    let len = directions.iter().map(Vec::len).sum();
    let mut all = vec![0; len];
    let row = directions.len() * columns;
    all.par_chunks_mut(row).enumerate().for_each(|(number, row)| {
        for (to, from) in row.chunks_exact_mut(columns).zip(directions) {
            to.copy_from_slice(&from[number * columns..][..columns]);
        }
    });
    all
}
