//! The input's share of every pre-activation: `x W_ih^T + b_ih`.

use super::layout::{Blocks, Panels};
use super::math::Real;
use super::tile::{Rows, for_tiles};
use super::vector::{Kernel, Vector};

/// Where the input's products come from.
#[derive(Clone, Copy)]
pub(super) enum Inputs<'a, T> {
    /// Rows to be multiplied, `[total, input_size]`.
    Rows { x: &'a [T], weights: &'a Panels<T> },
    /// Products of distinct rows, `[n, width]`, and which of them every packed row has.
    Products { distinct: &'a [T], indices: &'a [u32] },
}

/// Multiplies the rows of some steps. Every panel of weights goes over all of them while it is near.
pub(super) struct Projection<'a, 'b, T> {
    pub(super) blocks: Blocks,
    pub(super) weights: &'a Panels<T>,
    /// Rows of x, `[rows, input_size]`, and of the products, `[rows, width]`, step by step.
    pub(super) steps: Vec<(&'a [T], &'b mut [T])>,
}

impl<T: Real> Kernel<T> for Projection<'_, '_, T> {
    #[inline(always)]
    fn run<V: Vector<Number = T>>(self) {
        match self.blocks.slots {
            1 => self.multiply::<V, 1>(),
            _ => self.multiply::<V, 4>(),
        }
    }
}

impl<T: Real> Projection<'_, '_, T> {
    #[inline(always)]
    fn multiply<V: Vector<Number = T>, const S: usize>(mut self) {
        let width = self.blocks.width();
        for unit in (0..self.blocks.padded()).step_by(V::LANES) {
            let part = self.weights.part::<V, S>(&self.blocks, unit);
            for (x, products) in &mut self.steps {
                let (rows, left) =
                    (products.len() / width, Rows { data: x, stride: self.weights.depth() });
                for_tiles!(V::TILE_ROWS, 0, rows, |row, ROWS| {
                    for (row, sums) in (row..).zip(part.multiply::<ROWS>(left, row)) {
                        part.store(sums, &mut products[row * width..]);
                    }
                });
            }
        }
    }
}
