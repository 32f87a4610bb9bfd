//! One layer's whole sequence, both directions, as one differentiable operation.
//!
//! candle records every tensor operation. An LSTM written step by step leaves dozens of nodes a step:
//! quadratic time in the backward pass, and a stack overflow on a review of a few thousand tokens.
//! So a layer is a single [`CustomOp3`] with a hand-written backward:
//!
//! - inputs: packed steps `[total, input_size]`; all weights of the layer in one vector
//!   ([`LayerShape::weight_ranges`]); initial states `[2, directions, batch, hidden_size]` (h, then c)
//! - result: one vector, `h_seq | h_n | c_n` ([`LayerShape::output_len`])
//!
//! The CPU runs [`cpu`]; other devices run [`steps`], the same equations as tensor operations.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{
    CpuStorage, CudaStorage, CustomOp3, DType, Layout, Result, Shape, Storage, Tensor, WithDType,
    bail,
};

use crate::cell::NUM_GATES;
use crate::packed::Packing;

pub(crate) mod cpu;
pub(crate) mod pointwise;
pub(crate) mod steps;

#[cfg(test)]
mod tests;

/// The sizes of one layer on one batch.
#[derive(Debug, Clone)]
pub(crate) struct LayerShape {
    pub(crate) input_size: usize,
    pub(crate) hidden_size: usize,
    pub(crate) directions: usize,
    pub(crate) bias: bool,
    pub(crate) packing: Arc<Packing>,
}

/// Where one direction's parameters lie in the layer's weight vector.
pub(crate) struct WeightRanges {
    /// `[4 * hidden_size, input_size]`
    pub(crate) weight_ih: Range<usize>,
    /// `[4 * hidden_size, hidden_size]`
    pub(crate) weight_hh: Range<usize>,
    /// `[4 * hidden_size]`, or empty
    pub(crate) bias_ih: Range<usize>,
    /// `[4 * hidden_size]`, or empty
    pub(crate) bias_hh: Range<usize>,
}

impl LayerShape {
    pub(crate) fn gate_rows(&self) -> usize {
        NUM_GATES * self.hidden_size
    }

    pub(crate) fn batch(&self) -> usize {
        self.packing.batch_size()
    }

    pub(crate) fn total(&self) -> usize {
        self.packing.total()
    }

    /// Parameters of one direction.
    pub(crate) fn weights_per_direction(&self) -> usize {
        let biases = if self.bias { 2 } else { 0 };
        self.gate_rows() * (self.input_size + self.hidden_size + biases)
    }

    /// Weights lie direction by direction, each in PyTorch's order.
    pub(crate) fn weight_ranges(&self, direction: usize) -> WeightRanges {
        let rows = self.gate_rows();
        let start = direction * self.weights_per_direction();
        let weight_ih = start..start + rows * self.input_size;
        let weight_hh = weight_ih.end..weight_ih.end + rows * self.hidden_size;
        let bias = if self.bias { rows } else { 0 };
        let bias_ih = weight_hh.end..weight_hh.end + bias;
        let bias_hh = bias_ih.end..bias_ih.end + bias;
        WeightRanges { weight_ih, weight_hh, bias_ih, bias_hh }
    }

    /// Elements of `h_seq`, `[total, directions * hidden_size]`.
    pub(crate) fn sequence_len(&self) -> usize {
        self.total() * self.directions * self.hidden_size
    }

    /// Elements of `h_n` or `c_n`, `[directions, batch, hidden_size]`.
    pub(crate) fn state_len(&self) -> usize {
        self.directions * self.batch() * self.hidden_size
    }

    pub(crate) fn output_len(&self) -> usize {
        self.sequence_len() + 2 * self.state_len()
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
    Steps(steps::Saved),
}

/// The operation, made anew for every call: it carries that call's saved activations.
pub(crate) struct LayerSequence {
    shape: LayerShape,
    keep: bool,
    saved: Mutex<Option<Saved>>,
}

impl LayerSequence {
    /// `keep` keeps the activations that a backward pass needs.
    pub(crate) fn new(shape: LayerShape, keep: bool) -> Self {
        Self { shape, keep, saved: Mutex::new(None) }
    }

    fn save(&self, saved: Option<Saved>) {
        *self.saved.lock().unwrap_or_else(PoisonError::into_inner) = saved;
    }

    fn on_cpu<T: cpu::Real>(&self, inputs: [&[T]; 3]) -> (Vec<T>, Option<cpu::Saved<T>>) {
        let [x, weights, state] = inputs;
        cpu::forward(&self.shape, x, weights, state, self.keep)
    }
}

impl CustomOp3 for LayerSequence {
    fn name(&self) -> &'static str {
        "lstm-layer"
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
        let output = match (s1, s2, s3) {
            (CpuStorage::F32(x), CpuStorage::F32(weights), CpuStorage::F32(state)) => {
                let inputs = [part(x, l1)?, part(weights, l2)?, part(state, l3)?];
                let (output, saved) = self.on_cpu(inputs);
                self.save(saved.map(Saved::F32));
                CpuStorage::F32(output)
            }
            (CpuStorage::F64(x), CpuStorage::F64(weights), CpuStorage::F64(state)) => {
                let inputs = [part(x, l1)?, part(weights, l2)?, part(state, l3)?];
                let (output, saved) = self.on_cpu(inputs);
                self.save(saved.map(Saved::F64));
                CpuStorage::F64(output)
            }
            _ => bail!("an LSTM layer takes f32 or f64, the same for all its inputs"),
        };
        Ok((output, self.shape.output_len().into()))
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
        use candle_core::backend::BackendStorage;
        let tensor = |storage: &CudaStorage, layout: &Layout| -> Result<Tensor> {
            let copy = Storage::Cuda(storage.try_clone(layout)?);
            let op = candle_core::op::BackpropOp::none();
            let flat = Tensor::from_storage(copy, layout.shape().clone(), op, false);
            Ok(flat)
        };
        let (output, saved) =
            steps::forward(&self.shape, &tensor(s1, l1)?, &tensor(s2, l2)?, &tensor(s3, l3)?)?;
        self.save(self.keep.then_some(Saved::Steps(saved)));
        let (storage, layout) = output.storage_and_layout();
        match &*storage {
            Storage::Cuda(storage) => Ok((storage.try_clone(layout)?, layout.shape().clone())),
            _ => bail!("the LSTM's steps left the CUDA device"),
        }
    }

    fn bwd(
        &self,
        x: &Tensor,
        weights: &Tensor,
        state: &Tensor,
        _output: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner).take();
        let inputs = [x, weights, state, grad];
        let [dx, dweights, dstate] = match saved {
            Some(Saved::F32(saved)) => backward_on_cpu(&self.shape, saved, inputs)?,
            Some(Saved::F64(saved)) => backward_on_cpu(&self.shape, saved, inputs)?,
            Some(Saved::Steps(saved)) => steps::backward(&self.shape, &saved, inputs)?,
            None => bail!("an LSTM layer can go backward once for every forward pass"),
        };
        Ok((Some(dx), Some(dweights), Some(dstate)))
    }
}

fn backward_on_cpu<T: cpu::Real + WithDType>(
    shape: &LayerShape,
    saved: cpu::Saved<T>,
    inputs: [&Tensor; 4],
) -> Result<[Tensor; 3]> {
    let [x, weights, state, grad] = inputs;
    let contiguous = grad.contiguous()?;
    let guards = [x, weights, state, &contiguous].map(Tensor::storage_and_layout);
    let mut slices = [[].as_slice(); 4];
    for (slice, (storage, layout)) in slices.iter_mut().zip(&guards) {
        let Storage::Cpu(storage) = &**storage else {
            bail!("the LSTM's backward left the CPU");
        };
        *slice = part(storage.as_slice::<T>()?, layout)?;
    }
    let [x_slice, weights_slice, state_slice, grad_slice] = slices;
    let inputs = [x_slice, weights_slice, state_slice];
    let gradients = cpu::backward(shape, saved, inputs, grad_slice);
    let device = x.device();
    Ok([
        Tensor::from_vec(gradients.x, x.shape(), device)?,
        Tensor::from_vec(gradients.weights, weights.shape(), device)?,
        Tensor::from_vec(gradients.state, state.shape(), device)?,
    ])
}

/// The elements of a contiguous operand.
fn part<'a, T>(storage: &'a [T], layout: &Layout) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage[start..end]),
        None => bail!("an LSTM layer takes contiguous tensors"),
    }
}

/// Whether a layer can compute in this type.
pub(crate) fn supports(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::F64)
}
