//! The gradient of an embedding table by rows, summed on the device in the order of the batch.

use candle_core::cuda::CudaDType;
use candle_core::cuda::WrapErr;
use candle_core::cuda::cudarc::driver::{DeviceRepr, LaunchConfig, PushKernelArg};
use candle_core::{DType, Result, Tensor, bail};

use super::module::{Source, device, function, tensor, view};

/// `sums[slots[j]] += gradient[positions[j]]`, in the order of `j`: the same bits every time.
///
/// # Shapes
/// `gradient`: `[n, dimensions]`; `slots`, each below `rows`, and `positions`, each below `n`, are of the
/// same length; result: `[rows, dimensions]`
///
/// # Errors
/// If a slot or a position is out of range, or the gradient is not contiguous f32 or f64 on a CUDA device.
pub(crate) fn sum_rows(
    gradient: &Tensor,
    rows: usize,
    slots: &[u32],
    positions: &[u32],
) -> Result<Tensor> {
    let (n, _) = gradient.dims2()?;
    if slots.len() != positions.len()
        || slots.iter().any(|&slot| slot as usize >= rows)
        || positions.iter().any(|&position| position as usize >= n)
    {
        bail!("{rows} rows and {n} positions do not hold all that are to be summed");
    }
    let (starts, sorted) = by_slot(rows, slots, positions);
    match gradient.dtype() {
        DType::F32 => summed::<f32>(gradient, &starts, &sorted, "sum_rows_f32"),
        DType::F64 => summed::<f64>(gradient, &starts, &sorted, "sum_rows_f64"),
        other => bail!("the gradient of an embedding is f32 or f64, not {other:?}"),
    }
}

/// Positions slot by slot, in their order, and where each slot's start (one more at the end).
pub(super) fn by_slot(rows: usize, slots: &[u32], positions: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0; rows + 1];
    for &slot in slots {
        starts[slot as usize + 1] += 1;
    }
    for row in 0..rows {
        starts[row + 1] += starts[row];
    }
    let (mut next, mut sorted) = (starts.clone(), vec![0; positions.len()]);
    for (&slot, &position) in slots.iter().zip(positions) {
        let at = &mut next[slot as usize];
        sorted[*at as usize] = position;
        *at += 1;
    }
    (starts, sorted)
}

fn summed<T: CudaDType + DeviceRepr>(
    gradient: &Tensor,
    starts: &[u32],
    positions: &[u32],
    kernel: &str,
) -> Result<Tensor> {
    let device = device(gradient)?;
    let (_, dimensions) = gradient.dims2()?;
    let rows = starts.len() - 1;
    if rows * dimensions == 0 || positions.is_empty() {
        return Tensor::zeros((rows, dimensions), gradient.dtype(), gradient.device());
    }
    let guard = gradient.storage_and_layout();
    let gradient = view::<T>(&guard)?;
    // SAFETY: every block writes all of its row.
    let mut sums = unsafe { device.alloc::<T>(rows * dimensions)? };
    let (starts, positions) = (device.clone_htod(starts)?, device.clone_htod(positions)?);
    let function = function(&device, Source::Rows, kernel)?;
    let stream = device.cuda_stream();
    let width = dimensions as u32;
    let mut builder = stream.launch_builder(&function);
    builder.arg(&width).arg(&starts).arg(&positions).arg(&gradient).arg(&mut sums);
    let config = LaunchConfig {
        grid_dim: (rows as u32, 1, 1),
        block_dim: (width.next_multiple_of(32).min(256), 1, 1),
        shared_mem_bytes: 0,
    };
    // SAFETY: the arguments are those of the kernel's signature, in its order; there is a block a row,
    // and `sum_rows` has checked that all positions lie in the gradient.
    unsafe { builder.launch(config) }.w()?;
    Ok(tensor(sums, &device, (rows, dimensions)))
}
