//! The Rust around the kernels. What needs a device is ignored without being asked for:
//! `cargo test -p taper-lstm --features cuda cuda -- --include-ignored --test-threads 1`
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::*;
use crate::kernel::steps;
use crate::packed::Packing;
use crate::random::Philox;

fn shape(hidden_size: usize, directions: usize, bias: bool, lengths: &[usize]) -> LayerShape {
    LayerShape {
        cell: Cell::Lstm,
        input_size: 7,
        hidden_size,
        proj_size: None,
        directions,
        bias,
        precision: Precision::F32,
        activations: Activations::Keep,
        packing: Arc::new(Packing::new(lengths).unwrap()),
    }
}

/// Uniform within `scale`.
fn draw(stream: u32, len: usize, scale: f64) -> Tensor {
    let numbers = Philox::new(5, stream, 0);
    let values: Vec<f32> =
        (0..len as u64).map(|i| ((2.0 * numbers.uniform(i) - 1.0) * scale) as f32).collect();
    Tensor::from_vec(values, len, &Device::Cpu).unwrap()
}

/// x, weights, state and the gradient of the output.
fn operands(shape: &LayerShape) -> [Tensor; 4] {
    let x = draw(0, shape.total() * shape.input_size, 1.0);
    let bound = 1.0 / (shape.hidden_size as f64).sqrt();
    [
        x.reshape((shape.total(), shape.input_size)).unwrap(),
        draw(1, shape.directions * shape.weights_per_direction(), bound),
        draw(2, shape.state_len(), 1.0),
        draw(3, shape.output_len(), 1.0),
    ]
}

/// max|found - expected| / max|expected|
fn error(found: &Tensor, expected: &Tensor) -> f32 {
    assert_eq!(found.shape(), expected.shape());
    let max = |tensor: Tensor| {
        tensor.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap()
    };
    let found = found.to_device(&Device::Cpu).unwrap();
    // candle's maximum passes over NaN.
    assert!(found.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().all(|x| x.is_finite()));
    max((&found - expected).unwrap()) / max(expected.clone()).max(1e-6)
}

#[test]
fn gradients_are_the_sums_over_all_steps() {
    let shape = shape(3, 2, true, &[4, 1, 2]);
    let [x, weights, ..] = operands(&shape);
    let (total, rows) = (shape.total(), shape.gate_rows());
    let dgates = draw(4, 2 * total * rows, 1.0).reshape((2, total, rows)).unwrap();
    let h_previous = draw(5, 2 * total * 3, 1.0).reshape((2, total, 3)).unwrap();
    let [dx, dweights] = products::gradients(&shape, &x, &weights, &dgates, &h_previous).unwrap();
    let (mut expected_dx, mut expected) = (vec![0f32; total * 7], vec![]);
    let x: Vec<Vec<f32>> = x.to_vec2().unwrap();
    let weights: Vec<f32> = weights.to_vec1().unwrap();
    let dgates: Vec<Vec<Vec<f32>>> = dgates.to_vec3().unwrap();
    let h_previous: Vec<Vec<Vec<f32>>> = h_previous.to_vec3().unwrap();
    for (direction, dgates) in dgates.iter().enumerate() {
        let weight_ih = &weights[shape.weight_ranges(direction).weight_ih];
        for (at, dx) in expected_dx.iter_mut().enumerate() {
            let column = (0..rows).map(|row| weight_ih[row * 7 + at % 7]);
            *dx += dgates[at / 7].iter().zip(column).map(|(d, w)| d * w).sum::<f32>();
        }
        for with in [&x, &h_previous[direction]] {
            let element = |row: usize, column: usize| -> f32 {
                dgates.iter().zip(with).map(|(d, with)| d[row] * with[column]).sum()
            };
            let columns = with[0].len();
            expected.extend((0..rows * columns).map(|at| element(at / columns, at % columns)));
        }
        for _ in 0..2 {
            expected.extend((0..rows).map(|row| dgates.iter().map(|d| d[row]).sum::<f32>()));
        }
    }
    let expected_dx = Tensor::from_vec(expected_dx, (total, 7), &Device::Cpu).unwrap();
    assert!(error(&dx, &expected_dx) < 1e-5);
    let expected = Tensor::new(expected, &Device::Cpu).unwrap();
    assert!(error(&dweights, &expected) < 1e-5);
}

#[test]
fn positions_keep_their_order_within_a_slot() {
    let (starts, positions) = rows::by_slot(3, &[1, 0, 1, 1, 2], &[9, 8, 7, 6, 5]);
    assert_eq!((starts, positions), (vec![0, 1, 4, 5], vec![8, 9, 7, 6, 5]));
}

#[test]
fn a_row_that_is_not_there_is_named() {
    assert_eq!(adam::slots(&[2, 0], 4).unwrap(), [1, -1, 0, -1]);
    let error = adam::slots(&[4], 4).unwrap_err().to_string();
    assert!(error.contains("row 4 of 4"), "{error}");
}

#[test]
#[ignore = "needs a CUDA device"]
fn layers_agree_with_their_steps_on_the_cpu() {
    let device = open(0).unwrap();
    let lengths: Vec<usize> = (0..37).map(|i| 1 + (i * 17) % 29).collect();
    for (hidden, directions) in [(1, 1), (5, 2), (33, 2), (64, 1), (130, 2), (256, 2), (400, 1)] {
        // With a handful of units nothing averages out.
        let bf16 = if hidden < 8 { 1e-1 } else { 3e-2 };
        for (precision, bound) in [(Precision::F32, 1e-4), (Precision::Bf16, bf16)] {
            for activations in [Activations::Keep, Activations::Recompute] {
                let exact = shape(hidden, directions, hidden != 64, &lengths);
                let shape = LayerShape { precision, activations, ..exact.clone() };
                let [x, weights, state, grad] = operands(&exact);
                let (output, saved) = steps::forward(&exact, &x, &weights, &state).unwrap();
                let inputs = [x, weights, state, output.clone(), grad];
                let expected = steps::backward(&exact, &saved, &inputs).unwrap();
                let inputs = inputs.map(|tensor| tensor.to_device(&device).unwrap());
                let forward = [0, 1, 2].map(|input| inputs[input].clone());
                let (found, saved) = forward_on(&shape, &forward);
                let name = format!("H {hidden} {precision:?} {activations:?}");
                assert!(error(&found, &output) < bound, "{name} output");
                let found = backward(&shape, &saved, &inputs).unwrap();
                for (found, expected) in found.iter().zip(&expected) {
                    assert!(error(found, expected) < bound, "{name} gradients");
                }
            }
        }
    }
}

fn forward_on(shape: &LayerShape, inputs: &[Tensor; 3]) -> (Tensor, Saved) {
    let (output, saved) = forward(shape, inputs, true).unwrap().unwrap();
    (output, saved.unwrap())
}

#[test]
#[ignore = "needs a CUDA device"]
fn embedding_gradients_and_adam_have_the_bits_of_the_cpu() {
    let device = open(0).unwrap();
    let gradient = draw(6, 50 * 9, 1.0).reshape((50, 9)).unwrap();
    let slots: Vec<u32> = (0..50).map(|i| (i * i) % 11 % 4).collect();
    let positions: Vec<u32> = (0..50).collect();
    let found = sum_rows(&gradient.to_device(&device).unwrap(), 4, &slots, &positions).unwrap();
    let mut sums = vec![vec![0f32; 9]; 4];
    for (slot, row) in slots.iter().zip(gradient.to_vec2::<f32>().unwrap()) {
        for (sum, value) in sums[*slot as usize].iter_mut().zip(row) {
            *sum += value;
        }
    }
    assert_eq!(found.to_vec2::<f32>().unwrap(), sums);

    let step = AdamStep {
        beta1: 0.9,
        beta2: 0.999,
        step_size: 0.01,
        denominator_scale: 3.0,
        epsilon: 1e-8,
        shrink: 0.999,
    };
    let [p, m, v] = [draw(7, 36, 1.0), draw(8, 36, 0.1), draw(9, 36, 0.1).sqr().unwrap()];
    let on_device = [&p, &m, &v]
        .map(|t| t.reshape((4, 9)).unwrap().to_device(&device).unwrap().copy().unwrap());
    let [dp, dm, dv] = &on_device;
    let rows = AdamGradient::Rows { rows: &[2], values: &found.narrow(0, 1, 1).unwrap() };
    adam_step([dp, dm, dv], rows, &step).unwrap();
    let [mut p, mut m, mut v] = [p, m, v].map(|t| t.to_vec1::<f32>().unwrap());
    let (rest1, rest2) = ((1.0 - step.beta1) as f32, (1.0 - step.beta2) as f32);
    for i in 0..36 {
        let g = if i / 9 == 2 { sums[1][i % 9] } else { 0.0 };
        m[i] = step.beta1 as f32 * m[i] + rest1 * g;
        v[i] = step.beta2 as f32 * v[i] + rest2 * (g * g);
        p[i] = step.shrink as f32 * p[i]
            - step.step_size as f32 * m[i]
                / (step.denominator_scale as f32 * v[i].sqrt() + step.epsilon as f32);
    }
    for (found, expected) in on_device.iter().zip([p, m, v]) {
        assert_eq!(found.flatten_all().unwrap().to_vec1::<f32>().unwrap(), expected);
    }
}

#[test]
#[ignore = "needs a CUDA device"]
fn dropout_meets_the_mask_of_the_cpu() {
    struct Drop(Philox);
    impl candle_core::CustomOp1 for Drop {
        fn name(&self) -> &'static str {
            "dropout"
        }
        fn cpu_fwd(
            &self,
            _: &candle_core::CpuStorage,
            _: &candle_core::Layout,
        ) -> Result<(candle_core::CpuStorage, candle_core::Shape)> {
            candle_core::bail!("the test's dropout is CUDA's")
        }
        fn cuda_fwd(
            &self,
            storage: &candle_core::CudaStorage,
            layout: &candle_core::Layout,
        ) -> Result<(candle_core::CudaStorage, candle_core::Shape)> {
            dropout(storage, layout, self.0, 1 << 30, 4.0 / 3.0)
        }
    }
    let (device, numbers) = (open(0).unwrap(), Philox::new(u64::MAX - 3, 9, 2));
    for count in [1, 5, 1023, 4096] {
        let ones = Tensor::ones(count, DType::F32, &device).unwrap();
        let found = ones.apply_op1_no_bwd(&Drop(numbers)).unwrap().to_vec1::<f32>().unwrap();
        let expected =
            (0..count as u64).map(|i| if numbers.word(i) < 1 << 30 { 0.0 } else { 4.0f32 / 3.0 });
        assert_eq!(found, expected.collect::<Vec<_>>());
    }
}
