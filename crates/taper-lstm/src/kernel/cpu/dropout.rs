//! Dropout masks, many words at a time.

use rayon::prelude::*;

use super::math::Real;
use super::vector::{Kernel, Vector};
use super::workspace::Context;
use crate::random::Philox;

/// Elements that a task of the thread pool takes at a time.
const TASK: usize = 4096;
/// Philox's blocks, of four words each, that are drawn side by side.
const BLOCKS: usize = 16;

/// `source * scale` where the element's word is at least `threshold`, 0 elsewhere, in a buffer of the workspace.
pub(crate) fn dropout<T: Real>(
    source: &[T],
    numbers: Philox,
    threshold: u32,
    scale: T,
    context: &Context,
) -> Vec<T> {
    let mut result = T::workspace(context).take(source.len());
    result.par_chunks_mut(TASK).zip(source.par_chunks(TASK)).enumerate().for_each(
        |(task, (result, source))| {
            let first_block = (task * TASK / 4) as u64;
            T::run(
                context.instructions,
                Masked { result, source, numbers, first_block, threshold, scale },
            );
        },
    );
    result
}

struct Masked<'a, T> {
    result: &'a mut [T],
    source: &'a [T],
    numbers: Philox,
    first_block: u64,
    threshold: u32,
    scale: T,
}

impl<T: Real> Kernel<T> for Masked<'_, T> {
    /// Written for no register in particular: the compiler has those of the instructions it runs with.
    #[inline(always)]
    fn run<V: Vector<Number = T>>(self) {
        let pieces = self.result.chunks_mut(4 * BLOCKS).zip(self.source.chunks(4 * BLOCKS));
        for (piece, (result, source)) in (0..).zip(pieces) {
            let words = self.numbers.blocks::<BLOCKS>(self.first_block + piece * BLOCKS as u64);
            let words = words.as_flattened();
            for ((y, &x), &word) in result.iter_mut().zip(source).zip(words) {
                *y = if word >= self.threshold { x * self.scale } else { T::default() };
            }
        }
    }
}
