//! One layer's whole sequence, both directions, as one differentiable operation.
//!
//! candle records every tensor operation. A network written step by step leaves dozens of nodes a step:
//! quadratic time in the backward pass, and a stack overflow on a review of a few thousand tokens.
//! So a layer is a single [`CustomOp3`] with a hand-written backward:
//!
//! - inputs: packed steps `[total, input_size]`; all weights of the layer in one vector
//!   ([`LayerShape::weight_ranges`]); the initial states in one vector ([`LayerShape::state_len`])
//! - result: one vector, `h_seq | h_n | c_n` ([`LayerShape::output_len`])
//!
//! The CPU runs [`cpu`], CUDA the persistent kernels of `cuda`; what neither takes runs [`steps`], the
//! same equations as tensor operations.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::backend::{BackendDevice as _, BackendStorage as _};
use candle_core::{
    CpuStorage, CudaStorage, CustomOp3, DType, Layout, Result, Shape, Storage, Tensor, WithDType,
    bail,
};

use crate::config::{Activations, Cell, Precision};
use crate::packed::Packing;

pub(crate) mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
pub(crate) mod steps;

#[cfg(test)]
mod tests;

/// The sizes of one layer on one batch.
#[derive(Debug, Clone)]
pub(crate) struct LayerShape {
    pub(crate) cell: Cell,
    pub(crate) input_size: usize,
    pub(crate) hidden_size: usize,
    /// Features of h where a projection makes them fewer than those of c (LSTM only).
    pub(crate) proj_size: Option<usize>,
    pub(crate) directions: usize,
    pub(crate) bias: bool,
    pub(crate) precision: Precision,
    pub(crate) activations: Activations,
    pub(crate) packing: Arc<Packing>,
}

/// Where one direction's parameters lie in the layer's weight vector.
pub(crate) struct WeightRanges {
    /// `[gate_rows, input_size]`
    pub(crate) weight_ih: Range<usize>,
    /// `[gate_rows, output_size]`
    pub(crate) weight_hh: Range<usize>,
    /// `[gate_rows]`, or empty
    pub(crate) bias_ih: Range<usize>,
    /// `[gate_rows]`, or empty
    pub(crate) bias_hh: Range<usize>,
    /// `[proj_size, hidden_size]`, or empty
    pub(crate) weight_hr: Range<usize>,
}

impl LayerShape {
    /// Rows of the stacked weights: gates times hidden units.
    pub(crate) fn gate_rows(&self) -> usize {
        self.cell.num_gates() * self.hidden_size
    }

    /// Features of h.
    pub(crate) fn output_size(&self) -> usize {
        self.proj_size.unwrap_or(self.hidden_size)
    }

    pub(crate) fn batch(&self) -> usize {
        self.packing.batch_size()
    }

    pub(crate) fn total(&self) -> usize {
        self.packing.total()
    }

    /// Parameters of one direction.
    #[cfg(any(test, feature = "cuda"))]
    pub(crate) fn weights_per_direction(&self) -> usize {
        self.weight_ranges(0).weight_hr.end
    }

    /// Weights lie direction by direction, each in PyTorch's order.
    pub(crate) fn weight_ranges(&self, direction: usize) -> WeightRanges {
        let rows = self.gate_rows();
        let bias = if self.bias { rows } else { 0 };
        let projection = self.proj_size.map_or(0, |size| size * self.hidden_size);
        let per_direction = rows * (self.input_size + self.output_size()) + 2 * bias + projection;
        let start = direction * per_direction;
        let weight_ih = start..start + rows * self.input_size;
        let weight_hh = weight_ih.end..weight_ih.end + rows * self.output_size();
        let bias_ih = weight_hh.end..weight_hh.end + bias;
        let bias_hh = bias_ih.end..bias_ih.end + bias;
        let weight_hr = bias_hh.end..bias_hh.end + projection;
        WeightRanges { weight_ih, weight_hh, bias_ih, bias_hh, weight_hr }
    }

    /// Elements of `h_seq`, `[total, directions * output_size]`.
    pub(crate) fn sequence_len(&self) -> usize {
        self.total() * self.directions * self.output_size()
    }

    /// Elements of `h_n`, `[directions, batch, output_size]`.
    pub(crate) fn h_len(&self) -> usize {
        self.directions * self.batch() * self.output_size()
    }

    /// Elements of `c_n`, `[directions, batch, hidden_size]`; none where the cell has no memory.
    pub(crate) fn c_len(&self) -> usize {
        if self.cell == Cell::Lstm { self.directions * self.batch() * self.hidden_size } else { 0 }
    }

    /// Elements of the initial (and final) states: h, then c.
    pub(crate) fn state_len(&self) -> usize {
        self.h_len() + self.c_len()
    }

    pub(crate) fn output_len(&self) -> usize {
        self.sequence_len() + self.state_len()
    }

    /// The order in which a direction visits the steps: the second one starts at each sequence's end.
    pub(crate) fn step_order(&self, direction: usize) -> Vec<usize> {
        let steps = 0..self.packing.num_steps();
        if direction == 0 { steps.collect() } else { steps.rev().collect() }
    }

    /// The step a direction visits before `t`, if `t` is not its first.
    pub(crate) fn previous_step(&self, direction: usize, t: usize) -> Option<usize> {
        if direction == 0 {
            t.checked_sub(1)
        } else {
            (t + 1 < self.packing.num_steps()).then_some(t + 1)
        }
    }
}

/// What a forward pass keeps for the backward pass.
pub(crate) enum Saved {
    F32(cpu::Saved<f32>),
    F64(cpu::Saved<f64>),
    #[cfg(feature = "cuda")]
    Cuda(cuda::Saved),
    Steps(steps::Saved),
}

impl std::fmt::Debug for LayerSequence {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LayerSequence").field("shape", &self.shape).finish_non_exhaustive()
    }
}

/// The operation, made anew for every call: it carries that call's saved activations.
pub(crate) struct LayerSequence {
    shape: LayerShape,
    keep: bool,
    context: Arc<cpu::Context>,
    saved: Mutex<Option<Saved>>,
}

impl LayerSequence {
    /// `keep` keeps what a backward pass needs.
    pub(crate) fn new(shape: LayerShape, keep: bool, context: Arc<cpu::Context>) -> Self {
        Self { shape, keep, context, saved: Mutex::new(None) }
    }

    /// The layer's sizes on its batch.
    pub(crate) fn shape(&self) -> &LayerShape {
        &self.shape
    }

    fn save(&self, saved: Option<Saved>) {
        *self.saved.lock().unwrap_or_else(PoisonError::into_inner) = saved;
    }

    fn fused<T: cpu::Real>(
        &self,
        [x, weights, state]: [(&[T], &Layout); 3],
        wrap: fn(cpu::Saved<T>) -> Saved,
    ) -> Result<Vec<T>> {
        let inputs = [part(x.0, x.1)?, part(weights.0, weights.1)?, part(state.0, state.1)?];
        let (output, saved) = cpu::forward(&self.shape, inputs, self.keep, &self.context);
        self.save(saved.map(wrap));
        Ok(output)
    }

    /// As tensor operations, for what has no kernel of its own.
    fn stepwise(&self, inputs: [Tensor; 3]) -> Result<Tensor> {
        if self.shape.precision != Precision::F32 {
            bail!(
                "a layer of this cell and size has no kernel in bf16 here; its precision must be f32"
            );
        }
        let [x, weights, state] = inputs;
        let (output, saved) = steps::forward(&self.shape, &x, &weights, &state)?;
        self.save(self.keep.then_some(Saved::Steps(saved)));
        Ok(output)
    }
}

impl CustomOp3 for LayerSequence {
    fn name(&self) -> &'static str {
        "recurrent-layer"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if self.shape.precision != Precision::F32 {
            bail!("bf16 recurrent weights need a CUDA device; on the CPU the precision is f32");
        }
        let shape = self.shape.output_len().into();
        if !cpu::takes(&self.shape) {
            let inputs = [owned(s1, l1)?, owned(s2, l2)?, owned(s3, l3)?]
                .map(|(storage, shape)| leaf(Storage::Cpu(storage), &shape));
            let output = self.stepwise(inputs)?;
            let (storage, layout) = output.storage_and_layout();
            return match &*storage {
                Storage::Cpu(storage) => owned(storage, layout),
                _ => bail!("the layer's steps left the CPU"),
            };
        }
        let output = match (s1, s2, s3) {
            (CpuStorage::F32(x), CpuStorage::F32(weights), CpuStorage::F32(state)) => {
                CpuStorage::F32(self.fused([(x, l1), (weights, l2), (state, l3)], Saved::F32)?)
            }
            (CpuStorage::F64(x), CpuStorage::F64(weights), CpuStorage::F64(state)) => {
                CpuStorage::F64(self.fused([(x, l1), (weights, l2), (state, l3)], Saved::F64)?)
            }
            _ => bail!("a recurrent layer takes f32 or f64, the same for all its inputs"),
        };
        Ok((output, shape))
    }

    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
        s3: &CudaStorage,
        l3: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let inputs = [owned_on_device(s1, l1)?, owned_on_device(s2, l2)?, owned_on_device(s3, l3)?]
            .map(|(storage, shape)| leaf(Storage::Cuda(storage), &shape));
        let output = self.on_device(inputs)?;
        let (storage, layout) = output.storage_and_layout();
        match &*storage {
            Storage::Cuda(storage) => owned_on_device(storage, layout),
            _ => bail!("the layer's steps left the CUDA device"),
        }
    }

    fn bwd(
        &self,
        x: &Tensor,
        weights: &Tensor,
        state: &Tensor,
        output: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (sequence, last) = (self.shape.sequence_len(), self.shape.state_len());
        let grad = grad.contiguous()?.detach();
        let grads = (Some(&grad.narrow(0, 0, sequence)?), &grad.narrow(0, sequence, last)?);
        let inputs = [x, weights, state, output].map(Tensor::detach);
        let [dx, dweights, dstate] = self.backward(&inputs, grads)?;
        Ok((Some(dx), Some(dweights), Some(dstate)))
    }
}

impl LayerSequence {
    /// The gradients of x, weights and initial states, out of those of `h_seq` (zero where there is none)
    /// and of `h_n | c_n`. Nothing of it has a graph.
    pub(crate) fn backward(
        &self,
        inputs: &[Tensor; 4],
        grads: (Option<&Tensor>, &Tensor),
    ) -> Result<[Tensor; 3]> {
        let saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner).take();
        match saved {
            Some(Saved::F32(saved)) => self.backward_on_cpu(saved, inputs, grads),
            Some(Saved::F64(saved)) => self.backward_on_cpu(saved, inputs, grads),
            #[cfg(feature = "cuda")]
            Some(Saved::Cuda(saved)) => {
                cuda::backward(&self.shape, &saved, &self.with_whole_gradient(inputs, grads)?)
            }
            Some(Saved::Steps(saved)) => {
                steps::backward(&self.shape, &saved, &self.with_whole_gradient(inputs, grads)?)
            }
            None => bail!("a recurrent layer can go backward once for every forward pass"),
        }
    }

    /// The gradient in one vector, behind the inputs.
    fn with_whole_gradient(
        &self,
        [x, weights, state, output]: &[Tensor; 4],
        (sequence, last): (Option<&Tensor>, &Tensor),
    ) -> Result<[Tensor; 5]> {
        let sequence = match sequence {
            Some(sequence) => sequence.flatten_all()?,
            None => output.narrow(0, 0, self.shape.sequence_len())?.zeros_like()?,
        };
        let grad = Tensor::cat(&[&sequence, last], 0)?;
        Ok([x.clone(), weights.clone(), state.clone(), output.clone(), grad])
    }

    /// The persistent kernels where they take the layer, tensor operations where they do not.
    fn on_device(&self, inputs: [Tensor; 3]) -> Result<Tensor> {
        #[cfg(feature = "cuda")]
        if let Some((output, saved)) = cuda::forward(&self.shape, &inputs, self.keep)? {
            self.save(saved.map(Saved::Cuda));
            return Ok(output);
        }
        self.stepwise(inputs)
    }

    fn backward_on_cpu<T: cpu::Real + WithDType>(
        &self,
        saved: cpu::Saved<T>,
        inputs: &[Tensor; 4],
        (sequence, last): (Option<&Tensor>, &Tensor),
    ) -> Result<[Tensor; 3]> {
        let [x, weights, state, output] = inputs;
        // `last` stands in for a gradient that is not there.
        let operands = [x, weights, state, output, last, sequence.unwrap_or(last)];
        let guards = operands.map(Tensor::storage_and_layout);
        let mut slices = [[].as_slice(); 6];
        for (slice, (storage, layout)) in slices.iter_mut().zip(&guards) {
            let Storage::Cpu(storage) = &**storage else {
                bail!("the layer's backward left the CPU");
            };
            *slice = part(storage.as_slice::<T>()?, layout)?;
        }
        let [x_values, weight_values, state_values, output, last, grad] = slices;
        let inputs = [x_values, weight_values, state_values, output];
        let grads = (sequence.map(|_| grad), last);
        let gradients = cpu::backward(&self.shape, saved, inputs, grads, &self.context);
        let device = x.device();
        Ok([
            Tensor::from_vec(gradients.x, x.shape(), device)?,
            Tensor::from_vec(gradients.weights, weights.shape(), device)?,
            Tensor::from_vec(gradients.state, state.shape(), device)?,
        ])
    }
}

/// A tensor without a graph.
fn leaf(storage: Storage, shape: &Shape) -> Tensor {
    let op = candle_core::op::BackpropOp::none();
    Tensor::from_storage(storage, shape.clone(), op, false)
}

/// A contiguous operand's elements on their own.
fn owned(storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
    let storage = match storage {
        CpuStorage::F32(values) => CpuStorage::F32(part(values, layout)?.to_vec()),
        CpuStorage::F64(values) => CpuStorage::F64(part(values, layout)?.to_vec()),
        _ => bail!("a recurrent layer takes f32 or f64, the same for all its inputs"),
    };
    Ok((storage, layout.shape().clone()))
}

/// An operand's elements on their own (a storage's `try_clone` has all of the storage, whatever the layout).
fn owned_on_device(storage: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
    // SAFETY: every element is written before anybody reads it.
    let mut own = unsafe { storage.device().alloc_uninit(layout.shape(), storage.dtype())? };
    storage.copy_strided_src(&mut own, 0, layout)?;
    Ok((own, layout.shape().clone()))
}

/// The elements of a contiguous operand.
fn part<'a, T>(storage: &'a [T], layout: &Layout) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage[start..end]),
        None => bail!("a recurrent layer takes contiguous tensors"),
    }
}

/// Whether a layer can compute in this type.
pub(crate) fn supports(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::F64)
}
