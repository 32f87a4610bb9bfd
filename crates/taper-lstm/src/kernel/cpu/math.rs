//! sigmoid and tanh without branches, so that the compiler turns a loop over them into vectors.
//!
//! f32 follows Cephes' `expf` and `tanhf` (Moshier 1989); against f64 they stay within 3 ULP
//! (see the tests). f64 is for gradient checks and takes the standard library's functions.

use std::ops::{Add, AddAssign, Mul, Neg, Sub};

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

    /// `a * b + c`; `FMA` tells that the machine has it in one instruction.
    fn fma<const FMA: bool>(a: Self, b: Self, c: Self) -> Self;
    /// `1 / (1 + exp(-x))`
    fn sigmoid<const FMA: bool>(x: Self) -> Self;
    /// Hyperbolic tangent.
    fn tanh<const FMA: bool>(x: Self) -> Self;

    /// `x`, or 0 where `x` is tiny. NaN stays NaN.
    #[inline(always)]
    fn flush(self) -> Self {
        if self < Self::TINY && self > -Self::TINY { Self::default() } else { self }
    }
}

impl Real for f32 {
    const ONE: Self = 1.0;
    const TINY: Self = 1e-30;

    #[inline(always)]
    fn fma<const FMA: bool>(a: Self, b: Self, c: Self) -> Self {
        if FMA { a.mul_add(b, c) } else { a * b + c }
    }

    #[inline(always)]
    fn sigmoid<const FMA: bool>(x: Self) -> Self {
        1.0 / (1.0 + exp::<FMA>(-x))
    }

    #[inline(always)]
    fn tanh<const FMA: bool>(x: Self) -> Self {
        let z = x * x;
        let p = polynomial::<FMA>(
            z,
            [-5.704_988_7e-3, 2.063_908_8e-2, -5.373_971_5e-2, 1.333_144_2e-1, -3.333_328e-1],
        );
        let near = Self::fma::<FMA>(p * z, x, x);
        let far = (1.0 - 2.0 / (exp::<FMA>(2.0 * x.abs()) + 1.0)).copysign(x);
        if x.abs() < 0.625 { near } else { far }
    }
}

impl Real for f64 {
    const ONE: Self = 1.0;
    const TINY: Self = 1e-280;

    #[inline(always)]
    fn fma<const FMA: bool>(a: Self, b: Self, c: Self) -> Self {
        if FMA { a.mul_add(b, c) } else { a * b + c }
    }

    #[inline(always)]
    fn sigmoid<const FMA: bool>(x: Self) -> Self {
        1.0 / (1.0 + (-x).exp())
    }

    #[inline(always)]
    fn tanh<const FMA: bool>(x: Self) -> Self {
        x.tanh()
    }
}

/// `coefficients[0] * x^n + … + coefficients[n]`, by Horner's rule.
#[inline(always)]
fn polynomial<const FMA: bool>(x: f32, coefficients: [f32; 5]) -> f32 {
    let [first, rest @ ..] = coefficients;
    rest.into_iter().fold(first, |sum, next| f32::fma::<FMA>(sum, x, next))
}

/// `exp(x)`, with `x` held within the range of normal numbers. NaN stays NaN.
#[inline(always)]
fn exp<const FMA: bool>(x: f32) -> f32 {
    /// 1.5 * 2^23: adding it rounds to an integer, which then stands in the low bits.
    const ROUND: f32 = 12_582_912.0;
    /// ln 2 in two parts, the first exact in 9 bits.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

    // Comparisons rather than clamp(): NaN must pass, and each is one instruction.
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let rounded = f32::fma::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
    let n = rounded - ROUND;
    let r = f32::fma::<FMA>(-n, LN_2[0], x);
    let r = f32::fma::<FMA>(-n, LN_2[1], r);
    let p = polynomial::<FMA>(
        r,
        [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1],
    );
    let p = f32::fma::<FMA>(p, r, 0.5);
    let mantissa = f32::fma::<FMA>(p, r * r, r) + 1.0;
    let power = rounded.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    mantissa * f32::from_bits(power)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)]
    use super::*;

    /// Distance in units of the last place of the exact value.
    fn ulps(found: f32, exact: f64) -> f64 {
        let nearest = exact.abs() as f32;
        let unit = f32::from_bits(nearest.to_bits() + 1) - nearest;
        (f64::from(found) - exact).abs() / f64::from(unit)
    }

    fn worst<const FMA: bool>() -> (f64, f64) {
        let (mut sigmoid, mut tanh) = (0f64, 0f64);
        for step in -400_000..400_000i32 {
            let x = step as f32 * 5e-5;
            let exact = f64::from(x);
            sigmoid = sigmoid.max(ulps(f32::sigmoid::<FMA>(x), 1.0 / (1.0 + (-exact).exp())));
            tanh = tanh.max(ulps(<f32 as Real>::tanh::<FMA>(x), exact.tanh()));
        }
        (sigmoid, tanh)
    }

    #[test]
    fn stays_within_three_ulps() {
        for (sigmoid, tanh) in [worst::<false>(), worst::<true>()] {
            assert!(sigmoid < 3.0, "sigmoid is {sigmoid} ULP off");
            assert!(tanh < 3.0, "tanh is {tanh} ULP off");
        }
    }

    #[test]
    fn extremes() {
        for (x, sigmoid, tanh) in [(0.0, 0.5, 0.0), (1e30, 1.0, 1.0), (f32::INFINITY, 1.0, 1.0)] {
            assert_eq!(f32::sigmoid::<false>(x), sigmoid);
            assert_eq!(<f32 as Real>::tanh::<false>(x), tanh);
            assert_eq!(<f32 as Real>::tanh::<false>(-x), -tanh);
        }
        assert!(f32::sigmoid::<false>(f32::NEG_INFINITY) < 1e-37);
        assert!(
            f32::sigmoid::<false>(f32::NAN).is_nan()
                && <f32 as Real>::tanh::<false>(f32::NAN).is_nan()
        );
        assert!(f32::NAN.flush().is_nan());
        assert_eq!((1e-31f32.flush(), -1e-31f32.flush(), 1e-20f32.flush()), (0.0, 0.0, 1e-20));
    }
}
