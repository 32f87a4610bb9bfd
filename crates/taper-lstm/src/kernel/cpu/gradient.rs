//! The gradients of one direction's weights and biases: those of its pre-activations, times what these are sums over.
//!
//! The sum goes over all packed rows. Some rows at a time are laid out as tiles read them, multiplied, and their sum is
//! added to what the rows before came to.

use std::ops::Range;

use super::layout::{Aligned, BLOCK, column_groups};
use super::math::Real;
use super::tile::{Rows, accumulate, for_tiles};
use super::vector::{Kernel, Vector};

/// Packed rows that are taken at a time: enough that adding their sum is cheap beside making it, few enough that a
/// group of columns waits in the cache while all tiles go over it.
const DEPTH: usize = 256;

/// Some of the gradients' rows.
pub(super) struct WeightGradients<'a, T> {
    /// Gradients of the pre-activations, `[total, width]`.
    pub(super) gates: &'a [T],
    pub(super) width: usize,
    /// The pre-activations whose gradients are made here: whole blocks.
    pub(super) own: Range<usize>,
    /// `[total, input_size]`
    pub(super) x: &'a [T],
    /// h before every step, `[total]` rows of `hidden`.
    pub(super) h: &'a [&'a [T]],
    /// Of `weight_ih` and `weight_hh` side by side, `[own, columns(input_size + hidden)]`: zero at first.
    pub(super) weights: &'a mut [T],
    /// Of each bias, `[own]`: zero at first.
    pub(super) bias: &'a mut [T],
}

/// The columns of both weights, filled up to whole blocks.
pub(super) fn columns(weights: usize) -> usize {
    weights.next_multiple_of(BLOCK)
}

impl<T: Real> Kernel<T> for WeightGradients<'_, T> {
    #[inline(always)]
    fn run<V: Vector<Number = T>>(mut self) {
        let stride = self.weights.len() / self.own.len();
        let groups = column_groups(stride, V::LANES);
        let depth = DEPTH.min(self.h.len());
        let mut left = vec![T::default(); self.own.len() * depth];
        let mut right = Aligned::zeros(stride * depth);
        let input_size = self.x.len() / self.h.len().max(1);
        let chunks = self.gates.chunks(DEPTH * self.width);
        let operands = self.x.chunks(DEPTH * input_size).zip(self.h.chunks(DEPTH));
        for (gates, (x, h)) in chunks.zip(operands) {
            let depth = h.len();
            self.add_biases(gates);
            transpose::<V>(gates, self.width, &self.own, &mut left);
            lay_out(x.chunks_exact(input_size).zip(h), &groups, right.as_mut(), stride);
            let left = Rows { data: &left, stride: depth };
            for &(column, columns) in &groups {
                let panel = &right.as_ref()[column * depth..][..columns * depth];
                let mut target = Target { data: &mut *self.weights, stride, column };
                if columns == V::LANES {
                    for_tiles!(V::TILE_ROWS, 0, self.own.len(), |row, ROWS| target
                        .tile::<V, ROWS, 1>(left, row, panel));
                } else {
                    for_tiles!(V::TILE_ROWS, 0, self.own.len(), |row, ROWS| target
                        .tile::<V, ROWS, 4>(left, row, panel));
                }
            }
        }
    }
}

impl<T: Real> WeightGradients<'_, T> {
    #[inline(always)]
    fn add_biases(&mut self, gates: &[T]) {
        let mut sums = vec![T::default(); self.own.len()];
        for row in gates.chunks_exact(self.width) {
            for (sum, &gate) in sums.iter_mut().zip(&row[self.own.clone()]) {
                *sum += gate;
            }
        }
        for (bias, sum) in self.bias.iter_mut().zip(sums) {
            *bias += sum;
        }
    }
}

/// The columns `own` of `[depth, width]` as rows, `[own, depth]`.
#[inline(always)]
fn transpose<V: Vector>(
    from: &[V::Number],
    width: usize,
    own: &Range<usize>,
    to: &mut [V::Number],
) {
    let depth = from.len() / width;
    let whole = depth - depth % V::LANES;
    for k in (0..whole).step_by(V::LANES) {
        for column in (0..own.len()).step_by(V::LANES) {
            let from = &from[k * width + own.start + column..];
            V::transpose(from, width, &mut to[column * depth + k..], depth);
        }
    }
    for k in whole..depth {
        for (column, &value) in from[k * width..][own.clone()].iter().enumerate() {
            to[column * depth + k] = value;
        }
    }
}

/// x and h of some rows, next to each other and filled up to `columns`: for every group, `[depth][its columns]`.
#[inline(always)]
fn lay_out<'a, T: Real>(
    rows: impl ExactSizeIterator<Item = (&'a [T], &'a &'a [T])>,
    groups: &[(usize, usize)],
    to: &mut [T],
    columns: usize,
) {
    let depth = rows.len();
    let mut both = vec![T::default(); columns];
    for (k, (x, h)) in rows.enumerate() {
        both[..x.len()].copy_from_slice(x);
        both[x.len()..][..h.len()].copy_from_slice(h);
        for &(first, len) in groups {
            to[first * depth + k * len..][..len].copy_from_slice(&both[first..][..len]);
        }
    }
}

/// Where a tile's sums are added.
struct Target<'a, T> {
    data: &'a mut [T],
    stride: usize,
    column: usize,
}

impl<T: Real> Target<'_, T> {
    /// `R` rows by `S` registers of the product.
    #[inline(always)]
    fn tile<V: Vector<Number = T>, const R: usize, const S: usize>(
        &mut self,
        left: Rows<T>,
        first: usize,
        panel: &[T],
    ) {
        let sums = [[V::splat(T::default()); S]; R];
        let sums = accumulate(sums, left, first, 0, panel);
        for (row, sums) in (first..).zip(sums) {
            for (s, sum) in sums.into_iter().enumerate() {
                let to = &mut self.data[row * self.stride + self.column + s * V::LANES..];
                V::load(to).add(sum).store(to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::vector::Instructions;
    use super::*;
    use crate::random::Philox;

    fn numbers(stream: u32, len: usize) -> Vec<f32> {
        let philox = Philox::new(6, stream, 0);
        (0..len as u64).map(|at| (philox.uniform(at) - 0.5) as f32).collect()
    }

    #[test]
    fn it_is_the_sum_over_all_rows_whoever_makes_which() {
        let (width, input_size, hidden) = (64, 9, 75);
        let columns = columns(input_size + hidden);
        for total in [1, DEPTH, 2 * DEPTH + 17] {
            let gates = numbers(1, total * width);
            let x = numbers(2, total * input_size);
            let h = numbers(3, total * hidden);
            let h: Vec<&[f32]> = h.chunks_exact(hidden).collect();
            for instructions in Instructions::available() {
                let (mut weights, mut bias) = (vec![0.0; width * columns], vec![0.0; width]);
                for own in [0..16, 16..64] {
                    let weights = &mut weights[own.start * columns..own.end * columns];
                    let bias = &mut bias[own.clone()];
                    let gates = &gates;
                    let part = WeightGradients { gates, width, own, x: &x, h: &h, weights, bias };
                    f32::run(instructions, part);
                }
                for gate in 0..width {
                    let sum = |of: &dyn Fn(usize) -> f32| -> f64 {
                        let row = |row| f64::from(gates[row * width + gate]) * f64::from(of(row));
                        (0..total).map(row).sum()
                    };
                    let close = |found: f32, wanted: f64| {
                        let off = (f64::from(found) - wanted).abs();
                        assert!(off < 1e-5, "{total} rows, {instructions:?}: {found}, {wanted}");
                    };
                    close(bias[gate], sum(&|_| 1.0));
                    let weights = &weights[gate * columns..][..input_size + hidden];
                    let (of_x, of_h) = weights.split_at(input_size);
                    for (k, &found) in of_x.iter().enumerate() {
                        close(found, sum(&|row| x[row * input_size + k]));
                    }
                    for (k, &found) in of_h.iter().enumerate() {
                        close(found, sum(&|row| h[row][k]));
                    }
                }
            }
        }
    }
}
