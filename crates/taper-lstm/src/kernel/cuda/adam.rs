//! Adam's update of a tensor in one pass on the device, with the bits of the CPU's.

use std::cell::Cell;

use candle_core::cuda::WrapErr;
use candle_core::cuda::cudarc::driver::{CudaView, CudaViewMut, PushKernelArg};
use candle_core::{
    CpuStorage, CudaDevice, CudaStorage, InplaceOp1, Layout, Result, Shape, Tensor, bail,
};

use super::module::{Source, device, function, spread, view};

/// Adam's numbers at one step:
///
/// ```text
/// m = beta1 m + (1 - beta1) g
/// v = beta2 v + (1 - beta2) g^2
/// p = shrink p - step_size m / (denominator_scale sqrt(v) + epsilon)
/// ```
///
/// Moments below 1e-30 become 0. (Kingma and Ba 2015; `shrink` is `AdamW`'s decay, Loshchilov and Hutter 2019.)
#[derive(Debug, Clone, Copy)]
pub struct AdamStep {
    /// How much of the first moment is kept.
    pub beta1: f64,
    /// How much of the second moment is kept.
    pub beta2: f64,
    /// The learning rate over the first moment's bias.
    pub step_size: f64,
    /// One over the root of the second moment's bias.
    pub denominator_scale: f64,
    /// Added to the denominator.
    pub epsilon: f64,
    /// What the parameter is multiplied with first; 1 without decay.
    pub shrink: f64,
}

/// A gradient, whole or by rows.
#[derive(Debug, Clone, Copy)]
pub enum AdamGradient<'a> {
    /// In the parameter's shape.
    Dense(&'a Tensor),
    /// Zero but for some rows of a parameter `[rows, columns]`, each named once.
    Rows {
        /// Their numbers.
        rows: &'a [u32],
        /// Their gradients, `[rows.len(), columns]`.
        values: &'a Tensor,
    },
}

impl AdamStep {
    /// `Settings` in `adam.cu`, rounded as on the CPU.
    fn settings(&self) -> [f32; 8] {
        let Self { beta1, beta2, step_size, denominator_scale, epsilon, shrink } = *self;
        [beta1, 1.0 - beta1, beta2, 1.0 - beta2, step_size, denominator_scale, epsilon, shrink]
            .map(|number| number as f32)
    }
}

/// Moves `parameter` and its two moments in place. Rows without a gradient have one of zero: their
/// moments decay and they still move.
///
/// The three are separate tensors of one shape, contiguous f32 on a CUDA device, as is the gradient.
///
/// # Errors
/// If a tensor is of another shape, type or device, or a row is none of the parameter's.
pub fn adam_step(
    [parameter, first, second]: [&Tensor; 3],
    gradient: AdamGradient,
    step: &AdamStep,
) -> Result<()> {
    let device = device(parameter)?;
    let shape = parameter.shape();
    let (slots, width, values) = match gradient {
        AdamGradient::Dense(gradient) => (vec![-1], 0, gradient),
        AdamGradient::Rows { rows, values } => {
            let (count, columns) = parameter.dims2()?;
            (slots(rows, count)?, columns, values)
        }
    };
    let expected = match gradient {
        AdamGradient::Dense(_) => shape.clone(),
        AdamGradient::Rows { rows, .. } => (rows.len(), width).into(),
    };
    if first.shape() != shape || second.shape() != shape || *values.shape() != expected {
        bail!(
            "Adam's moments are {:?} and {:?}, its gradient {:?}; expected {shape:?} and {expected:?}",
            first.shape(),
            second.shape(),
            values.shape()
        );
    }
    if shape.elem_count() == 0 {
        return Ok(());
    }
    let slots = device.clone_htod(&slots)?;
    let guard = values.storage_and_layout();
    let update = Update {
        settings: step.settings(),
        width,
        gradient: view(&guard)?,
        slots: slots.as_view(),
    };
    exclusively(parameter, |parameter, p| {
        exclusively(first, |first, m| {
            exclusively(second, |second, v| {
                update.run(&device, shape, [(parameter, p), (first, m), (second, v)])
            })
        })
    })
}

/// For every row of the parameter, where its gradient is, or -1.
pub(super) fn slots(rows: &[u32], count: usize) -> Result<Vec<i32>> {
    let mut slots = vec![-1; count];
    for (slot, &row) in (0..).zip(rows) {
        match slots.get_mut(row as usize) {
            Some(place) => *place = slot,
            None => bail!("there is a gradient for row {row} of {count}"),
        }
    }
    Ok(slots)
}

struct Update<'a> {
    settings: [f32; 8],
    /// Columns of a gradient by rows, 0 for a dense one.
    width: usize,
    gradient: CudaView<'a, f32>,
    slots: CudaView<'a, i32>,
}

impl Update<'_> {
    fn run(
        &self,
        device: &CudaDevice,
        shape: &Shape,
        moved: [(&mut CudaStorage, &Layout); 3],
    ) -> Result<()> {
        let [parameter, first, second] = moved;
        let mut parameter = part_mut(parameter)?;
        let (mut first, mut second) = (part_mut(first)?, part_mut(second)?);
        let (count, width) = (shape.elem_count(), self.width as u32);
        let function = function(device, Source::Adam, "adam")?;
        let stream = device.cuda_stream();
        let length = count as u64;
        let mut builder = stream.launch_builder(&function);
        builder.arg(&length).arg(&width).arg(&self.settings).arg(&self.slots).arg(&self.gradient);
        builder.arg(&mut parameter).arg(&mut first).arg(&mut second);
        // SAFETY: the arguments are those of the kernel's signature, in its order; `adam_step` has compared
        // the shapes, there is a slot for every row, and threads past `count` return.
        unsafe { builder.launch(spread(count)?) }.w()?;
        Ok(())
    }
}

fn part_mut<'a>((storage, layout): (&'a mut CudaStorage, &Layout)) -> Result<CudaViewMut<'a, f32>> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(storage.as_cuda_slice_mut::<f32>()?.slice_mut(start..end)),
        None => bail!("the optimizer takes contiguous tensors"),
    }
}

/// Hands out a tensor's storage for writing: candle lends it to in-place operations only.
struct Exclusive<F>(Cell<Option<F>>);

fn exclusively<F>(tensor: &Tensor, with: F) -> Result<()>
where
    F: FnOnce(&mut CudaStorage, &Layout) -> Result<()>,
{
    tensor.inplace_op1(&Exclusive(Cell::new(Some(with))))
}

impl<F: FnOnce(&mut CudaStorage, &Layout) -> Result<()>> InplaceOp1 for Exclusive<F> {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn cpu_fwd(&self, _: &mut CpuStorage, _: &Layout) -> Result<()> {
        bail!("this update is CUDA's; on the CPU the optimizer has its own")
    }

    fn cuda_fwd(&self, storage: &mut CudaStorage, layout: &Layout) -> Result<()> {
        match self.0.take() {
            Some(with) => with(storage, layout),
            None => Ok(()),
        }
    }
}
