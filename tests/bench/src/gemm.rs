//! The machine's own limit: the rate of large f32 matrix products, measured in the same run.

use std::time::Instant;

use anyhow::Result;
use candle_core::{Device, Tensor};
use gemm::Parallelism;

/// Sides of the square products on the CPU, and on a GPU; the best rate counts.
const CPU_SIDES: [usize; 3] = [2048, 2048, 3072];
const CUDA_SIDES: [usize; 3] = [4096, 8192, 8192];

/// Measures the rate of large products.
pub(crate) struct Yardstick {
    device: Device,
    threads: usize,
}

impl Yardstick {
    pub(crate) fn new(device: &Device, threads: usize) -> Self {
        Self { device: device.clone(), threads }
    }

    /// Which library multiplies.
    pub(crate) fn about(&self) -> String {
        if self.device.is_cpu() {
            let kernel = if avx512() { "AVX-512" } else { "its best kernel here" };
            format!("the gemm crate, {kernel}, {} threads", self.threads)
        } else {
            "candle's matmul (cuBLAS), f32 without TF32".to_owned()
        }
    }

    /// GFLOP/s, two operations a multiply-add.
    pub(crate) fn gflops(&self) -> Result<f64> {
        let sides = if self.device.is_cpu() { CPU_SIDES } else { CUDA_SIDES };
        let mut best = 0.0_f64;
        for side in sides {
            let seconds = if self.device.is_cpu() { self.on_cpu(side) } else { self.on_gpu(side)? };
            best = best.max(2.0 * (side as f64).powi(3) / seconds / 1e9);
        }
        Ok(best)
    }

    fn on_cpu(&self, side: usize) -> f64 {
        let (a, b) = (matrix(side), matrix(side));
        let mut c = vec![1.0_f32; side * side];
        let start = Instant::now();
        // SAFETY: the three matrices are column-major with a stride of `side`, `side * side` long, and
        // nothing else refers to `c`.
        unsafe {
            gemm::gemm(
                side,
                side,
                side,
                c.as_mut_ptr(),
                side as isize,
                1,
                false,
                a.as_ptr(),
                side as isize,
                1,
                b.as_ptr(),
                side as isize,
                1,
                0.0,
                1.0,
                false,
                false,
                false,
                Parallelism::Rayon(self.threads),
            );
        }
        let seconds = start.elapsed().as_secs_f64();
        std::hint::black_box(c);
        seconds
    }

    fn on_gpu(&self, side: usize) -> Result<f64> {
        let a = Tensor::from_vec(matrix(side), (side, side), &self.device)?;
        a.matmul(&a)?;
        self.device.synchronize()?;
        let start = Instant::now();
        a.matmul(&a)?;
        self.device.synchronize()?;
        Ok(start.elapsed().as_secs_f64())
    }
}

/// Numbers of no meaning, none of them denormal.
fn matrix(side: usize) -> Vec<f32> {
    (0..side * side).map(|i| (i % 17) as f32 / 8.0 - 1.0).collect()
}

fn avx512() -> bool {
    #[cfg(target_arch = "x86_64")]
    let found = std::arch::is_x86_feature_detected!("avx512f");
    #[cfg(not(target_arch = "x86_64"))]
    let found = false;
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_rate() {
        let rate = 2.0 * 64f64.powi(3) / Yardstick::new(&Device::Cpu, 1).on_cpu(64) / 1e9;
        assert!(rate.is_finite() && rate > 0.0);
    }
}
