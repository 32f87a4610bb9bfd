//! The compiled kernels on a device: loaded once, found again without the driver.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use candle_core::cuda::cudarc::driver::sys::{CUdevice_attribute, CUfunction_attribute};
use candle_core::cuda::cudarc::driver::{
    CudaFunction, CudaModule, CudaSlice, CudaView, LaunchConfig,
};
use candle_core::cuda::cudarc::nvrtc::Ptx;
use candle_core::cuda::{CudaDType, DeviceId, WrapErr};
use candle_core::{
    CudaDevice, CudaStorage, Device, Layout, Result, Shape, Storage, StorageRef, Tensor, bail,
};

use super::plan::Machine;
use crate::kernel::leaf;

/// A source file, compiled by the build script to machine code for `sm_80` and `sm_90` and to PTX for
/// what comes after them; the driver takes what suits the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Source {
    Adam,
    Dropout,
    Lstm,
    Rows,
}

impl Source {
    fn image(self) -> &'static [u8] {
        match self {
            Self::Adam => include_bytes!(concat!(env!("OUT_DIR"), "/adam.fatbin")),
            Self::Dropout => include_bytes!(concat!(env!("OUT_DIR"), "/dropout.fatbin")),
            Self::Lstm => include_bytes!(concat!(env!("OUT_DIR"), "/lstm.fatbin")),
            Self::Rows => include_bytes!(concat!(env!("OUT_DIR"), "/rows.fatbin")),
        }
    }
}

/// What is loaded. It stays so until the process ends, as candle's own kernels do for a device's life.
#[derive(Default)]
struct Loaded {
    modules: HashMap<(DeviceId, Source), Arc<CudaModule>>,
    functions: HashMap<(DeviceId, String), CudaFunction>,
}

static LOADED: LazyLock<Mutex<Loaded>> = LazyLock::new(Mutex::default);

/// A kernel, allowed as much shared memory as a block can have on this device.
pub(super) fn function(device: &CudaDevice, source: Source, name: &str) -> Result<CudaFunction> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let Loaded { modules, functions } = &mut *loaded;
    let key = (device.id(), name.to_owned());
    if let Some(function) = functions.get(&key) {
        return Ok(function.clone());
    }
    let place = (device.id(), source);
    let module = if let Some(module) = modules.get(&place) {
        module.clone()
    } else {
        let image = Ptx::from_binary(source.image().to_vec());
        let module = device.cuda_stream().context().load_module(image).w()?;
        modules.insert(place, module.clone());
        module
    };
    let function = module.load_function(name).w()?;
    if source == Source::Lstm {
        let bytes = machine(device)?.shared_bytes as i32;
        // What the compiler or the driver reserves is of the same memory.
        let dynamic = bytes - function.shared_size_bytes().w()?;
        let limit = CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        function.set_attribute(limit, dynamic).w()?;
    }
    functions.insert(key, function.clone());
    Ok(function)
}

/// What the choice of a kernel depends on.
pub(super) fn machine(device: &CudaDevice) -> Result<Machine> {
    use CUdevice_attribute as Attribute;
    let stream = device.cuda_stream();
    let attribute = |which| stream.context().attribute(which).w();
    let shared = Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN;
    Ok(Machine {
        compute_major: attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
        shared_bytes: attribute(shared)?.max(0) as usize,
        multiprocessors: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?.max(1)
            as usize,
    })
}

/// The elements of a contiguous operand.
pub(super) fn part<'a, T: CudaDType>(
    storage: &'a CudaStorage,
    layout: &Layout,
) -> Result<CudaView<'a, T>> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(storage.as_cuda_slice::<T>()?.slice(start..end)),
        None => bail!("the CUDA kernels take contiguous tensors"),
    }
}

/// The elements of a tensor, out of its `storage_and_layout`.
pub(super) fn view<'a, T: CudaDType>(
    (storage, layout): &'a (StorageRef<'_>, &Layout),
) -> Result<CudaView<'a, T>> {
    match &**storage {
        Storage::Cuda(storage) => part(storage, layout),
        _ => bail!("the CUDA kernels take tensors on a CUDA device"),
    }
}

/// The device of a tensor that a kernel takes.
pub(super) fn device(tensor: &Tensor) -> Result<CudaDevice> {
    match tensor.device() {
        Device::Cuda(device) => Ok(device.clone()),
        _ => bail!("the CUDA kernels take tensors on a CUDA device"),
    }
}

/// A tensor without a graph.
pub(super) fn tensor<T: CudaDType>(
    slice: CudaSlice<T>,
    device: &CudaDevice,
    shape: impl Into<Shape>,
) -> Tensor {
    let storage = CudaStorage::wrap_cuda_slice(slice, device.clone());
    leaf(Storage::Cuda(storage), &shape.into())
}

/// `count` threads, and some more, in blocks of 256.
pub(super) fn spread(count: usize) -> Result<LaunchConfig> {
    const THREADS: u32 = 256;
    match u32::try_from(count.div_ceil(THREADS as usize)) {
        Ok(blocks) if i32::try_from(blocks).is_ok() => Ok(LaunchConfig {
            grid_dim: (blocks, 1, 1),
            block_dim: (THREADS, 1, 1),
            shared_mem_bytes: 0,
        }),
        _ => bail!("{count} elements are more than a CUDA launch takes"),
    }
}
