//! CUDA devices.

use candle_core::{Device, Result};

/// The CUDA device of a number; the same one each time, so that all who use it share its stream, its kernels and its
/// memory.
///
/// # Errors
/// Where there is no such device, and in a build without the feature `cuda`.
pub fn cuda_device(number: usize) -> Result<Device> {
    #[cfg(feature = "cuda")]
    return crate::kernel::cuda::open(number);
    #[cfg(not(feature = "cuda"))]
    return Device::new_cuda(number);
}
