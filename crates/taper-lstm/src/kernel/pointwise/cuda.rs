//! Launches the kernels of `pointwise.cu`, which the build script compiled to PTX.

use candle_core::backend::BackendStorage;
use candle_core::cuda::cudarc::driver::{LaunchConfig, PushKernelArg};
use candle_core::cuda::{CudaStorageSlice, WrapErr};
use candle_core::{CudaStorage, Layout, Result, Shape, bail};

const PTX: &str = include_str!(concat!(env!("OUT_DIR"), "/pointwise.ptx"));

/// Runs `kernel` with one thread a unit, over contiguous f32 operands, into a new tensor of `shape`.
pub(super) fn launch(
    kernel: &str,
    hidden: usize,
    shape: &Shape,
    operands: &[(&CudaStorage, &Layout)],
) -> Result<CudaStorage> {
    let (rows, _) = shape.dims2()?;
    let device = operands[0].0.device().clone();
    let function = device.get_or_load_custom_func(kernel, "taper-lstm-pointwise", PTX)?;
    let count = (rows * hidden) as u32;
    let hidden = hidden as u32;
    let views = operands
        .iter()
        .map(|(storage, layout)| match (&storage.slice, layout.contiguous_offsets()) {
            (CudaStorageSlice::F32(slice), Some((start, end))) => Ok(slice.slice(start..end)),
            _ => bail!("LSTM gates take contiguous f32 tensors on CUDA"),
        })
        .collect::<Result<Vec<_>>>()?;
    // SAFETY: the kernel writes every element: each of its `count` threads writes all numbers of its
    // own unit, and `shape` holds exactly those.
    let mut result = unsafe { device.alloc::<f32>(shape.elem_count())? };
    let mut builder = function.builder();
    builder.arg(&count);
    builder.arg(&hidden);
    for view in &views {
        builder.arg(view);
    }
    builder.arg(&mut result);
    // SAFETY: the arguments are those of the kernel's signature, in its order; threads past `count`
    // return at once, and the operands' sizes follow from `count` and `hidden` (see `steps`).
    unsafe { builder.launch(LaunchConfig::for_num_elems(count)) }.w()?;
    Ok(CudaStorage { slice: CudaStorageSlice::F32(result), device })
}
