//! The engine on CUDA devices of compute capability 8.0 and above: LSTM layers as persistent kernels (a whole
//! sequence in one launch), and the small operations around them.
//!
//! | file | what |
//! | --- | --- |
//! | `forward.cuh`, `backward.cuh` | a layer's steps; [`plan`] chooses among their variants, [`launch`] runs them |
//! | [`products`] | the large products before and after the steps |
//! | [`dropout`], [`rows`], [`adam`] | dropout masks, embedding gradients, Adam: the CPU's bits |
//!
//! Only [`open`], [`module`], [`launch`] and the small operations touch the driver. `tests/gpu/emulate` runs the kernels on
//! a CPU against plain references, `tests/gpu` runs all of it on a GPU.

mod adam;
mod dropout;
mod launch;
mod module;
mod open;
mod plan;
mod products;
mod rows;

#[cfg(test)]
mod tests;

use candle_core::{CudaDevice, DType, Result, Tensor};

use super::LayerShape;
use crate::config::{Activations, Cell, Precision};
use launch::{Kept, Steps};
use plan::{Exchange, Format, Plan, Task};

pub use adam::{AdamGradient, AdamStep, adam_step};
pub(crate) use dropout::dropout;
pub(crate) use open::open;
pub(crate) use rows::sum_rows;

/// What the backward pass needs.
pub(crate) struct Saved {
    plan: Plan,
    steps: Steps,
    /// The activations, unless they are to be computed again.
    kept: Option<Kept>,
}

/// Runs the layer; operands and result are those of [`super::LayerSequence`].
///
/// `None`: there is no kernel for this cell, type, size or device, and the caller takes [`super::steps`].
pub(crate) fn forward(
    shape: &LayerShape,
    [x, weights, state]: &[Tensor; 3],
    keep: bool,
) -> Result<Option<(Tensor, Option<Saved>)>> {
    let tensors = [x, weights, state];
    if shape.cell != Cell::Lstm
        || shape.proj_size.is_some()
        || tensors.iter().any(|tensor| tensor.dtype() != DType::F32)
    {
        return Ok(None);
    }
    let device = module::device(x)?;
    let task = Task {
        hidden_size: shape.hidden_size,
        batch: shape.batch(),
        directions: shape.directions,
        bf16: shape.precision == Precision::Bf16,
    };
    let Some(plan) = plan(&device, task)? else {
        return Ok(None);
    };
    let steps = Steps::new(&device, &shape.packing)?;
    let keeps_gates = keep && shape.activations == Activations::Keep;
    let (output, kept) = run(shape, plan, &device, &steps, tensors, keeps_gates)?;
    Ok(Some((output, keep.then_some(Saved { plan, steps, kept }))))
}

fn plan(device: &CudaDevice, task: Task) -> Result<Option<Plan>> {
    let machine = module::machine(device)?;
    let Some(plan) = Plan::new(machine, task) else {
        return Ok(None);
    };
    let small_slices = plan.exchange == Exchange::Cluster && plan.format == Format::F32x4;
    if small_slices && !launch::all_resident(plan, device)? {
        return Ok(Some(plan.in_slices_of_8(machine, task).unwrap_or(plan)));
    }
    Ok(Some(plan))
}

/// Projections, then steps.
fn run(
    shape: &LayerShape,
    plan: Plan,
    device: &CudaDevice,
    steps: &Steps,
    [x, weights, state]: [&Tensor; 3],
    keep: bool,
) -> Result<(Tensor, Option<Kept>)> {
    let projections = products::projections(shape, x, weights)?;
    // One direction has one; the kernel then never reads the other.
    let [first, last] = [&projections[0], &projections[projections.len() - 1]];
    launch::forward(shape, plan, device, steps, [first, last, weights, state], keep)
}

/// The gradients of x, weights and initial states.
pub(crate) fn backward(
    shape: &LayerShape,
    saved: &Saved,
    [x, weights, state, _, grad]: &[Tensor; 5],
) -> Result<[Tensor; 3]> {
    let device = module::device(x)?;
    let Saved { plan, steps, kept } = saved;
    let again = match kept {
        Some(_) => None,
        // The same kernel on the same operands: the same bits.
        None => run(shape, *plan, &device, steps, [x, weights, state], true)?.1,
    };
    let Some(kept) = kept.as_ref().or(again.as_ref()) else {
        candle_core::bail!("the layer's activations were not kept");
    };
    let (dgates, dstate) = launch::backward(shape, *plan, &device, steps, kept, [weights, grad])?;
    let [dx, dweights] = products::gradients(shape, x, weights, &dgates, &kept.h_previous)?;
    Ok([dx, dweights, dstate])
}
