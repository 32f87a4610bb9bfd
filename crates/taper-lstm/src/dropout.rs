//! Dropout whose mask is a function of (seed, stream, step, element), never stored.

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor, bail};

use crate::config::check_probability;
use crate::error::Result;
use crate::kernel::cpu;
use crate::random::Philox;

/// Whether a forward pass drops, and with which masks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is dropped; nothing is kept for a backward pass.
    Evaluate,
    /// Nothing is dropped, and what a backward pass needs is kept: gradients of what evaluation computes.
    Differentiate,
    /// Masks belong to this step of the run with this seed.
    Train {
        /// The run's seed.
        seed: u64,
        /// The optimizer step, counted over the whole run.
        step: u32,
    },
}

/// Inverted dropout (Srivastava et al. 2014): drops with probability `p`, scales the rest by `1 / (1 - p)`.
#[derive(Debug, Clone, Copy)]
pub struct Dropout {
    p: f64,
    stream: u32,
}

impl Dropout {
    /// Drops with probability `p`; `stream` tells this place in the model from all others.
    ///
    /// # Errors
    /// If `p` is not in `[0, 1)`.
    pub fn new(p: f64, stream: u32) -> Result<Self> {
        check_probability("dropout", p)?;
        Ok(Self { p, stream })
    }

    /// `x` of any shape, or `x` with elements dropped while training. Element `i` (row-major) meets
    /// the same fate on every device.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        self.forward_in(x, mode, &Arc::default())
    }

    /// [`Self::forward`], which takes the memory of its result from a model's workspace.
    pub(crate) fn forward_in(
        &self,
        x: &Tensor,
        mode: Mode,
        context: &Arc<cpu::Context>,
    ) -> Result<Tensor> {
        let Mode::Train { seed, step } = mode else {
            return Ok(x.clone());
        };
        if self.p == 0.0 {
            return Ok(x.clone());
        }
        let numbers = Philox::new(seed, self.stream, step);
        let mask = Mask { p: self.p, numbers, context: context.clone() };
        Ok(x.contiguous()?.apply_op1(mask)?)
    }

    /// Rows of `x` with one mask for all rows of a key: the variational dropout of Gal and Ghahramani (2016),
    /// where the key is the row's sequence. `keys` are below `count`.
    ///
    /// # Shapes
    /// `x`: `[keys.len(), features]`
    pub(crate) fn forward_locked(
        &self,
        x: &Tensor,
        keys: &[u32],
        count: usize,
        mode: Mode,
    ) -> Result<Tensor> {
        if self.p == 0.0 || mode == Mode::Evaluate {
            return Ok(x.clone());
        }
        let ones = Tensor::ones((count, x.dim(1)?), x.dtype(), x.device())?;
        let masks = self.forward(&ones, mode)?.detach();
        Ok((x * masks.index_select(&Tensor::new(keys, x.device())?, 0)?)?)
    }

    /// Rows of `x` dropped whole, every row of a key alike: the embedding dropout of Merity et al. (2018), where
    /// the key is the row's token.
    ///
    /// # Shapes
    /// `x`: `[keys.len(), features]`
    pub(crate) fn forward_rows(&self, x: &Tensor, keys: &[u32], mode: Mode) -> Result<Tensor> {
        let Mode::Train { seed, step } = mode else {
            return Ok(x.clone());
        };
        if self.p == 0.0 {
            return Ok(x.clone());
        }
        let numbers = Philox::new(seed, self.stream, step);
        let mask = Mask { p: self.p, numbers, context: Arc::default() };
        let factors: Vec<f32> = keys.iter().map(|&key| mask.factor(u64::from(key))).collect();
        let factors = Tensor::from_vec(factors, (keys.len(), 1), x.device())?;
        Ok(x.broadcast_mul(&factors.to_dtype(x.dtype())?)?)
    }
}

/// The operation on the CPU; its backward is itself, on the gradient.
struct Mask {
    p: f64,
    numbers: Philox,
    context: Arc<cpu::Context>,
}

impl Mask {
    fn threshold(&self) -> u32 {
        (self.p * (f64::from(u32::MAX) + 1.0)) as u32
    }

    fn scale(&self) -> f32 {
        (1.0 / (1.0 - self.p)) as f32
    }

    fn factor(&self, index: u64) -> f32 {
        if self.numbers.word(index) < self.threshold() { 0.0 } else { self.scale() }
    }
}

impl CustomOp1 for Mask {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(
        &self,
        storage: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("dropout needs a contiguous tensor");
        };
        let (numbers, threshold, scale) = (self.numbers, self.threshold(), self.scale());
        let context = &self.context;
        let result = match storage {
            CpuStorage::F32(x) => {
                CpuStorage::F32(cpu::dropout(&x[start..end], numbers, threshold, scale, context))
            }
            CpuStorage::F64(x) => {
                let scale = f64::from(scale);
                CpuStorage::F64(cpu::dropout(&x[start..end], numbers, threshold, scale, context))
            }
            _ => bail!("dropout takes f32 or f64"),
        };
        Ok((result, layout.shape().clone()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        storage: &CudaStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CudaStorage, Shape)> {
        let (threshold, scale) = (self.threshold(), self.scale());
        crate::kernel::cuda::dropout(storage, layout, self.numbers, threshold, scale)
    }

    fn bwd(
        &self,
        _arg: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<Option<Tensor>> {
        let again = Mask { context: self.context.clone(), ..*self };
        Ok(Some(grad.contiguous()?.apply_op1_no_bwd(&again)?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp)]
    use super::*;
    use candle_core::{DType, Device, Var};

    const TRAIN: Mode = Mode::Train { seed: 3, step: 5 };

    #[test]
    fn drops_the_share_and_keeps_the_mean() {
        let x = Tensor::ones((100, 1003), DType::F32, &Device::Cpu).unwrap();
        let y = Dropout::new(0.3, 1).unwrap().forward(&x, TRAIN).unwrap();
        let y: Vec<f32> = y.flatten_all().unwrap().to_vec1().unwrap();
        let dropped = y.iter().filter(|&&v| v == 0.0).count() as f64 / y.len() as f64;
        assert!((dropped - 0.3).abs() < 0.01, "{dropped}");
        assert!(y.iter().all(|&v| v == 0.0 || (v - 1.0 / 0.7).abs() < 1e-6));
        // The chunked pass and the definition agree, element by element.
        let mask = Mask { p: 0.3, numbers: Philox::new(3, 1, 5), context: Arc::default() };
        assert!(y.iter().zip(0..).all(|(&v, i)| (v - mask.factor(i)).abs() < 1e-6));
    }

    #[test]
    fn gradient_meets_the_same_mask() {
        let x = Var::ones((7, 13), DType::F64, &Device::Cpu).unwrap();
        let y = Dropout::new(0.5, 2).unwrap().forward(&x, TRAIN).unwrap();
        let grads = y.sum_all().unwrap().backward().unwrap();
        let difference = (grads.get(&x).unwrap() - &y).unwrap().abs().unwrap();
        assert_eq!(difference.sum_all().unwrap().to_scalar::<f64>().unwrap(), 0.0);
    }

    #[test]
    fn rows_of_a_key_meet_the_same_fate() {
        let x = Tensor::ones((6, 50), DType::F32, &Device::Cpu).unwrap();
        let keys = [0, 1, 2, 0, 1, 0];
        let dropout = Dropout::new(0.5, 1).unwrap();
        let locked = dropout.forward_locked(&x, &keys, 3, TRAIN).unwrap();
        let rows = dropout.forward_rows(&x, &keys, TRAIN).unwrap();
        let (locked, rows): (Vec<Vec<f32>>, Vec<Vec<f32>>) =
            (locked.to_vec2().unwrap(), rows.to_vec2().unwrap());
        for (at, &key) in keys.iter().enumerate() {
            assert_eq!(locked[at], locked[key as usize]);
            assert_eq!(rows[at], rows[key as usize]);
            assert!(rows[at].iter().all(|&v| v == rows[at][0]));
            assert!(locked[at].contains(&0.0) && locked[at].contains(&2.0));
        }
        assert_ne!(locked[0], locked[1]);
        let many: Vec<u32> = (0..10_000).collect();
        let x = Tensor::ones((many.len(), 1), DType::F32, &Device::Cpu).unwrap();
        let kept = dropout.forward_rows(&x, &many, TRAIN).unwrap().mean_all().unwrap();
        assert!((kept.to_scalar::<f32>().unwrap() - 1.0).abs() < 0.05);
    }

    #[test]
    fn evaluation_and_zero_leave_everything() {
        let x = Tensor::ones((3, 3), DType::F32, &Device::Cpu).unwrap();
        for (p, mode) in [(0.5, Mode::Evaluate), (0.0, TRAIN)] {
            let dropout = Dropout::new(p, 0).unwrap();
            for y in [
                dropout.forward(&x, mode),
                dropout.forward_locked(&x, &[0, 1, 0], 2, mode),
                dropout.forward_rows(&x, &[7, 8, 9], mode),
            ] {
                assert_eq!(y.unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap(), 9.0);
            }
        }
        assert!(Dropout::new(1.0, 0).is_err());
    }
}
