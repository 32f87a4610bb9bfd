//! The layer on the CPU: one batched input projection, then steps over the sequences still alive,
//! the two directions side by side, each a chain of small products and pointwise gates.
//!
//! Nothing here depends on the number of threads: work is cut by direction and by output rows, never
//! by the order of a sum.

use rayon::prelude::*;

use super::{LayerShape, WeightRanges};

// The bodies must be inlined into the functions that enable AVX2 and FMA: a call would run without them.
mod backward;
#[allow(clippy::inline_always)]
mod gates;
#[allow(clippy::inline_always)]
mod math;
mod product;

pub(crate) use backward::backward;
pub(crate) use math::Real;
use product::{Matrix, Threads, multiply};

/// Activations of one direction, in packed order.
struct Trace<T> {
    /// i, f, g, o after their non-linearities, `[total, 4 * hidden_size]`
    gates: Vec<T>,
    /// c after every step, `[total, hidden_size]`
    c: Vec<T>,
    /// h after every step, `[total, hidden_size]`
    h: Vec<T>,
}

/// What the backward pass needs: 6 * `hidden_size` numbers a token and direction.
pub(crate) struct Saved<T> {
    traces: Vec<Trace<T>>,
}

/// Runs the layer; the operands are those of [`super::LayerSequence`], in its layouts.
pub(crate) fn forward<T: Real>(
    shape: &LayerShape,
    x: &[T],
    weights: &[T],
    state: &[T],
    keep: bool,
) -> (Vec<T>, Option<Saved<T>>) {
    let projections: Vec<Vec<T>> = (0..shape.directions)
        .map(|direction| project(shape, x, &weights[shape.weight_ranges(direction).weight_ih]))
        .collect();
    let results: Vec<_> = projections
        .into_par_iter()
        .enumerate()
        .map(|(direction, gates)| run(shape, direction, gates, weights, state, keep))
        .collect();

    let hidden = shape.hidden_size;
    let width = shape.directions * hidden;
    let mut output = vec![T::default(); shape.output_len()];
    let (sequence, last) = output.split_at_mut(shape.sequence_len());
    sequence.par_chunks_mut(width).enumerate().for_each(|(row, output)| {
        for (output, (trace, _, _)) in output.chunks_mut(hidden).zip(&results) {
            output.copy_from_slice(&trace.h[row * hidden..][..hidden]);
        }
    });
    let (h_n, c_n) = last.split_at_mut(shape.state_len());
    let per_direction = shape.batch() * hidden;
    for (direction, (_, h, c)) in results.iter().enumerate() {
        h_n[direction * per_direction..][..per_direction].copy_from_slice(h);
        c_n[direction * per_direction..][..per_direction].copy_from_slice(c);
    }
    let traces = results.into_iter().map(|(trace, _, _)| trace);
    (output, keep.then(|| Saved { traces: traces.collect() }))
}

/// `x W_ih^T`, `[total, 4 * hidden_size]`: one large product over all steps.
fn project<T: Real>(shape: &LayerShape, x: &[T], weight_ih: &[T]) -> Vec<T> {
    let (total, rows) = (shape.total(), shape.gate_rows());
    let mut gates = vec![T::default(); total * rows];
    let x = Matrix::new(x, total, shape.input_size);
    let weight = Matrix::new(weight_ih, rows, shape.input_size);
    multiply(&mut gates, false, x, weight.t(), Threads::All);
    gates
}

/// One direction over all steps: its trace and its final h and c, `[batch, hidden_size]`.
///
/// `h` and `c` hold one row a sequence throughout. Going forward, the rows of finished sequences keep
/// their final state; going backward, those of sequences not yet begun keep their initial one.
fn run<T: Real>(
    shape: &LayerShape,
    direction: usize,
    mut gates: Vec<T>,
    weights: &[T],
    state: &[T],
    keep: bool,
) -> (Trace<T>, Vec<T>, Vec<T>) {
    let (hidden, rows) = (shape.hidden_size, shape.gate_rows());
    let WeightRanges { weight_hh, bias_ih, bias_hh, .. } = shape.weight_ranges(direction);
    let transposed = product::transpose(&weights[weight_hh], rows, hidden);
    let recurrent = Matrix::new(&transposed, hidden, rows);
    let mut bias = vec![T::default(); rows];
    for (sum, (&a, &b)) in bias.iter_mut().zip(weights[bias_ih].iter().zip(&weights[bias_hh])) {
        *sum = a + b;
    }
    let (mut h, mut c) = initial_state(shape, direction, state);
    let mut h_seq = vec![T::default(); shape.total() * hidden];
    let mut c_seq = vec![T::default(); if keep { shape.total() * hidden } else { 0 }];

    for t in shape.step_order(direction) {
        let (first, alive) = (shape.packing.offsets()[t], shape.packing.batch_sizes()[t]);
        let gates = &mut gates[first * rows..][..alive * rows];
        let (h, c) = (&mut h[..alive * hidden], &mut c[..alive * hidden]);
        multiply(gates, true, Matrix::new(h, alive, hidden), recurrent, Threads::One);
        gates::forward(gates, &bias, h, c);
        h_seq[first * hidden..][..h.len()].copy_from_slice(h);
        if keep {
            c_seq[first * hidden..][..c.len()].copy_from_slice(c);
        }
    }
    (Trace { gates, c: c_seq, h: h_seq }, h, c)
}

/// One direction's rows of `[2, directions, batch, hidden_size]`: h and c.
fn initial_state<T: Real>(shape: &LayerShape, direction: usize, state: &[T]) -> (Vec<T>, Vec<T>) {
    let len = shape.batch() * shape.hidden_size;
    let at = |which: usize| state[which * shape.state_len() + direction * len..][..len].to_vec();
    (at(0), at(1))
}
