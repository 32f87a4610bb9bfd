//! The gates of one step as single operations, for [`super::steps`]: on CUDA one kernel launch
//! (`pointwise.cu`), on the CPU the plain equations that the kernel mirrors.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, WithDType, bail};

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;

use super::cpu::Real;
use super::part;

#[cfg(feature = "cuda")]
mod cuda;

/// `[alive, 4 * hidden]` pre-activations and `[alive, hidden]` memory to i, f, g, o, c, h:
/// `[alive, 6 * hidden]`.
pub(super) struct GatesForward;

/// Activations `[alive, 6 * hidden]`, the memory before `[alive, hidden]` and (dh, dc)
/// `[alive, 2 * hidden]` to the gradients of the pre-activations and of the memory before:
/// `[alive, 5 * hidden]`.
pub(super) struct GatesBackward;

fn forward<T: Real>(gates: &[T], c: &[T], hidden: usize) -> Vec<T> {
    let mut result = vec![T::default(); 6 * c.len()];
    for (at, &c) in c.iter().enumerate() {
        let (row, u) = (at / hidden, at % hidden);
        let gate = |gate: usize| gates[(4 * row + gate) * hidden + u];
        let i = T::sigmoid::<false>(gate(0));
        let f = T::sigmoid::<false>(gate(1));
        let g = T::tanh::<false>(gate(2));
        let o = T::sigmoid::<false>(gate(3));
        let c = (f * c + i * g).flush();
        let h = (o * T::tanh::<false>(c)).flush();
        for (place, value) in [i, f, g, o, c, h].into_iter().enumerate() {
            result[(6 * row + place) * hidden + u] = value;
        }
    }
    result
}

fn backward<T: Real>(activations: &[T], c_previous: &[T], states: &[T], hidden: usize) -> Vec<T> {
    let mut result = vec![T::default(); 5 * c_previous.len()];
    for (at, &c_previous) in c_previous.iter().enumerate() {
        let (row, u) = (at / hidden, at % hidden);
        let [i, f, g, o, c] = [0, 1, 2, 3, 4].map(|p| activations[(6 * row + p) * hidden + u]);
        let [dh, dc] = [0, 1].map(|place| states[(2 * row + place) * hidden + u]);
        let tanh_c = T::tanh::<false>(c);
        let dc = dc + dh * o * (T::ONE - tanh_c * tanh_c);
        let gradients = [
            dc * g * i * (T::ONE - i),
            dc * c_previous * f * (T::ONE - f),
            dc * i * (T::ONE - g * g),
            dh * tanh_c * o * (T::ONE - o),
            dc * f,
        ];
        for (place, value) in gradients.into_iter().enumerate() {
            result[(5 * row + place) * hidden + u] = value.flush();
        }
    }
    result
}

/// The result's shape, `[alive, numbers * hidden]`, and `hidden`, off the memory's layout.
fn result_shape(memory: &Layout, numbers: usize) -> Result<(Shape, usize)> {
    let (alive, hidden) = memory.shape().dims2()?;
    Ok(((alive, numbers * hidden).into(), hidden))
}

fn forward_on_cpu<T: Real + WithDType>(
    gates: (&CpuStorage, &Layout),
    c: (&CpuStorage, &Layout),
) -> Result<(CpuStorage, Shape)> {
    let (shape, hidden) = result_shape(c.1, 6)?;
    let gates = part(gates.0.as_slice::<T>()?, gates.1)?;
    let result = forward(gates, part(c.0.as_slice()?, c.1)?, hidden);
    Ok((T::to_cpu_storage_owned(result), shape))
}

fn backward_on_cpu<T: Real + WithDType>(
    activations: (&CpuStorage, &Layout),
    c_previous: (&CpuStorage, &Layout),
    states: (&CpuStorage, &Layout),
) -> Result<(CpuStorage, Shape)> {
    let (shape, hidden) = result_shape(c_previous.1, 5)?;
    let activations = part(activations.0.as_slice::<T>()?, activations.1)?;
    let c_previous = part(c_previous.0.as_slice()?, c_previous.1)?;
    let states = part(states.0.as_slice()?, states.1)?;
    let result = backward(activations, c_previous, states, hidden);
    Ok((T::to_cpu_storage_owned(result), shape))
}

impl CustomOp2 for GatesForward {
    fn name(&self) -> &'static str {
        "lstm-gates"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        match s1 {
            CpuStorage::F32(_) => forward_on_cpu::<f32>((s1, l1), (s2, l2)),
            CpuStorage::F64(_) => forward_on_cpu::<f64>((s1, l1), (s2, l2)),
            _ => bail!("LSTM gates take f32 or f64"),
        }
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let (shape, hidden) = result_shape(l2, 6)?;
        Ok((cuda::launch("lstm_gates_forward", hidden, &shape, &[(s1, l1), (s2, l2)])?, shape))
    }
}

impl CustomOp3 for GatesBackward {
    fn name(&self) -> &'static str {
        "lstm-gates-backward"
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
        match s1 {
            CpuStorage::F32(_) => backward_on_cpu::<f32>((s1, l1), (s2, l2), (s3, l3)),
            CpuStorage::F64(_) => backward_on_cpu::<f64>((s1, l1), (s2, l2), (s3, l3)),
            _ => bail!("LSTM gates take f32 or f64"),
        }
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
        s3: &CudaStorage,
        l3: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let (shape, hidden) = result_shape(l2, 5)?;
        let operands = [(s1, l1), (s2, l2), (s3, l3)];
        Ok((cuda::launch("lstm_gates_backward", hidden, &shape, &operands)?, shape))
    }
}
