//! sigmoid and tanh without branches or tables.
//!
//! f32 follows Cephes' `expf` and `tanhf` (Moshier 1989); against f64 they stay within 3 ULP
//! (see the tests; sigmoid from -87 on, below which it stays at 1.6e-38). f64 is for gradient checks and takes the
//! standard library's functions.

use std::ops::{Add, AddAssign, Mul, Neg, Sub};

use super::vector::{Array, Instructions, Kernel, Vector32, run};
use super::workspace::{Context, Workspace};

mod sealed {
    pub(crate) trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// The number types of the CPU kernels: f32 and f64, no others.
pub(crate) trait Real:
    sealed::Sealed
    + Copy
    + Default
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Neg<Output = Self>
    + 'static
{
    /// 1.
    const ONE: Self;
    /// Smaller magnitudes become 0: products with them would be denormals, which are slow on
    /// many CPUs and too small to move a weight.
    const TINY: Self;

    /// `self * factor + term`: one rounding where the hardware of every machine of this kind has it.
    fn mul_add(self, factor: Self, term: Self) -> Self;
    /// `1 / (1 + exp(-x))` of every lane.
    fn sigmoid<const N: usize>(x: [Self; N]) -> [Self; N];
    /// Hyperbolic tangent of every lane.
    fn tanh<const N: usize>(x: [Self; N]) -> [Self; N];
    /// The buffers of this type.
    fn workspace(all: &Context) -> &Workspace<Self>;
    /// Lanes of the registers that kernels of this type run with.
    fn lanes(instructions: Instructions) -> usize;
    /// Runs a kernel with these instructions, or without them where this type has no use for them.
    fn run(instructions: Instructions, kernel: impl Kernel<Self>);
}

/// x86-64 has FMA only where it is asked for; a call into the library would take its place.
const FUSED: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

impl Real for f32 {
    const ONE: Self = 1.0;
    const TINY: Self = 1e-30;

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        if FUSED { f32::mul_add(self, factor, term) } else { self * factor + term }
    }
    #[inline(always)]
    fn sigmoid<const N: usize>(x: [Self; N]) -> [Self; N] {
        sigmoid(Array::new(x)).lanes()
    }
    #[inline(always)]
    fn tanh<const N: usize>(x: [Self; N]) -> [Self; N] {
        tanh(Array::new(x)).lanes()
    }
    fn workspace(all: &Context) -> &Workspace<f32> {
        &all.f32
    }
    fn lanes(instructions: Instructions) -> usize {
        match instructions {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 | Instructions::Avx512Vnni => 16,
            _ => 8,
        }
    }
    fn run(instructions: Instructions, kernel: impl Kernel<Self>) {
        run(instructions, kernel);
    }
}

impl Real for f64 {
    const ONE: Self = 1.0;
    const TINY: Self = 1e-280;

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        if FUSED { f64::mul_add(self, factor, term) } else { self * factor + term }
    }
    #[inline(always)]
    fn sigmoid<const N: usize>(x: [Self; N]) -> [Self; N] {
        x.map(|x| 1.0 / (1.0 + (-x).exp()))
    }
    #[inline(always)]
    fn tanh<const N: usize>(x: [Self; N]) -> [Self; N] {
        x.map(f64::tanh)
    }
    fn workspace(all: &Context) -> &Workspace<f64> {
        &all.f64
    }
    fn lanes(_: Instructions) -> usize {
        4
    }
    fn run(_: Instructions, kernel: impl Kernel<Self>) {
        kernel.run::<Array<f64, 4>>();
    }
}

/// `1 / (1 + exp(-x))`
#[inline(always)]
pub(super) fn sigmoid<V: Vector32>(x: V) -> V {
    let one = V::splat(1.0);
    one.div(one.add(exp(V::splat(0.0).sub(x))))
}

/// Hyperbolic tangent: a polynomial near 0, exp further out.
#[inline(always)]
pub(super) fn tanh<V: Vector32>(x: V) -> V {
    let (one, two) = (V::splat(1.0), V::splat(2.0));
    let z = x.mul(x);
    let p = polynomial(
        z,
        [-5.704_988_7e-3, 2.063_908_8e-2, -5.373_971_5e-2, 1.333_144_2e-1, -3.333_328e-1],
    );
    let near = p.mul(z).mul_add(x, x);
    let far = one.sub(two.div(exp(x.abs().mul(two)).add(one))).copysign(x);
    x.abs().if_less(V::splat(0.625), near, far)
}

/// `coefficients[0] * x^n + … + coefficients[n]`, by Horner's rule.
#[inline(always)]
fn polynomial<V: Vector32>(x: V, coefficients: [f32; 5]) -> V {
    let mut sum = V::splat(coefficients[0]);
    for &coefficient in &coefficients[1..] {
        sum = sum.mul_add(x, V::splat(coefficient));
    }
    sum
}

/// `exp(x)`, with `x` held where it and its inverse are normal numbers. NaN stays NaN.
#[inline(always)]
fn exp<V: Vector32>(x: V) -> V {
    /// 1.5 * 2^23: adding it rounds to an integer, which then stands in the low bits.
    const ROUND: f32 = 12_582_912.0;
    /// ln 2 in two parts, the first exact in 9 bits.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    const RANGE: [f32; 2] = [-87.0, 87.0];

    let [low, high] = RANGE.map(V::splat);
    let x = x.if_less(low, low, x);
    let x = high.if_less(x, high, x);
    let rounded = x.mul_add(V::splat(std::f32::consts::LOG2_E), V::splat(ROUND));
    let minus_n = V::splat(ROUND).sub(rounded);
    let r = minus_n.mul_add(V::splat(LN_2[0]), x);
    let r = minus_n.mul_add(V::splat(LN_2[1]), r);
    let p = polynomial(
        r,
        [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1],
    );
    let p = p.mul_add(r, V::splat(0.5));
    let mantissa = p.mul_add(r.mul(r), r).add(V::splat(1.0));
    mantissa.mul(rounded.power_of_two())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)]
    use super::super::vector::Vector;
    use super::*;

    /// Distance in units of the last place of the exact value.
    fn ulps(found: f32, exact: f64) -> f64 {
        let nearest = exact.abs() as f32;
        let unit = f32::from_bits(nearest.to_bits() + 1) - nearest;
        (f64::from(found) - exact).abs() / f64::from(unit)
    }

    /// Sigmoid, tanh and flush of many numbers, as the machine's own kernels compute them.
    struct Functions<'a> {
        x: &'a [f32],
        sigmoid: &'a mut [f32],
        tanh: &'a mut [f32],
        flushed: &'a mut [f32],
    }

    impl Kernel<f32> for Functions<'_> {
        #[inline(always)]
        fn run<V: Vector<Number = f32>>(self) {
            for at in (0..self.x.len()).step_by(V::LANES) {
                let x = V::load(&self.x[at..]);
                x.sigmoid().store(&mut self.sigmoid[at..]);
                x.tanh().store(&mut self.tanh[at..]);
                x.flush().store(&mut self.flushed[at..]);
            }
        }
    }

    /// The three functions of `x`, whose length is a multiple of 16.
    fn functions(instructions: Instructions, x: &[f32]) -> [Vec<f32>; 3] {
        let mut results = [(); 3].map(|()| vec![0.0; x.len()]);
        let [sigmoid, tanh, flushed] = &mut results;
        run(instructions, Functions { x, sigmoid, tanh, flushed });
        results
    }

    #[test]
    fn stays_within_three_ulps() {
        let near = (-400_000..400_000i32).map(|step| step as f32 * 5e-5);
        let far = (-86_904..86_904i32).map(|step| step as f32 * 1e-3);
        let x: Vec<f32> = near.chain(far).collect();
        for instructions in Instructions::available() {
            let [sigmoid, tanh, _] = functions(instructions, &x);
            for (at, &x) in x.iter().enumerate() {
                let exact = f64::from(x);
                let off = ulps(sigmoid[at], 1.0 / (1.0 + (-exact).exp()));
                assert!(off < 3.0, "sigmoid({x}) is {off} ULP off with {instructions:?}");
                let off = ulps(tanh[at], exact.tanh());
                assert!(off < 3.0, "tanh({x}) is {off} ULP off with {instructions:?}");
            }
        }
    }

    #[test]
    fn extremes() {
        let mut x =
            [0.0, 1e30, -1e30, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e-31, -1e-31].repeat(2);
        x[8] = 1e-20;
        for instructions in Instructions::available() {
            let [sigmoid, tanh, flushed] = functions(instructions, &x);
            assert_eq!([sigmoid[0], sigmoid[1], sigmoid[3]], [0.5, 1.0, 1.0]);
            for shut in [sigmoid[2], sigmoid[4]] {
                assert!(shut < 1e-37 && shut.is_normal(), "{shut}");
            }
            assert_eq!(tanh[..5], [0.0, 1.0, -1.0, 1.0, -1.0]);
            assert!(sigmoid[5].is_nan() && tanh[5].is_nan() && flushed[5].is_nan());
            assert_eq!([flushed[6], flushed[7], flushed[8]], [0.0, 0.0, 1e-20]);
        }
    }
}
