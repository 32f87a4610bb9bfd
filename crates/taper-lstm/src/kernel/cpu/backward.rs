//! The layer's backward on the CPU: the steps in reverse give the gradients of all pre-activations;
//! then the weights, the inputs and the biases follow from a few large products.

use rayon::prelude::*;

use super::product::{Matrix, Threads, multiply};
use super::{Saved, Trace, gates, initial_state};
use crate::kernel::LayerShape;
use crate::kernel::cpu::math::Real;

/// Gradients in the layouts of the operation's inputs.
pub(crate) struct Gradients<T> {
    pub(crate) x: Vec<T>,
    pub(crate) weights: Vec<T>,
    pub(crate) state: Vec<T>,
}

/// What the steps of one direction leave for the products.
struct Reversed<T> {
    /// Gradients of the pre-activations, `[total, 4 * hidden_size]`
    dgates: Vec<T>,
    /// h before every step, `[total, hidden_size]`
    h_previous: Vec<T>,
    /// Gradients of the initial h and c, `[batch, hidden_size]`
    dh: Vec<T>,
    dc: Vec<T>,
}

/// Gradients of x, weights and initial states, out of the gradient of `h_seq | h_n | c_n`.
pub(crate) fn backward<T: Real>(
    shape: &LayerShape,
    saved: Saved<T>,
    [x, weights, state]: [&[T]; 3],
    grad: &[T],
) -> Gradients<T> {
    let reversed: Vec<Reversed<T>> = saved
        .traces
        .into_par_iter()
        .enumerate()
        .map(|(direction, trace)| reverse(shape, direction, trace, weights, state, grad))
        .collect();

    let (total, rows, hidden) = (shape.total(), shape.gate_rows(), shape.hidden_size);
    let x = Matrix::new(x, total, shape.input_size);
    let mut gradients = Gradients {
        x: vec![T::default(); total * shape.input_size],
        weights: vec![T::default(); weights.len()],
        state: vec![T::default(); state.len()],
    };
    for (direction, reversed) in reversed.iter().enumerate() {
        let ranges = shape.weight_ranges(direction);
        let dgates = Matrix::new(&reversed.dgates, total, rows);
        let weight_ih = Matrix::new(&weights[ranges.weight_ih.clone()], rows, shape.input_size);
        multiply(&mut gradients.x, direction > 0, dgates, weight_ih, Threads::All);
        let target = &mut gradients.weights[ranges.weight_ih];
        multiply(target, false, dgates.t(), x, Threads::All);
        let target = &mut gradients.weights[ranges.weight_hh];
        let h_previous = Matrix::new(&reversed.h_previous, total, hidden);
        multiply(target, false, dgates.t(), h_previous, Threads::All);
        if shape.bias {
            let sums = column_sums(&reversed.dgates, rows);
            gradients.weights[ranges.bias_ih].copy_from_slice(&sums);
            gradients.weights[ranges.bias_hh].copy_from_slice(&sums);
        }
        let len = shape.batch() * hidden;
        for (which, source) in [&reversed.dh, &reversed.dc].into_iter().enumerate() {
            gradients.state[which * shape.state_len() + direction * len..][..len]
                .copy_from_slice(source);
        }
    }
    gradients
}

/// One direction's steps, last to first. `dh` and `dc` hold one row a sequence throughout: those of
/// sequences that the reversed order has not reached yet keep the gradients of their final states.
fn reverse<T: Real>(
    shape: &LayerShape,
    direction: usize,
    trace: Trace<T>,
    weights: &[T],
    state: &[T],
    grad: &[T],
) -> Reversed<T> {
    let (hidden, rows) = (shape.hidden_size, shape.gate_rows());
    let weight_hh = Matrix::new(&weights[shape.weight_ranges(direction).weight_hh], rows, hidden);
    let (h_0, c_0) = initial_state(shape, direction, state);
    let (grad_sequence, grad_last) = grad.split_at(shape.sequence_len());
    let (mut dh, mut dc) = initial_state(shape, direction, grad_last);
    let Trace { gates: mut dgates, c, h } = trace;
    let mut h_previous = vec![T::default(); h.len()];
    let mut c_previous = vec![T::default(); c_0.len()];

    for t in shape.step_order(direction).into_iter().rev() {
        let (first, alive) = (shape.packing.offsets()[t], shape.packing.batch_sizes()[t]);
        let here = first * hidden..(first + alive) * hidden;
        let dh = &mut dh[..alive * hidden];
        for (row, dh) in dh.chunks_exact_mut(hidden).enumerate() {
            let at = (first + row) * shape.directions * hidden + direction * hidden;
            for (dh, &incoming) in dh.iter_mut().zip(&grad_sequence[at..][..hidden]) {
                *dh += incoming;
            }
        }
        let c_previous = &mut c_previous[..alive * hidden];
        before(shape, direction, t, &c, &c_0, c_previous);
        before(shape, direction, t, &h, &h_0, &mut h_previous[here.clone()]);
        let dgates = &mut dgates[first * rows..][..alive * rows];
        gates::backward(dgates, &c[here], c_previous, dh, &mut dc[..alive * hidden], hidden);
        multiply(dh, false, Matrix::new(dgates, alive, rows), weight_hh, Threads::One);
    }
    Reversed { dgates, h_previous, dh, dc }
}

/// The state before step `t`: that after the previous one, and for sequences which start here, the
/// initial one.
fn before<T: Real>(
    shape: &LayerShape,
    direction: usize,
    t: usize,
    sequence: &[T],
    initial: &[T],
    target: &mut [T],
) {
    let hidden = shape.hidden_size;
    let (sizes, offsets) = (shape.packing.batch_sizes(), shape.packing.offsets());
    let (first, going_on) = match shape.previous_step(direction, t) {
        Some(previous) => (offsets[previous], sizes[previous].min(sizes[t])),
        None => (0, 0),
    };
    let (old, new) = target.split_at_mut(going_on * hidden);
    old.copy_from_slice(&sequence[first * hidden..][..old.len()]);
    new.copy_from_slice(&initial[going_on * hidden..][..new.len()]);
}

/// Sums over all rows of `[total, columns]`, in blocks: every block's sum is small beside the whole,
/// which keeps f32's rounding away, and the order is always the same.
fn column_sums<T: Real>(values: &[T], columns: usize) -> Vec<T> {
    const BLOCK_ROWS: usize = 64;
    let blocks: Vec<Vec<T>> = values
        .par_chunks(BLOCK_ROWS * columns)
        .map(|block| sum_rows(block.chunks_exact(columns), columns))
        .collect();
    sum_rows(blocks.iter().map(Vec::as_slice), columns)
}

fn sum_rows<'a, T: Real>(rows: impl Iterator<Item = &'a [T]>, columns: usize) -> Vec<T> {
    let mut sums = vec![T::default(); columns];
    for row in rows {
        for (sum, &value) in sums.iter_mut().zip(row) {
            *sum += value;
        }
    }
    sums
}
