//! The fused CPU kernel against the step-by-step one, finite differences, and itself on other threads.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use candle_core::{DType, Device, Tensor, Var};

use super::{LayerSequence, LayerShape, steps};
use crate::packed::Packing;
use crate::random::Philox;

fn shape(lengths: &[usize], directions: usize, bias: bool) -> LayerShape {
    LayerShape {
        input_size: 3,
        hidden_size: 5,
        directions,
        bias,
        packing: Arc::new(Packing::new(lengths).unwrap()),
    }
}

fn numbers(stream: u32, dims: &[usize]) -> Tensor {
    let philox = Philox::new(11, stream, 0);
    let count = dims.iter().product::<usize>() as u64;
    let values: Vec<f64> = (0..count).map(|i| philox.uniform(i) - 0.5).collect();
    Tensor::from_vec(values, dims, &Device::Cpu).unwrap()
}

fn inputs(shape: &LayerShape) -> [Tensor; 4] {
    [
        numbers(1, &[shape.total(), shape.input_size]),
        numbers(2, &[shape.directions * shape.weights_per_direction()]),
        numbers(3, &[2, shape.directions, shape.batch(), shape.hidden_size]),
        numbers(4, &[shape.output_len()]),
    ]
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f64 {
    let difference = (a - b).unwrap().abs().unwrap().flatten_all().unwrap();
    difference.max(0).unwrap().to_dtype(DType::F64).unwrap().to_scalar().unwrap()
}

/// Output and the three gradients of sum(output * grad), through the fused operation.
fn fused(shape: &LayerShape, inputs: &[Tensor; 4]) -> [Tensor; 4] {
    let vars = [0, 1, 2].map(|i| Var::from_tensor(&inputs[i]).unwrap());
    let [x, weights, state] = vars.each_ref().map(Var::as_tensor);
    let output = x.apply_op3(weights, state, LayerSequence::new(shape.clone(), true)).unwrap();
    let grads = (&output * &inputs[3]).unwrap().sum_all().unwrap().backward().unwrap();
    let [dx, dweights, dstate] = vars.each_ref().map(|var| grads.get(var).unwrap().clone());
    [output.detach(), dx, dweights, dstate]
}

fn cases() -> impl Iterator<Item = LayerShape> {
    let lengths: [&[usize]; 4] = [&[1], &[4], &[3, 7, 1, 3], &[2, 2, 2]];
    lengths.into_iter().flat_map(|lengths| {
        [1, 2]
            .into_iter()
            .flat_map(move |directions| [true, false].map(|bias| shape(lengths, directions, bias)))
    })
}

#[test]
fn fused_and_stepwise_agree() {
    for shape in cases() {
        let inputs = inputs(&shape);
        let [output, dx, dweights, dstate] = fused(&shape, &inputs);
        let [x, weights, state, grad] = inputs.each_ref();
        let (expected, saved) = steps::forward(&shape, x, weights, state).unwrap();
        let gradients = steps::backward(&shape, &saved, [x, weights, state, grad]).unwrap();
        assert!(largest_difference(&output, &expected) < 1e-13, "{shape:?}");
        for (found, expected) in [dx, dweights, dstate].iter().zip(&gradients) {
            assert!(largest_difference(found, expected) < 1e-12, "{shape:?}");
        }
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    const STEP: f64 = 1e-5;
    let loss = |shape: &LayerShape, inputs: &[Tensor; 4]| -> f64 {
        let op = LayerSequence::new(shape.clone(), false);
        let output = inputs[0].apply_op3_no_bwd(&inputs[1], &inputs[2], &op).unwrap();
        (output * &inputs[3]).unwrap().sum_all().unwrap().to_scalar().unwrap()
    };
    for shape in cases() {
        let inputs = inputs(&shape);
        let gradients = fused(&shape, &inputs);
        for which in 0..3 {
            let gradient: Vec<f64> = gradients[which + 1].flatten_all().unwrap().to_vec1().unwrap();
            let values: Vec<f64> = inputs[which].flatten_all().unwrap().to_vec1().unwrap();
            for at in (0..values.len()).step_by(3) {
                let moved = |by: f64| {
                    let mut values = values.clone();
                    values[at] += by;
                    let mut inputs = inputs.clone();
                    let dims = inputs[which].dims().to_vec();
                    inputs[which] = Tensor::from_vec(values, dims, &Device::Cpu).unwrap();
                    loss(&shape, &inputs)
                };
                let slope = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
                let error = (slope - gradient[at]).abs();
                assert!(error < 1e-8, "input {which}, element {at}: {slope} or {}", gradient[at]);
            }
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let lengths: Vec<usize> = (0..17).map(|i| 1 + (i * 37) % 90).collect();
    let shape = LayerShape { input_size: 70, hidden_size: 65, ..shape(&lengths, 2, true) };
    let inputs = inputs(&shape).map(|tensor| tensor.to_dtype(DType::F32).unwrap());
    let run = |threads: usize| -> Vec<Vec<u32>> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let bits = |tensor: &Tensor| {
            let values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
            values.into_iter().map(f32::to_bits).collect()
        };
        pool.install(|| fused(&shape, &inputs).iter().map(bits).collect())
    };
    let one = run(1);
    for threads in [2, 3, 8] {
        assert!(run(threads) == one, "{threads} threads differ from one");
    }
}

#[test]
fn a_second_backward_is_refused() {
    let shape = shape(&[2, 3], 2, true);
    let [x, weights, state, _] = inputs(&shape);
    let x = Var::from_tensor(&x).unwrap();
    let op = LayerSequence::new(shape, true);
    let loss = x.apply_op3(&weights, &state, op).unwrap().sum_all().unwrap();
    loss.backward().unwrap();
    assert!(loss.backward().unwrap_err().to_string().contains("backward once"));
}
