//! The input's share of every pre-activation: `x W_ih^T + b_ih`.

use super::layout::{Blocks, Panels};
use super::math::Real;
use super::tile::{Rows, for_tiles};
use super::vector::{Instructions, Kernel, Vector};

/// Where the input's products come from.
#[derive(Clone, Copy)]
pub(super) enum Inputs<'a, T> {
    /// Rows to be multiplied, `[total, input_size]`.
    Rows { x: &'a [T], weights: &'a Panels<T> },
    /// Products of distinct rows, `[n, width]`, and which of them every packed row has.
    Products { distinct: &'a [T], indices: &'a [u32] },
}

impl<T: Real> Inputs<'_, T> {
    /// Writes the products of some rows: pieces of gates, and the packed row that each begins with.
    pub(super) fn multiply<'b>(
        &self,
        blocks: &Blocks,
        pieces: impl Iterator<Item = (usize, &'b mut [T])>,
        instructions: Instructions,
    ) {
        let width = blocks.width();
        match *self {
            Self::Rows { x, weights } => {
                let depth = weights.depth();
                let rows = pieces.map(|(start, gates)| {
                    let x = &x[(start * depth).min(x.len())..];
                    (&x[..gates.len() / width * depth], gates)
                });
                let steps = rows.collect();
                T::run(instructions, Projection { blocks: *blocks, weights, steps });
            }
            Self::Products { distinct, indices } => {
                for (start, gates) in pieces {
                    let rows = gates.chunks_exact_mut(width);
                    for (gates, &index) in rows.zip(indices.iter().skip(start)) {
                        gates.copy_from_slice(&distinct[index as usize * width..][..width]);
                    }
                }
            }
        }
    }
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
