//! The registers that the kernels compute in: a handful of operations on a fixed number of lanes.
//!
//! Kernels are written once over [`Vector`] and compiled for each instruction set by [`run`], which
//! asks the machine. With FMA in hardware (AVX2, AVX-512) every instruction set gives the same bits:
//! a lane's sum never depends on how many lanes stand beside it.

use super::int8::{Int8, QUAD};
use super::math::Real;

/// `LANES` numbers side by side.
pub(crate) trait Vector: Copy {
    /// What a lane holds.
    type Number: Real;
    /// Numbers in a register; divides [`super::layout::BLOCK`].
    const LANES: usize;
    /// Rows of a product's tile: as many as the register file has room for, with four vectors a row.
    const TILE_ROWS: usize;

    fn splat(x: Self::Number) -> Self;
    /// The `LANES` elements at `from`.
    ///
    /// # Safety
    /// They must be readable.
    unsafe fn load_at(from: *const Self::Number) -> Self;
    /// The first `LANES` elements; panics if there are fewer.
    fn load(from: &[Self::Number]) -> Self;
    /// Into the first `LANES` elements; panics if there are fewer.
    fn store(self, to: &mut [Self::Number]);
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    /// `self * factor + term`
    fn mul_add(self, factor: Self, term: Self) -> Self;
    /// `then` in the lanes where `self < other`, `otherwise` in the rest (and where one is NaN).
    fn if_less(self, other: Self, then: Self, otherwise: Self) -> Self;
    /// `1 / (1 + exp(-x))`
    fn sigmoid(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;

    /// As many rows as lanes, `stride` apart, as columns of `to`, whose rows are `to_stride` apart.
    #[inline(always)]
    fn transpose(from: &[Self::Number], stride: usize, to: &mut [Self::Number], to_stride: usize) {
        for row in 0..Self::LANES {
            for (lane, &number) in from[row * stride..][..Self::LANES].iter().enumerate() {
                to[lane * to_stride + row] = number;
            }
        }
    }

    /// `self`, with 0 in the lanes where it is tiny ([`Real::TINY`]). NaN stays NaN.
    #[inline(always)]
    fn flush(self) -> Self {
        let zero = Self::splat(Self::Number::default());
        let small = self.if_less(Self::splat(Self::Number::TINY), zero, self);
        Self::splat(-Self::Number::TINY).if_less(self, small, self)
    }
}

/// What [`super::math`] needs beside [`Vector`] for its functions of f32.
pub(super) trait Vector32: Vector<Number = f32> {
    fn div(self, other: Self) -> Self;
    fn abs(self) -> Self;
    /// `self` with the sign of `sign`.
    fn copysign(self, sign: Self) -> Self;
    /// `2^n`, where `n + 1.5 * 2^23` is `self`: the integer stands in the low bits.
    fn power_of_two(self) -> Self;
}

/// A computation that can be compiled for any [`Vector`].
pub(crate) trait Kernel<T: Real> {
    /// Must be `#[inline(always)]`, with all it calls: what is not inlined runs without the
    /// instructions that [`run`] enables.
    fn run<V: Vector<Number = T>>(self);
}

/// The instruction sets that the kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instructions {
    /// What every machine has.
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// With the products of bytes (VNNI).
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
}

impl Instructions {
    /// The widest that this machine has.
    pub(super) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
                if is_x86_feature_detected!("avx512vnni") {
                    return Self::Avx512Vnni;
                }
                return Self::Avx512;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Self::Avx2;
            }
        }
        Self::Portable
    }

    /// All that this machine has.
    #[cfg(test)]
    pub(super) fn available() -> Vec<Self> {
        let mut all = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        match Self::detect() {
            Self::Portable => {}
            Self::Avx2 => all.push(Self::Avx2),
            Self::Avx512 => all.extend([Self::Avx2, Self::Avx512]),
            Self::Avx512Vnni => all.extend([Self::Avx2, Self::Avx512, Self::Avx512Vnni]),
        }
        all
    }
}

/// Runs `kernel` on f32 with `instructions`, which the machine must have.
pub(super) fn run<K: Kernel<f32>>(instructions: Instructions, kernel: K) {
    match instructions {
        Instructions::Portable => kernel.run::<Array<f32, 8>>(),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the machine has the instructions: they come from `Instructions::detect`, or from a
        // test that asked the same questions.
        Instructions::Avx2 => unsafe { super::x86::run_avx2(kernel) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Instructions::Avx512 | Instructions::Avx512Vnni => unsafe {
            super::x86::run_avx512(kernel);
        },
    }
}

/// A computation with 8-bit weights that can be compiled for any [`Int8`].
pub(super) trait Int8Kernel {
    /// As [`Kernel::run`].
    fn run<V: Int8>(self);
}

/// The lanes that [`run_int8`] computes with.
pub(super) fn int8_lanes(instructions: Instructions) -> usize {
    match instructions {
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx512Vnni => 16,
        _ => 8,
    }
}

/// Runs `kernel` with `instructions`, which the machine must have.
pub(super) fn run_int8<K: Int8Kernel>(instructions: Instructions, kernel: K) {
    match instructions {
        Instructions::Portable => kernel.run::<Array<f32, 8>>(),
        // Without VNNI, AVX-512 has nothing for bytes that is worth a kernel of its own.
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as in `run`; what has AVX-512 has AVX2.
        Instructions::Avx2 | Instructions::Avx512 => unsafe { super::x86::run_int8_avx2(kernel) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as in `run`.
        Instructions::Avx512Vnni => unsafe { super::x86::run_int8_vnni(kernel) },
    }
}

/// Lanes as an array: right everywhere, and as fast as the compiler makes it.
#[derive(Clone, Copy)]
pub(super) struct Array<T, const N: usize>([T; N]);

impl<T: Real, const N: usize> Array<T, N> {
    #[inline(always)]
    fn zip(mut self, other: Self, f: impl Fn(T, T) -> T) -> Self {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a = f(*a, b);
        }
        self
    }
}

impl<T: Real, const N: usize> Vector for Array<T, N> {
    type Number = T;
    const LANES: usize = N;
    const TILE_ROWS: usize = 3;

    #[inline(always)]
    fn splat(x: T) -> Self {
        Self([x; N])
    }
    #[inline(always)]
    unsafe fn load_at(from: *const T) -> Self {
        // SAFETY: the caller's; an array has the alignment of its elements.
        Self(unsafe { from.cast::<[T; N]>().read() })
    }
    #[inline(always)]
    fn load(from: &[T]) -> Self {
        let mut lanes = [T::default(); N];
        lanes.copy_from_slice(&from[..N]);
        Self(lanes)
    }
    #[inline(always)]
    fn store(self, to: &mut [T]) {
        to[..N].copy_from_slice(&self.0);
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    fn mul_add(self, factor: Self, mut term: Self) -> Self {
        for lane in 0..N {
            term.0[lane] = self.0[lane].mul_add(factor.0[lane], term.0[lane]);
        }
        term
    }
    #[inline(always)]
    fn if_less(self, other: Self, then: Self, mut otherwise: Self) -> Self {
        for lane in 0..N {
            if self.0[lane] < other.0[lane] {
                otherwise.0[lane] = then.0[lane];
            }
        }
        otherwise
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        Self(T::sigmoid(self.0))
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        Self(T::tanh(self.0))
    }
}

impl<const N: usize> Vector32 for Array<f32, N> {
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }
    #[inline(always)]
    fn abs(self) -> Self {
        Self(self.0.map(f32::abs))
    }
    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        self.zip(sign, f32::copysign)
    }
    #[inline(always)]
    fn power_of_two(self) -> Self {
        Self(self.0.map(|x| f32::from_bits(x.to_bits().wrapping_add(127) << 23)))
    }
}

impl<const N: usize> Int8 for Array<f32, N> {
    type Sums = [i32; N];
    const TILE_ROWS: usize = 2;

    #[inline(always)]
    fn start(_: &[i32]) -> [i32; N] {
        [0; N]
    }
    #[inline(always)]
    unsafe fn dot(mut sums: [i32; N], values: [i8; QUAD], weights: *const i8) -> [i32; N] {
        // SAFETY: the caller's; bytes have no alignment.
        let weights = unsafe { weights.cast::<[[i8; QUAD]; N]>().read() };
        for (sum, weights) in sums.iter_mut().zip(weights) {
            for (value, weight) in values.into_iter().zip(weights) {
                *sum += i32::from(value) * i32::from(weight);
            }
        }
        sums
    }
    #[inline(always)]
    fn to_f32(sums: [i32; N]) -> Self {
        Self(sums.map(|sum| sum as f32))
    }
    #[inline(always)]
    fn store_rounded(self, to: &mut [i8]) {
        for (to, x) in to[..N].iter_mut().zip(self.0) {
            *to = x.round_ties_even() as i8;
        }
    }
}

impl<const N: usize> Array<f32, N> {
    /// The lanes, wrapped.
    pub(super) fn new(lanes: [f32; N]) -> Self {
        Self(lanes)
    }

    /// The lanes on their own.
    pub(super) fn lanes(self) -> [f32; N] {
        self.0
    }
}
