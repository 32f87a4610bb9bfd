//! Launches the persistent LSTM kernels of `lstm.cu`: a whole layer and sequence, all slices and
//! directions, forward or backward.

use candle_core::cuda::WrapErr;
use candle_core::cuda::cudarc::driver::{CudaSlice, LaunchArgs, LaunchConfig, PushKernelArg};
use candle_core::{CudaDevice, Result, Tensor, bail};

use super::module::{Source, function, tensor, view};
use super::plan::{Exchange, Plan};
use crate::kernel::LayerShape;
use crate::packed::Packing;

/// Threads of a block, as `THREADS` in `device.cuh`.
const THREADS: u32 = 256;

/// A packing on the device.
pub(super) struct Steps {
    batch_sizes: CudaSlice<u32>,
    offsets: CudaSlice<u32>,
}

/// What a forward pass keeps for the backward pass.
pub(super) struct Kept {
    /// i, f, g, o after their nonlinearities, `[directions, total, 4 * hidden_size]`.
    gates: Tensor,
    /// The states before each step, `[directions, total, hidden_size]`.
    pub(super) h_previous: Tensor,
    c_previous: Tensor,
}

/// `Sizes` in `group.cuh`.
type Sizes = [u32; 14];
const FIRST_GROUP: usize = 7;

impl Steps {
    pub(super) fn new(device: &CudaDevice, packing: &Packing) -> Result<Self> {
        let upload = |values: &[usize]| {
            device.clone_htod(&values.iter().map(|&value| value as u32).collect::<Vec<_>>())
        };
        Ok(Self {
            batch_sizes: upload(packing.batch_sizes())?,
            offsets: upload(packing.offsets())?,
        })
    }
}

fn sizes(shape: &LayerShape, plan: Plan, keep: bool) -> Result<Sizes> {
    let ranges = shape.weight_ranges(0);
    let sizes = [
        shape.hidden_size,
        plan.units,
        plan.cluster,
        shape.directions,
        shape.batch(),
        shape.total(),
        shape.packing.num_steps(),
        0,
        ranges.weight_hh.start,
        ranges.bias_ih.start,
        ranges.bias_hh.start,
        shape.weights_per_direction(),
        usize::from(shape.bias),
        usize::from(keep),
    ];
    // The kernels count rows and parameters in 32 bits.
    if sizes.iter().any(|&size| i32::try_from(size).is_err()) {
        bail!("a layer of {:?} is too large for the CUDA kernels", sizes);
    }
    Ok(sizes.map(|size| size as u32))
}

/// Blocks of one launch; `groups` of them, each `plan.cluster` blocks.
fn config(plan: Plan, groups: usize, shared_bytes: usize) -> LaunchConfig {
    LaunchConfig {
        grid_dim: ((groups * plan.cluster) as u32, 1, 1),
        block_dim: (THREADS, 1, 1),
        shared_mem_bytes: shared_bytes as u32,
    }
}

/// # Safety
/// As [`LaunchArgs::launch`].
unsafe fn launch(builder: &mut LaunchArgs, plan: Plan, config: LaunchConfig) -> Result<()> {
    match plan.exchange {
        // SAFETY: the caller's.
        Exchange::Local | Exchange::Cluster => unsafe { builder.launch(config) }.w()?,
        // All blocks must be resident, since they wait for each other.
        // SAFETY: the caller's.
        Exchange::Global => unsafe { builder.launch_cooperative(config) }.w()?,
    };
    Ok(())
}

/// The groups of every launch: the first one and their number.
fn launches(plan: Plan) -> impl Iterator<Item = (usize, usize)> {
    (0..plan.groups)
        .step_by(plan.groups_per_launch)
        .map(move |first| (first, plan.groups_per_launch.min(plan.groups - first)))
}

/// Whether all groups of a plan run at once. How many clusters find room depends on how the device's
/// multiprocessors are grouped, which only the driver knows; where it does not say, they do.
pub(super) fn all_resident(plan: Plan, device: &CudaDevice) -> Result<bool> {
    let function = function(device, Source::Lstm, &format!("lstm_forward_{}", plan.name()))?;
    let config = config(plan, plan.groups, plan.forward_bytes());
    let clusters = function.occupancy_max_active_clusters(config, &device.cuda_stream());
    Ok(clusters.map_or(true, |clusters| clusters as usize >= plan.groups))
}

/// One direction's or both directions' steps, from their projected input.
///
/// # Shapes
/// `projections`: `[total, 4 * hidden_size]` a direction, without biases; the result is the layer's.
pub(super) fn forward(
    shape: &LayerShape,
    plan: Plan,
    device: &CudaDevice,
    steps: &Steps,
    [projection, reverse, weights, state]: [&Tensor; 4],
    keep: bool,
) -> Result<(Tensor, Option<Kept>)> {
    let guards = [projection, reverse, weights, state].map(Tensor::storage_and_layout);
    let [projection, reverse, weights, state] =
        [view::<f32>(&guards[0])?, view(&guards[1])?, view(&guards[2])?, view(&guards[3])?];
    // An allocation is never empty, whether it is used or not.
    let kept_rows = if keep { shape.directions * shape.total() } else { 0 };
    let hidden = shape.hidden_size;
    let mut sizes = sizes(shape, plan, keep)?;
    let stream = device.cuda_stream();
    let function = function(device, Source::Lstm, &format!("lstm_forward_{}", plan.name()))?;

    // SAFETY: the kernels write every element: h of every step and the final states of every sequence, and,
    // if they are kept, the activations of every step.
    let (mut output, mut gates, mut h_previous, mut c_previous) = unsafe {
        (
            device.alloc::<f32>(shape.output_len())?,
            device.alloc::<f32>((kept_rows * 4 * hidden).max(1))?,
            device.alloc::<f32>((kept_rows * hidden).max(1))?,
            device.alloc::<f32>((kept_rows * hidden).max(1))?,
        )
    };
    for (first, groups) in launches(plan) {
        sizes[FIRST_GROUP] = first as u32;
        let (posted, counters) = match plan.exchange {
            Exchange::Global => (groups * plan.posted_bytes(), groups),
            Exchange::Local | Exchange::Cluster => (0, 0),
        };
        let mut posted = device.alloc_zeros::<u8>(posted.max(1))?;
        let mut counters = device.alloc_zeros::<u32>(counters.max(1))?;
        let mut builder = stream.launch_builder(&function);
        builder.arg(&sizes).arg(&steps.batch_sizes).arg(&steps.offsets);
        builder.arg(&projection).arg(&reverse).arg(&weights).arg(&state);
        builder.arg(&mut output).arg(&mut gates).arg(&mut h_previous).arg(&mut c_previous);
        builder.arg(&mut posted).arg(&mut counters);
        // SAFETY: the arguments are those of the kernel's signature, in its order. They are as long as the
        // shape asks for, which the layer's operation has checked; the plan's shared memory is what the
        // kernel carves up (plan.rs and the emulator's test have the same figures).
        unsafe { launch(&mut builder, plan, config(plan, groups, plan.forward_bytes()))? };
    }
    let states = (shape.directions, shape.total(), hidden);
    let kept = keep.then(|| Kept {
        gates: tensor(gates, device, (shape.directions, shape.total(), 4 * hidden)),
        h_previous: tensor(h_previous, device, states),
        c_previous: tensor(c_previous, device, states),
    });
    Ok((tensor(output, device, shape.output_len()), kept))
}

/// The gradients of the gates before their nonlinearities, `[directions, total, 4 * hidden_size]`, and of
/// the initial states.
pub(super) fn backward(
    shape: &LayerShape,
    plan: Plan,
    device: &CudaDevice,
    steps: &Steps,
    kept: &Kept,
    [weights, grad]: [&Tensor; 2],
) -> Result<(Tensor, Tensor)> {
    let guards = [weights, &kept.gates, &kept.c_previous, grad].map(Tensor::storage_and_layout);
    let [weights, gates, c_previous, grad] =
        [view::<f32>(&guards[0])?, view(&guards[1])?, view(&guards[2])?, view(&guards[3])?];
    let rows = shape.directions * shape.total();
    let mut sizes = sizes(shape, plan, true)?;
    let stream = device.cuda_stream();
    let function = function(device, Source::Lstm, &format!("lstm_backward_{}", plan.name()))?;

    // SAFETY: the kernels write every element: the gradients of every step's gates and of every sequence's
    // initial states.
    let (mut dgates, mut dstate) = unsafe {
        (
            device.alloc::<f32>(rows * 4 * shape.hidden_size)?,
            device.alloc::<f32>(shape.state_len())?,
        )
    };
    for (first, groups) in launches(plan) {
        sizes[FIRST_GROUP] = first as u32;
        let (inbox, counters) = match plan.exchange {
            Exchange::Global => (groups * plan.inbox_len(), groups),
            Exchange::Local | Exchange::Cluster => (0, 0),
        };
        let mut inbox = device.alloc_zeros::<f32>(inbox.max(1))?;
        let mut counters = device.alloc_zeros::<u32>(counters.max(1))?;
        let mut builder = stream.launch_builder(&function);
        builder.arg(&sizes).arg(&steps.batch_sizes).arg(&steps.offsets);
        builder.arg(&weights).arg(&gates).arg(&c_previous).arg(&grad);
        builder.arg(&mut dgates).arg(&mut dstate).arg(&mut inbox).arg(&mut counters);
        // SAFETY: as in `forward`.
        unsafe { launch(&mut builder, plan, config(plan, groups, plan.backward_bytes()))? };
    }
    let dgates = tensor(dgates, device, (shape.directions, shape.total(), 4 * shape.hidden_size));
    Ok((dgates, tensor(dstate, device, shape.state_len())))
}
