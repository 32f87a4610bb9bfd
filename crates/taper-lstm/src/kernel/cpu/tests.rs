//! The kernels against each other: every instruction set of the machine, and the frozen stack.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::vector::Instructions;
use super::workspace::Context;
use super::{Frozen, backward, forward};
use crate::config::{Activations, Cell, Precision};
use crate::kernel::LayerShape;
use crate::packed::Packing;
use crate::random::Philox;

fn shape(cell: Cell, hidden_size: usize) -> LayerShape {
    LayerShape {
        cell,
        input_size: 9,
        hidden_size,
        proj_size: None,
        directions: 2,
        bias: true,
        precision: Precision::F32,
        activations: Activations::Keep,
        packing: Arc::new(Packing::new(&[7, 3, 12, 1, 5, 5, 9, 2]).unwrap()),
    }
}

fn numbers(stream: u32, len: usize, scale: f64) -> Vec<f32> {
    let philox = Philox::new(5, stream, 0);
    (0..len as u64).map(|at| ((philox.uniform(at) - 0.5) * scale) as f32).collect()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Output and the three gradients, one after the other.
fn layer(shape: &LayerShape, instructions: Instructions) -> Vec<f32> {
    let context = Context::with(instructions);
    let x = numbers(1, shape.total() * shape.input_size, 2.0);
    let weights = numbers(2, 2 * shape.weights_per_direction(), 0.6);
    let state = numbers(3, shape.state_len(), 1.0);
    let grad = numbers(4, shape.output_len(), 1.0);
    let (output, saved) = forward(shape, [&x, &weights, &state], true, &context);
    let inputs = [&x[..], &weights, &state, &output];
    let (sequence, last) = grad.split_at(shape.sequence_len());
    let gradients = backward(shape, saved.unwrap(), inputs, (Some(sequence), last), &context);
    [output, gradients.x, gradients.weights, gradients.state].concat()
}

#[test]
fn every_instruction_set_computes_the_same_layer() {
    for cell in [Cell::Lstm, Cell::Gru, Cell::RnnTanh, Cell::RnnRelu] {
        for hidden_size in [1, 8, 40, 70, 128] {
            let shape = shape(cell, hidden_size);
            let portable = layer(&shape, Instructions::Portable);
            for instructions in Instructions::available() {
                let off = largest_difference(&portable, &layer(&shape, instructions));
                // Relative to gradients of the order of 10.
                assert!(off < 2e-4, "{cell:?}, {hidden_size} units, {instructions:?}: {off}");
            }
        }
    }
}

#[test]
fn where_there_is_fma_the_width_of_registers_changes_no_bit() {
    let all = Instructions::available();
    let with_fma = &all[1..];
    for cell in [Cell::Lstm, Cell::Gru, Cell::RnnTanh] {
        let shape = shape(cell, 70);
        let bits = |instructions: &Instructions| -> Vec<u32> {
            layer(&shape, *instructions).into_iter().map(f32::to_bits).collect()
        };
        for pair in with_fma.windows(2) {
            assert!(bits(&pair[0]) == bits(&pair[1]), "{cell:?}: {pair:?} differ");
        }
    }
}

/// A layer's sizes and its weights.
type Layer = (LayerShape, Vec<f32>);

/// A stack of two layers: its shapes and weights, distinct inputs, and which step has which.
fn stack(hidden_size: usize) -> (Vec<Layer>, Vec<f32>, Vec<u32>) {
    let first = shape(Cell::Lstm, hidden_size);
    let second = LayerShape { input_size: 2 * hidden_size, ..first.clone() };
    let indices = (0..first.total() as u32).map(|step| step * 7 % 5).collect();
    let layers = [first, second].map(|shape| {
        let weights = numbers(6, 2 * shape.weights_per_direction(), 0.5);
        (shape, weights)
    });
    (layers.into(), numbers(7, 5 * 9, 2.0), indices)
}

/// The stack's output, layer by layer.
fn unfrozen(layers: &[Layer], rows: &[f32], indices: &[u32]) -> Vec<f32> {
    let context = Context::default();
    let mut x: Vec<f32> =
        indices.iter().flat_map(|&index| rows[index as usize * 9..][..9].to_vec()).collect();
    for (shape, weights) in layers {
        let state = vec![0.0; shape.state_len()];
        let inputs = [&x[..shape.total() * shape.input_size], weights, &state];
        x = forward(shape, inputs, false, &context).0;
    }
    x
}

#[test]
fn a_frozen_stack_gives_the_same_bits() {
    for hidden_size in [5, 33, 64] {
        let (layers, rows, indices) = stack(hidden_size);
        let frozen = Frozen::new(&layers, false);
        let output = frozen.forward(&layers[0].0.packing, &rows, &indices);
        assert_eq!(output, unfrozen(&layers, &rows, &indices));
        // Buffers from the first batch must leave no trace in the second.
        assert_eq!(output, frozen.forward(&layers[0].0.packing, &rows, &indices));
        // Where no row repeats, they are not multiplied apart.
        let all: Vec<f32> =
            indices.iter().flat_map(|&index| rows[index as usize * 9..][..9].to_vec()).collect();
        let each: Vec<u32> = (0..indices.len() as u32).collect();
        assert_eq!(output, frozen.forward(&layers[0].0.packing, &all, &each));
    }
}

#[test]
fn eight_bits_are_near_and_the_same_on_every_instruction_set() {
    for hidden_size in [5, 33, 64] {
        let (layers, rows, indices) = stack(hidden_size);
        let exact = unfrozen(&layers, &rows, &indices);
        let outputs: Vec<Vec<f32>> = Instructions::available()
            .into_iter()
            .map(|instructions| {
                let frozen = Frozen::with(Context::with(instructions), &layers, true);
                frozen.forward(&layers[0].0.packing, &rows, &indices)
            })
            .collect();
        for output in &outputs {
            let off = largest_difference(output, &exact);
            assert!(off > 0.0, "nothing was rounded");
            assert!(off < 0.05, "{hidden_size} units: {off}");
        }
        for pair in outputs[1..].windows(2) {
            assert_eq!(pair[0], pair[1]);
        }
    }
}
