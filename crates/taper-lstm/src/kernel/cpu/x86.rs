//! [`Vector`] on AVX2 with FMA and on AVX-512.
//!
//! The intrinsics are safe only where their instructions are enabled. Nothing here says so by itself:
//! these types are named by the `run_…` functions alone, and everything between those and the
//! intrinsics is inlined into them.

#[allow(clippy::wildcard_imports, reason = "sixty intrinsics, each named by its own prefix")]
use std::arch::x86_64::*;

use super::int8::{Int8, QUAD};
use super::math;
use super::transpose;
use super::vector::{Int8Kernel, Kernel, Vector, Vector32};

/// Eight lanes.
#[derive(Clone, Copy)]
struct Avx2(__m256);

/// Sixteen lanes.
#[derive(Clone, Copy)]
struct Avx512(__m512);

/// # Safety
/// The machine must have AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn run_avx2<K: Kernel<f32>>(kernel: K) {
    kernel.run::<Avx2>();
}

/// # Safety
/// The machine must have AVX-512 F and DQ.
#[target_feature(enable = "avx512f,avx512dq,avx2,fma")]
pub(super) unsafe fn run_avx512<K: Kernel<f32>>(kernel: K) {
    kernel.run::<Avx512>();
}

/// # Safety
/// The machine must have AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn run_int8_avx2<K: Int8Kernel>(kernel: K) {
    kernel.run::<Avx2>();
}

/// # Safety
/// The machine must have AVX-512 F, DQ and VNNI.
#[target_feature(enable = "avx512f,avx512dq,avx512vnni,avx2,fma")]
pub(super) unsafe fn run_int8_vnni<K: Int8Kernel>(kernel: K) {
    kernel.run::<Avx512>();
}

/// Methods that are one intrinsic each, or a few; `$safety` holds for all of them.
macro_rules! intrinsics {
    ($(fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty = $body:expr;)*) => {$(
        #[inline(always)]
        fn $name($($argument: $type),*) -> $result {
            // SAFETY: the machine has the instructions: this type exists only below a `run_…` function.
            unsafe { $body }
        }
    )*};
}

impl Vector for Avx2 {
    type Number = f32;
    const LANES: usize = 8;
    const TILE_ROWS: usize = 3;

    intrinsics! {
        fn splat(x: f32) -> Self = Self(_mm256_set1_ps(x));
        fn load(from: &[f32]) -> Self = Self(_mm256_loadu_ps(from[..8].as_ptr()));
        fn add(self: Self, other: Self) -> Self = Self(_mm256_add_ps(self.0, other.0));
        fn sub(self: Self, other: Self) -> Self = Self(_mm256_sub_ps(self.0, other.0));
        fn mul(self: Self, other: Self) -> Self = Self(_mm256_mul_ps(self.0, other.0));
        fn mul_add(self: Self, factor: Self, term: Self) -> Self =
            Self(_mm256_fmadd_ps(self.0, factor.0, term.0));
        fn if_less(self: Self, other: Self, then: Self, otherwise: Self) -> Self = Self(
            _mm256_blendv_ps(otherwise.0, then.0, _mm256_cmp_ps::<_CMP_LT_OQ>(self.0, other.0)));
    }

    #[inline(always)]
    unsafe fn load_at(from: *const f32) -> Self {
        // SAFETY: as in `intrinsics`; what is read is the caller's.
        Self(unsafe { _mm256_loadu_ps(from) })
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        math::sigmoid(self)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        math::tanh(self)
    }
    #[inline(always)]
    fn transpose(from: &[f32], stride: usize, to: &mut [f32], to_stride: usize) {
        let mut rows = [Self::splat(0.0).0; 8];
        for (row, from) in rows.iter_mut().zip(from.chunks(stride)) {
            *row = Self::load(from).0;
        }
        // SAFETY: as in `intrinsics`.
        let columns = unsafe { transpose::eight(rows) };
        for (column, to) in columns.into_iter().zip(to.chunks_mut(to_stride)) {
            Self(column).store(to);
        }
    }
    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        // SAFETY: as in `intrinsics`; the slice has eight elements.
        unsafe { _mm256_storeu_ps(to[..8].as_mut_ptr(), self.0) }
    }
}

impl Vector32 for Avx2 {
    intrinsics! {
        fn div(self: Self, other: Self) -> Self = Self(_mm256_div_ps(self.0, other.0));
        fn abs(self: Self) -> Self = Self(_mm256_andnot_ps(_mm256_set1_ps(-0.0), self.0));
        fn copysign(self: Self, sign: Self) -> Self = Self(_mm256_or_ps(
            self.abs().0, _mm256_and_ps(_mm256_set1_ps(-0.0), sign.0)));
        fn power_of_two(self: Self) -> Self = Self(_mm256_castsi256_ps(_mm256_slli_epi32::<23>(
            _mm256_add_epi32(_mm256_castps_si256(self.0), _mm256_set1_epi32(127)))));
    }
}

impl Vector for Avx512 {
    type Number = f32;
    const LANES: usize = 16;
    const TILE_ROWS: usize = 6;

    intrinsics! {
        fn splat(x: f32) -> Self = Self(_mm512_set1_ps(x));
        fn load(from: &[f32]) -> Self = Self(_mm512_loadu_ps(from[..16].as_ptr()));
        fn add(self: Self, other: Self) -> Self = Self(_mm512_add_ps(self.0, other.0));
        fn sub(self: Self, other: Self) -> Self = Self(_mm512_sub_ps(self.0, other.0));
        fn mul(self: Self, other: Self) -> Self = Self(_mm512_mul_ps(self.0, other.0));
        fn mul_add(self: Self, factor: Self, term: Self) -> Self =
            Self(_mm512_fmadd_ps(self.0, factor.0, term.0));
        fn if_less(self: Self, other: Self, then: Self, otherwise: Self) -> Self = Self(
            _mm512_mask_blend_ps(
                _mm512_cmp_ps_mask::<_CMP_LT_OQ>(self.0, other.0), otherwise.0, then.0));
    }

    #[inline(always)]
    unsafe fn load_at(from: *const f32) -> Self {
        // SAFETY: as in `intrinsics`; what is read is the caller's.
        Self(unsafe { _mm512_loadu_ps(from) })
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        math::sigmoid(self)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        math::tanh(self)
    }
    #[inline(always)]
    fn transpose(from: &[f32], stride: usize, to: &mut [f32], to_stride: usize) {
        let mut rows = [Self::splat(0.0).0; 16];
        for (row, from) in rows.iter_mut().zip(from.chunks(stride)) {
            *row = Self::load(from).0;
        }
        // SAFETY: as in `intrinsics`.
        let columns = unsafe { transpose::sixteen(rows) };
        for (column, to) in columns.into_iter().zip(to.chunks_mut(to_stride)) {
            Self(column).store(to);
        }
    }
    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        // SAFETY: as in `intrinsics`; the slice has sixteen elements.
        unsafe { _mm512_storeu_ps(to[..16].as_mut_ptr(), self.0) }
    }
}

impl Vector32 for Avx512 {
    intrinsics! {
        fn div(self: Self, other: Self) -> Self = Self(_mm512_div_ps(self.0, other.0));
        fn abs(self: Self) -> Self = Self(_mm512_abs_ps(self.0));
        fn copysign(self: Self, sign: Self) -> Self = Self(_mm512_or_ps(
            self.abs().0, _mm512_and_ps(_mm512_set1_ps(-0.0), sign.0)));
        fn power_of_two(self: Self) -> Self = Self(_mm512_castsi512_ps(_mm512_slli_epi32::<23>(
            _mm512_add_epi32(_mm512_castps_si512(self.0), _mm512_set1_epi32(127)))));
    }
}

impl Int8 for Avx2 {
    type Sums = __m256i;
    const TILE_ROWS: usize = 2;

    intrinsics! {
        fn to_f32(sums: __m256i) -> Self = Self(_mm256_cvtepi32_ps(sums));
        fn start(_correction: &[i32]) -> __m256i = _mm256_setzero_si256();
    }

    /// AVX2 multiplies unsigned with signed bytes and saturates sums of two at 16 bits: with the sign
    /// moved from the value to its weights, 2 * 127 * 127 still fits.
    #[inline(always)]
    unsafe fn dot(sums: __m256i, values: [i8; QUAD], weights: *const i8) -> __m256i {
        // SAFETY: as in `intrinsics`; what is read is the caller's.
        unsafe {
            let values = _mm256_set1_epi32(i32::from_ne_bytes(values.map(i8::cast_unsigned)));
            let weights = _mm256_sign_epi8(_mm256_loadu_si256(weights.cast()), values);
            let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(values), weights);
            _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        }
    }

    #[inline(always)]
    fn store_rounded(self, to: &mut [i8]) {
        let mut lanes = [0i32; 8];
        // SAFETY: as in `intrinsics`; the array has eight elements.
        unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), _mm256_cvtps_epi32(self.0)) }
        for (to, lane) in to[..8].iter_mut().zip(lanes) {
            *to = lane as i8;
        }
    }
}

impl Int8 for Avx512 {
    type Sums = __m512i;
    const TILE_ROWS: usize = 6;

    intrinsics! {
        fn to_f32(sums: __m512i) -> Self = Self(_mm512_cvtepi32_ps(sums));
        fn start(correction: &[i32]) -> __m512i =
            _mm512_loadu_si512(correction[..16].as_ptr().cast());
    }

    /// VNNI multiplies unsigned with signed bytes: the values go in 128 higher, and the correction that
    /// the sums start from takes it off again.
    #[inline(always)]
    unsafe fn dot(sums: __m512i, values: [i8; QUAD], weights: *const i8) -> __m512i {
        let values = i32::from_ne_bytes(values.map(|value| value.cast_unsigned() ^ 0x80));
        // SAFETY: as in `intrinsics`, below `run_int8_vnni`; what is read is the caller's.
        unsafe {
            let weights = _mm512_loadu_si512(weights.cast());
            _mm512_dpbusd_epi32(sums, _mm512_set1_epi32(values), weights)
        }
    }

    #[inline(always)]
    fn store_rounded(self, to: &mut [i8]) {
        // SAFETY: as in `intrinsics`; the slice has sixteen elements.
        unsafe {
            let bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(self.0));
            _mm_storeu_si128(to[..16].as_mut_ptr().cast(), bytes);
        }
    }
}
