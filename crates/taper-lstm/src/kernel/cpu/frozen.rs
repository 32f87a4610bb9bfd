//! Stacked LSTM layers for inference alone: weights are packed once, not for every batch; inputs that
//! repeat are multiplied once; and, where that is asked for, weights have 8 bits.

use std::sync::Arc;

use rayon::prelude::*;

use super::forward::{Finished, Initial, Trace, gather, project, run, slices};
use super::int8::Quantized;
use super::int8_sweep::{self, Finished8};
use super::layout::{Blocks, Weights};
use super::math::Real;
use super::product::{Matrix, multiply};
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
        /// The first layer's inputs have no bounds: its products stay in f32, `[width, input_size]`.
        input: Input,
        hidden: Quantized,
        /// Both biases, `[width]`.
        bias: Vec<f32>,
    },
}

enum Input {
    F32(Vec<f32>),
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
            below = layer.forward(&shape, &below, &self.context);
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
        let gates: Vec<Vec<f32>> = self
            .directions
            .iter()
            .map(|direction| direction.project(shape, &blocks, below, context))
            .collect();
        let finished: Vec<(Finished<f32>, Vec<i8>)> = self
            .directions
            .par_iter()
            .zip(gates)
            .enumerate()
            .map(|(number, (direction, gates))| match direction {
                Direction::Int8 { hidden, bias, .. } => {
                    let finished =
                        int8_sweep::run(shape, number, hidden, bias, gates, &slices, context);
                    let Finished8 { gates, h, rounded, memory } = finished;
                    let trace = Trace { gates, memory: vec![] };
                    (Finished { trace, h, memory }, rounded)
                }
                Direction::F32(weights) => {
                    let zeros = vec![0.0; shape.state_len()];
                    let initial = Initial::new(shape, &blocks, number, &zeros);
                    let finished = run(
                        shape, blocks, number, weights, gates, &initial, &slices, false, context,
                    );
                    (finished, vec![])
                }
            })
            .collect();
        let (finished, rounded): (Vec<_>, Vec<_>) = finished.into_iter().unzip();
        let output = gather(shape, &finished);
        for Finished { trace, h, .. } in finished {
            workspace.give(trace.gates);
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
        let rows = blocks.hidden_columns().zip(rows);
        let hidden = Quantized::new(&blocks, rows, padded, lanes);
        let input = if first {
            Input::F32(packed.input)
        } else {
            let filled = blocks.pad(&weights[ranges.weight_ih]);
            let columns = shape.input_size / shape.hidden_size * padded;
            let rows = blocks.input_columns().zip(filled.chunks_exact(columns));
            Input::Int8(Quantized::new(&blocks, rows, columns, lanes))
        };
        let biases = packed.input_bias.iter().zip(&packed.hidden_bias);
        Self::Int8 { input, hidden, bias: biases.map(|(a, b)| a + b).collect() }
    }

    /// The input's products, `[total, width]`.
    fn project(
        &self,
        shape: &LayerShape,
        blocks: &Blocks,
        below: &Below,
        context: &Context,
    ) -> Vec<f32> {
        let workspace = &context.f32;
        let weights = match self {
            Self::F32(Weights { input, .. }) | Self::Int8 { input: Input::F32(input), .. } => input,
            Self::Int8 { input: Input::Int8(input), .. } => {
                let Below::Finished { rounded, .. } = below else { return Vec::new() };
                return int8_sweep::project(blocks, input, rounded, context);
            }
        };
        match below {
            Below::Finished { output, .. } => {
                let x = &output[..shape.total() * shape.input_size];
                project(shape, blocks, x, weights, workspace)
            }
            Below::Distinct { rows, indices } => {
                let (count, width) = (rows.len() / shape.input_size, blocks.width());
                let mut distinct = workspace.take(count * width);
                let weights = Matrix::new(weights, width, shape.input_size);
                let rows = Matrix::new(rows, count, shape.input_size);
                multiply(&mut distinct, false, rows, weights.t());
                let mut gates = workspace.take(indices.len() * width);
                gates.par_chunks_mut(width).zip(indices.par_iter()).for_each(|(gates, &index)| {
                    gates.copy_from_slice(&distinct[index as usize * width..][..width]);
                });
                workspace.give(distinct);
                gates
            }
        }
    }
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
