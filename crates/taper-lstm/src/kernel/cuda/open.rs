//! Opening a device.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use candle_core::cuda::WrapErr;
use candle_core::cuda::cudarc::driver::result::{device, mem_pool};
use candle_core::cuda::cudarc::driver::sys::{CUdevice_attribute, CUmemPool_attribute};
use candle_core::{CudaDevice, Device, Result};

static OPEN: Mutex<BTreeMap<usize, Device>> = Mutex::new(BTreeMap::new());

/// The device of a number, with one stream for all threads: candle's default is one a thread, and nothing orders what
/// two of them do to one tensor.
pub(crate) fn open(number: usize) -> Result<Device> {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(device) = open.get(&number) {
        return Ok(device.clone());
    }
    let device = CudaDevice::new_with_stream(number)?;
    // SAFETY: with one stream everything is in order, and events would say nothing.
    unsafe { device.disable_event_tracking() };
    keep_freed_memory(&device)?;
    let device = Device::Cuda(device);
    open.insert(number, device.clone());
    Ok(device)
}

/// The driver's pool gives freed memory back to the system whenever the host waits, which in training is every step.
fn keep_freed_memory(device: &CudaDevice) -> Result<()> {
    let stream = device.cuda_stream();
    let context = stream.context();
    let pools = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED;
    if context.attribute(pools).w()? == 0 {
        return Ok(());
    }
    let mut most = u64::MAX;
    let threshold = CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
    // SAFETY: the context's own device; the attribute is 64 bits wide and is copied before the call returns.
    unsafe {
        let pool = device::get_default_mem_pool(context.cu_device()).w()?;
        mem_pool::set_attribute(pool, threshold, (&raw mut most).cast()).w()
    }
}
