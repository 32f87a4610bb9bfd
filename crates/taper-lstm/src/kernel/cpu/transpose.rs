//! Square tiles turned over within the registers: every number is moved once, with whole registers read and written.
//!
//! As everything for x86, inlined into the `run_…` functions that enable the instructions.

#[allow(clippy::wildcard_imports, reason = "the intrinsics are named by their own prefix")]
use std::arch::x86_64::*;

/// Eight rows as columns.
///
/// # Safety
/// The machine must have AVX2.
#[inline(always)]
pub(super) unsafe fn eight(rows: [__m256; 8]) -> [__m256; 8] {
    // SAFETY: the caller's.
    unsafe {
        let [a, b, c, d] = four_256([rows[0], rows[1], rows[2], rows[3]]);
        let [e, f, g, h] = four_256([rows[4], rows[5], rows[6], rows[7]]);
        let mut columns = rows;
        for (lane, (low, high)) in [(a, e), (b, f), (c, g), (d, h)].into_iter().enumerate() {
            columns[lane] = _mm256_permute2f128_ps::<0x20>(low, high);
            columns[lane + 4] = _mm256_permute2f128_ps::<0x31>(low, high);
        }
        columns
    }
}

/// Sixteen rows as columns.
///
/// # Safety
/// The machine must have AVX-512 F.
#[inline(always)]
pub(super) unsafe fn sixteen(rows: [__m512; 16]) -> [__m512; 16] {
    // SAFETY: the caller's.
    unsafe {
        let a = four_512([rows[0], rows[1], rows[2], rows[3]]);
        let b = four_512([rows[4], rows[5], rows[6], rows[7]]);
        let c = four_512([rows[8], rows[9], rows[10], rows[11]]);
        let d = four_512([rows[12], rows[13], rows[14], rows[15]]);
        let mut columns = rows;
        for lane in 0..4 {
            // 0x88: quarters 0 and 2 of both; 0xdd: 1 and 3.
            let first = _mm512_shuffle_f32x4::<0x88>(a[lane], b[lane]);
            let second = _mm512_shuffle_f32x4::<0xdd>(a[lane], b[lane]);
            let third = _mm512_shuffle_f32x4::<0x88>(c[lane], d[lane]);
            let fourth = _mm512_shuffle_f32x4::<0xdd>(c[lane], d[lane]);
            columns[lane] = _mm512_shuffle_f32x4::<0x88>(first, third);
            columns[lane + 4] = _mm512_shuffle_f32x4::<0x88>(second, fourth);
            columns[lane + 8] = _mm512_shuffle_f32x4::<0xdd>(first, third);
            columns[lane + 12] = _mm512_shuffle_f32x4::<0xdd>(second, fourth);
        }
        columns
    }
}

/// Four rows, turned over within each quarter of the register.
#[inline(always)]
unsafe fn four_512([a, b, c, d]: [__m512; 4]) -> [__m512; 4] {
    // SAFETY: the caller's.
    unsafe {
        let (low_ab, low_cd) = (_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d));
        let (high_ab, high_cd) = (_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d));
        let (ab, cd) = (_mm512_castps_pd(low_ab), _mm512_castps_pd(low_cd));
        let (ab_high, cd_high) = (_mm512_castps_pd(high_ab), _mm512_castps_pd(high_cd));
        [
            _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)),
            _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)),
            _mm512_castpd_ps(_mm512_unpacklo_pd(ab_high, cd_high)),
            _mm512_castpd_ps(_mm512_unpackhi_pd(ab_high, cd_high)),
        ]
    }
}

/// Four rows, turned over within each half of the register.
#[inline(always)]
unsafe fn four_256([a, b, c, d]: [__m256; 4]) -> [__m256; 4] {
    // SAFETY: the caller's.
    unsafe {
        let (low_ab, low_cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
        let (high_ab, high_cd) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
        let (ab, cd) = (_mm256_castps_pd(low_ab), _mm256_castps_pd(low_cd));
        let (ab_high, cd_high) = (_mm256_castps_pd(high_ab), _mm256_castps_pd(high_cd));
        [
            _mm256_castpd_ps(_mm256_unpacklo_pd(ab, cd)),
            _mm256_castpd_ps(_mm256_unpackhi_pd(ab, cd)),
            _mm256_castpd_ps(_mm256_unpacklo_pd(ab_high, cd_high)),
            _mm256_castpd_ps(_mm256_unpackhi_pd(ab_high, cd_high)),
        ]
    }
}
