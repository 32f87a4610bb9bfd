//! The fused operation against the step-by-step one, finite differences, and itself.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use candle_core::{DType, Device, Tensor, Var};

use super::cpu::Context;
use super::{LayerSequence, LayerShape, steps};
use crate::config::{Activations, Cell, Precision};
use crate::packed::Packing;
use crate::random::Philox;

mod bits;
mod nonfinite;

fn shape(cell: Cell, lengths: &[usize], directions: usize) -> LayerShape {
    LayerShape {
        cell,
        input_size: 3,
        hidden_size: 5,
        proj_size: None,
        directions,
        bias: true,
        precision: Precision::F32,
        activations: Activations::Keep,
        packing: Arc::new(Packing::new(lengths).unwrap()),
    }
}

/// Every cell, and the LSTM with a projection.
fn cells() -> impl Iterator<Item = (Cell, Option<usize>)> {
    let plain = [Cell::Lstm, Cell::Gru, Cell::RnnTanh, Cell::RnnRelu].map(|cell| (cell, None));
    plain.into_iter().chain([(Cell::Lstm, Some(2))])
}

/// All cells, with and without bias, in one direction and two, on ragged batches and even ones.
fn cases() -> impl Iterator<Item = LayerShape> {
    let lengths: [&[usize]; 4] = [&[1], &[4], &[3, 7, 1, 3], &[2, 2, 2]];
    cells().flat_map(move |(cell, proj_size)| {
        lengths.into_iter().flat_map(move |lengths| {
            [(1, true), (1, false), (2, true), (2, false)].map(|(directions, bias)| LayerShape {
                proj_size,
                bias,
                ..shape(cell, lengths, directions)
            })
        })
    })
}

fn numbers(stream: u32, dims: &[usize]) -> Tensor {
    let philox = Philox::new(11, stream, 0);
    let count = dims.iter().product::<usize>() as u64;
    let values: Vec<f64> = (0..count).map(|i| philox.uniform(i) - 0.5).collect();
    Tensor::from_vec(values, dims, &Device::Cpu).unwrap()
}

/// x, weights, initial states, and the gradient of the output.
fn inputs(shape: &LayerShape) -> [Tensor; 4] {
    [
        numbers(1, &[shape.total(), shape.input_size]),
        numbers(2, &[shape.weight_ranges(shape.directions - 1).weight_hr.end]),
        numbers(3, &[shape.state_len()]),
        numbers(4, &[shape.output_len()]),
    ]
}

fn single(inputs: [Tensor; 4]) -> [Tensor; 4] {
    inputs.map(|tensor| tensor.to_dtype(DType::F32).unwrap())
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f64 {
    let difference = (a - b).unwrap().abs().unwrap().flatten_all().unwrap();
    difference.max(0).unwrap().to_dtype(DType::F64).unwrap().to_scalar().unwrap()
}

/// Output and the three gradients of sum(output * grad), by one way or the other.
type Path = fn(&LayerShape, &[Tensor; 4]) -> [Tensor; 4];

/// Through the operation: the fused kernels where there are any.
fn fused(shape: &LayerShape, inputs: &[Tensor; 4]) -> [Tensor; 4] {
    fused_in(&Arc::default(), shape, inputs)
}

fn fused_in(workspaces: &Arc<Context>, shape: &LayerShape, inputs: &[Tensor; 4]) -> [Tensor; 4] {
    let vars = [0, 1, 2].map(|i| Var::from_tensor(&inputs[i]).unwrap());
    let [x, weights, state] = vars.each_ref().map(Var::as_tensor);
    let op = LayerSequence::new(shape.clone(), true, workspaces.clone());
    let output = x.apply_op3(weights, state, op).unwrap();
    let grads = (&output * &inputs[3]).unwrap().sum_all().unwrap().backward().unwrap();
    let [dx, dweights, dstate] = vars.each_ref().map(|var| grads.get(var).unwrap().clone());
    [output.detach(), dx, dweights, dstate]
}

/// Through tensor operations.
fn stepwise(shape: &LayerShape, inputs: &[Tensor; 4]) -> [Tensor; 4] {
    let [x, weights, state, grad] = inputs;
    let (output, saved) = steps::forward(shape, x, weights, state).unwrap();
    let inputs = [x, weights, state, &output, grad].map(Clone::clone);
    let [dx, dweights, dstate] = steps::backward(shape, &saved, &inputs).unwrap();
    [output, dx, dweights, dstate]
}

#[test]
fn fused_and_stepwise_agree() {
    for shape in cases().chain(bits::large()) {
        let inputs = inputs(&shape);
        let both = fused(&shape, &inputs).into_iter().zip(stepwise(&shape, &inputs));
        for (which, (found, expected)) in both.enumerate() {
            assert_eq!(found.dims(), expected.dims());
            // A wide RNN's gradients, and the roundings in them, grow by orders of magnitude.
            let size = largest_difference(&expected, &expected.zeros_like().unwrap()).max(1.0);
            let difference = largest_difference(&found, &expected) / size;
            assert!(
                difference < if shape.hidden_size > 5 { 1e-10 } else { 1e-12 },
                "result {which} is off by {difference:e}: {shape:?}"
            );
        }
    }
}

#[test]
fn without_a_backward_pass_the_output_is_the_same() {
    for shape in cases() {
        let inputs = single(inputs(&shape));
        let op = LayerSequence::new(shape.clone(), false, Arc::default());
        let output = inputs[0].apply_op3_no_bwd(&inputs[1], &inputs[2], &op).unwrap();
        assert_eq!(bits::of(&output), bits::of(&fused(&shape, &inputs)[0]), "{shape:?}");
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    const STEP: f64 = 1e-5;
    let paths: [Path; 2] = [fused, stepwise];
    for (shape, path) in cases().flat_map(|shape| paths.map(|path| (shape.clone(), path))) {
        let inputs = inputs(&shape);
        let loss = |inputs: &[Tensor; 4]| -> f64 {
            let output = steps::forward(&shape, &inputs[0], &inputs[1], &inputs[2]).unwrap().0;
            (output * &inputs[3]).unwrap().sum_all().unwrap().to_scalar().unwrap()
        };
        let gradients = path(&shape, &inputs);
        for which in 0..3 {
            let gradient: Vec<f64> = gradients[which + 1].flatten_all().unwrap().to_vec1().unwrap();
            let values: Vec<f64> = inputs[which].flatten_all().unwrap().to_vec1().unwrap();
            for at in (0..values.len()).step_by(7) {
                let moved = |by: f64| {
                    let mut values = values.clone();
                    values[at] += by;
                    let mut inputs = inputs.clone();
                    let dims = inputs[which].dims().to_vec();
                    inputs[which] = Tensor::from_vec(values, dims, &Device::Cpu).unwrap();
                    loss(&inputs)
                };
                let slope = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
                let error = (slope - gradient[at]).abs();
                assert!(
                    error < 1e-8,
                    "input {which}, element {at}: {slope} or {}: {shape:?}",
                    gradient[at]
                );
            }
        }
    }
}

#[test]
fn a_second_backward_is_refused() {
    for (cell, proj_size) in cells() {
        let shape = LayerShape { proj_size, ..shape(cell, &[2, 3], 2) };
        let [x, weights, state, _] = inputs(&shape);
        let x = Var::from_tensor(&x).unwrap();
        let op = LayerSequence::new(shape, true, Arc::default());
        let loss = x.apply_op3(&weights, &state, op).unwrap().sum_all().unwrap();
        loss.backward().unwrap();
        assert!(loss.backward().unwrap_err().to_string().contains("backward once"));
    }
}

#[test]
fn bf16_is_refused_on_the_cpu() {
    let shape = LayerShape { precision: Precision::Bf16, ..shape(Cell::Lstm, &[2], 1) };
    let [x, weights, state, _] = single(inputs(&shape));
    let op = LayerSequence::new(shape, false, Arc::default());
    let error = x.apply_op3_no_bwd(&weights, &state, &op).unwrap_err().to_string();
    assert!(error.contains("CUDA"), "{error}");
}
