//! Products with weights of 8 bits: a scale for every row of weights, exact integer sums.
//!
//! What is multiplied with them lies in [-1, 1], as every h of an LSTM does, and is rounded to
//! multiples of 1/127. The sums are integers, so every instruction set gives the same bits.

use super::layout::{Aligned, BLOCK, Blocks};
use super::vector::Vector32;

/// Neighbouring elements of the depth that one instruction sums.
pub(super) const QUAD: usize = 4;
/// What 1 becomes.
const ONE: f32 = 127.0;

/// The integer arithmetic of a register of f32.
pub(super) trait Int8: Vector32 {
    /// `LANES` sums in 32 bits.
    type Sums: Copy;
    /// Rows of a tile, as [`super::vector::Vector::TILE_ROWS`].
    const TILE_ROWS: usize;

    /// The sums to start from: what makes up for the instructions' own view of a sign.
    fn start(correction: &[i32]) -> Self::Sums;
    /// Adds to every lane the products of its four weights at `weights` with `values`.
    ///
    /// # Safety
    /// `4 * LANES` weights must be readable.
    unsafe fn dot(sums: Self::Sums, values: [i8; QUAD], weights: *const i8) -> Self::Sums;
    /// The sums as f32, which is exact below 2^24: for a depth of up to a thousand.
    fn to_f32(sums: Self::Sums) -> Self;
    /// Rounds `LANES` numbers within [-127, 127] to the nearest integer; NaN becomes some number.
    fn store_rounded(self, to: &mut [i8]);
}

/// A weight matrix in the order of the pre-activations.
pub(super) struct Quantized {
    /// `[width / LANES in the order of the registers][depth / QUAD][slots][lanes][QUAD]`
    panels: Aligned<i8>,
    /// What a sum is multiplied with, `[width]`.
    scales: Vec<f32>,
    /// `-128` times the sum of every row, `[width]`.
    corrections: Vec<i32>,
    /// Columns, filled up to a multiple of [`QUAD`].
    depth: usize,
}

impl Quantized {
    /// Quantises rows of f32, given with their columns among the pre-activations; a row without
    /// weights stays zero.
    ///
    /// # Shapes
    /// every row: `[columns]`
    pub(super) fn new<'a>(
        blocks: &Blocks,
        rows: impl Iterator<Item = (usize, &'a [f32])>,
        columns: usize,
        lanes: usize,
    ) -> Self {
        let (width, depth) = (blocks.width(), columns.next_multiple_of(QUAD));
        let mut panels = Aligned::zeros(width * depth);
        let (mut scales, mut corrections) = (vec![0.0; width], vec![0; width]);
        for (column, row) in rows {
            let largest = row.iter().fold(0f32, |largest, weight| largest.max(weight.abs()));
            let steps = if largest > 0.0 { ONE / largest } else { 0.0 };
            scales[column] = largest / (ONE * ONE);
            let (panel, slot, lane) = blocks.place(column, lanes);
            let panel = &mut panels.as_mut()[panel * depth..];
            for (k, &weight) in row.iter().enumerate() {
                let rounded = (weight * steps).round() as i8;
                corrections[column] -= 128 * i32::from(rounded);
                let quad = k / QUAD * blocks.slots + slot;
                panel[(quad * lanes + lane) * QUAD + k % QUAD] = rounded;
            }
        }
        Self { panels, scales, corrections, depth }
    }

    /// Elements of a row that is multiplied with this matrix.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// The weights of the registers that begin at `column`, the slots [`BLOCK`] apart.
    #[inline(always)]
    pub(super) fn part<V: Int8, const S: usize>(
        &self,
        unit: usize,
        column: usize,
    ) -> Part<'_, V, S> {
        let panel = S * self.depth;
        let mut scales = [V::splat(0.0); S];
        let mut start = [V::start(&self.corrections[column..]); S];
        for slot in 0..S {
            scales[slot] = V::load(&self.scales[column + slot * BLOCK..]);
            start[slot] = V::start(&self.corrections[column + slot * BLOCK..]);
        }
        Part { panel: &self.panels.as_ref()[unit * panel..][..V::LANES * panel], scales, start }
    }
}

/// The weights of as many units as a register has lanes.
pub(super) struct Part<'a, V: Int8, const S: usize> {
    panel: &'a [i8],
    scales: [V; S],
    start: [V::Sums; S],
}

impl<V: Int8, const S: usize> Part<'_, V, S> {
    /// `R` rows of products, from row `first` of rows that are as long as the panel is deep.
    #[inline(always)]
    pub(super) fn multiply<const R: usize>(&self, rows: &[i8], first: usize) -> [[V; S]; R] {
        let depth = self.panel.len() / (S * V::LANES);
        let rows = &rows[first * depth..][..R * depth];
        let mut sums = [self.start; R];
        for quad in 0..depth / QUAD {
            let mut values = [[0; QUAD]; R];
            for (r, values) in values.iter_mut().enumerate() {
                // SAFETY: r < R and quad < depth / QUAD, and there are R * depth elements.
                *values = unsafe {
                    rows.as_ptr().add(r * depth + quad * QUAD).cast::<[i8; QUAD]>().read()
                };
            }
            for s in 0..S {
                let at = (quad * S + s) * V::LANES * QUAD;
                for (&values, sums) in values.iter().zip(&mut sums) {
                    // SAFETY: the panel has depth / QUAD * S registers of 4 * LANES weights.
                    sums[s] = unsafe { V::dot(sums[s], values, self.panel.as_ptr().add(at)) };
                }
            }
        }
        let mut products = [self.scales; R];
        for (products, sums) in products.iter_mut().zip(sums) {
            for (product, sum) in products.iter_mut().zip(sums) {
                *product = product.mul(V::to_f32(sum));
            }
        }
        products
    }
}

/// `x`, within [-1, 1], in 127ths.
#[inline(always)]
pub(super) fn quantise<V: Int8>(x: V, to: &mut [i8]) {
    let (one, minus) = (V::splat(1.0), V::splat(-1.0));
    let x = one.if_less(x, one, x);
    x.if_less(minus, minus, x).mul(V::splat(ONE)).store_rounded(to);
}
