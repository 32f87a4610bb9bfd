//! Dropout on the device: the mask of `random.rs`, drawn where it is used.

use candle_core::backend::BackendStorage;
use candle_core::cuda::cudarc::driver::{DeviceRepr, PushKernelArg};
use candle_core::cuda::{CudaDType, CudaStorageSlice, WrapErr};
use candle_core::{CudaStorage, Layout, Result, Shape, bail};

use super::module::{Source, function, part, spread};
use crate::random::Philox;

/// Element `i` (row-major) times `scale`, or 0 where word `i` of `numbers` is below `threshold`.
///
/// # Errors
/// If the tensor is not contiguous, or neither f32 nor f64.
pub(crate) fn dropout(
    storage: &CudaStorage,
    layout: &Layout,
    numbers: Philox,
    threshold: u32,
    scale: f32,
) -> Result<(CudaStorage, Shape)> {
    let by = (numbers, threshold);
    let result = match &storage.slice {
        CudaStorageSlice::F32(_) => masked::<f32>(storage, layout, by, "dropout_f32", scale)?,
        CudaStorageSlice::F64(_) => {
            masked::<f64>(storage, layout, by, "dropout_f64", f64::from(scale))?
        }
        _ => bail!("dropout takes f32 or f64"),
    };
    Ok((result, layout.shape().clone()))
}

fn masked<T: CudaDType + DeviceRepr + Copy>(
    storage: &CudaStorage,
    layout: &Layout,
    (numbers, threshold): (Philox, u32),
    kernel: &str,
    scale: T,
) -> Result<CudaStorage> {
    let device = storage.device();
    let x = part::<T>(storage, layout)?;
    let count = layout.shape().elem_count();
    // SAFETY: the kernel writes all `count` elements.
    let mut y = unsafe { device.alloc::<T>(count.max(1))? };
    if count > 0 {
        let function = function(device, Source::Dropout, kernel)?;
        let stream = device.cuda_stream();
        let (length, Philox { seed, stream: purpose, step }) = (count as u64, numbers);
        let mut builder = stream.launch_builder(&function);
        builder.arg(&length).arg(&seed).arg(&purpose).arg(&step).arg(&threshold).arg(&scale);
        builder.arg(&x).arg(&mut y);
        // SAFETY: the arguments are those of the kernel's signature, in its order; each thread has four
        // elements, and those past `count` return.
        unsafe { builder.launch(spread(count.div_ceil(4))?) }.w()?;
    }
    Ok(CudaStorage::wrap_cuda_slice(y, device.clone()))
}
