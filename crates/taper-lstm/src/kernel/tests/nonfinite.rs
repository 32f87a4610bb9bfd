//! NaN and infinity go through a layer, and never from one sequence to another.

use super::bits::of;
use super::*;

const LENGTHS: [usize; 4] = [3, 9, 1, 6];
/// The step of the sequence that is spoilt.
const SPOILT: (usize, usize) = (1, 4);

/// x with one element replaced.
fn spoil(shape: &LayerShape, x: &Tensor, value: f32) -> Tensor {
    let mut values: Vec<f32> = x.flatten_all().unwrap().to_vec1().unwrap();
    let row = shape.packing.row(SPOILT.0, SPOILT.1).unwrap();
    values[row * shape.input_size + 1] = value;
    Tensor::from_vec(values, x.dims(), &Device::Cpu).unwrap()
}

/// The rows of a packed `[total, _]` matrix that are not the spoilt sequence's.
fn others(shape: &LayerShape, packed: &Tensor) -> Tensor {
    let rows = shape.packing.steps().zip(0u32..).filter(|((index, _), _)| *index != SPOILT.0);
    let rows: Vec<u32> = rows.map(|(_, row)| row).collect();
    packed.index_select(&Tensor::new(rows, &Device::Cpu).unwrap(), 0).unwrap()
}

fn spoilt_cases() -> impl Iterator<Item = (LayerShape, Path)> {
    let paths: [Path; 2] = [fused, stepwise];
    cells().flat_map(move |(cell, proj_size)| {
        // Wide enough that the four sequences share a tile.
        let shape = LayerShape { hidden_size: 19, proj_size, ..shape(cell, &LENGTHS, 2) };
        paths.map(|path| (shape.clone(), path))
    })
}

/// h after every step, `[total, directions * output_size]`.
fn sequence(shape: &LayerShape, output: &Tensor) -> Tensor {
    let dims = (shape.total(), shape.directions * shape.output_size());
    output.narrow(0, 0, shape.sequence_len()).unwrap().reshape(dims).unwrap()
}

#[test]
fn other_sequences_do_not_notice() {
    for (shape, path) in spoilt_cases() {
        let mut inputs = single(inputs(&shape));
        let clean = path(&shape, &inputs);
        let x = inputs[0].clone();
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
            inputs[0] = spoil(&shape, &x, value);
            let found = path(&shape, &inputs);
            let [before, after] = [&clean[0], &found[0]].map(|output| sequence(&shape, output));
            let equal = of(&others(&shape, &before)) == of(&others(&shape, &after));
            assert!(equal, "{value} in one sequence changes outputs of others: {shape:?}");
            let equal = of(&others(&shape, &clean[1])) == of(&others(&shape, &found[1]));
            assert!(equal, "{value} in one sequence changes gradients of others: {shape:?}");
        }
    }
}

#[test]
fn infinity_ends_at_gates_as_it_does_step_by_step() {
    let kind = |tensor: &Tensor| -> Vec<f32> {
        let values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
        values.into_iter().map(|value| if value.is_finite() { 0.0 } else { value }).collect()
    };
    // Nothing bounds ReLU: there all is NaN soon, and which of its gradients are depends on how they are written.
    for (shape, _) in spoilt_cases().filter(|(shape, _)| shape.cell != Cell::RnnRelu) {
        let clean = single(inputs(&shape));
        for value in [f32::INFINITY, f32::NEG_INFINITY] {
            let mut state: Vec<f32> = clean[2].to_vec1().unwrap();
            state[1] = value;
            let state = Tensor::new(state, &Device::Cpu).unwrap();
            for (place, spoilt) in [(0, spoil(&shape, &clean[0], value)), (2, state)] {
                let mut inputs = clean.clone();
                inputs[place] = spoilt;
                let (found, expected) = (fused(&shape, &inputs), stepwise(&shape, &inputs));
                for (what, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    let same = kind(found).iter().zip(kind(expected)).all(|(found, expected)| {
                        found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan()
                    });
                    assert!(
                        same,
                        "{value} in input {place}, result {what}: {found} {expected} {shape:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn nan_goes_on_to_the_end_of_its_sequence() {
    for (shape, path) in spoilt_cases() {
        let mut inputs = single(inputs(&shape));
        inputs[0] = spoil(&shape, &inputs[0], f32::NAN);
        let output: Vec<Vec<f32>> = sequence(&shape, &path(&shape, &inputs)[0]).to_vec2().unwrap();
        for (row, (index, t)) in shape.packing.steps().enumerate() {
            let (forward, backward) = output[row].split_at(shape.output_size());
            let spoilt = [index == SPOILT.0 && t >= SPOILT.1, index == SPOILT.0 && t <= SPOILT.1];
            for (h, spoilt) in [forward, backward].into_iter().zip(spoilt) {
                let all = h.iter().all(|h| h.is_nan() == spoilt);
                assert!(all, "sequence {index}, step {t}: {h:?}: {shape:?}");
            }
        }
    }
}
