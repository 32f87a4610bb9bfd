//! The layer on the CPU: direction by direction and slice by slice of the batch, side by side and without a
//! barrier. A slice multiplies the inputs of some steps, takes those steps, and goes on; the gradients of the
//! weights, sums over all steps, come last.
//!
//! Nothing here depends on the number of threads: work is cut by direction and by rows, never
//! by the order of a sum.
#![allow(
    clippy::inline_always,
    reason = "what is not inlined into the functions that enable AVX2 and AVX-512 runs without them"
)]

mod backward;
mod dropout;
mod forward;
mod frozen;
mod gradient;
mod layout;
mod projection;
mod reverse;
mod slices;
mod sweep;
mod workspace;

#[cfg(test)]
mod tests;

mod cells;
mod int8;
mod int8_sweep;
mod math;
mod tile;
#[cfg(target_arch = "x86_64")]
mod transpose;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::LayerShape;

pub(crate) use backward::backward;
pub(crate) use dropout::dropout;
pub(crate) use forward::{Saved, forward};
pub(crate) use frozen::Frozen;
pub(crate) use math::Real;
pub(crate) use workspace::Context;

/// Whether these kernels have the layer: all cells, but no projection.
pub(crate) fn takes(shape: &LayerShape) -> bool {
    shape.proj_size.is_none()
}
