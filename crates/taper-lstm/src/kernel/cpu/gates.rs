//! The pointwise part of a step and of its backward, row by row.

use super::math::Real;
use crate::cell::NUM_GATES;

/// Compiles `$body` twice: with AVX2 and FMA for machines that have them, and as it is for all others.
macro_rules! dispatch {
    ($body:ident($($argument:ident: $type:ty),*)) => {{
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx2,fma")]
            fn vectorised<T: Real>($($argument: $type),*) {
                $body::<T, true>($($argument),*);
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                // SAFETY: the machine has AVX2 and FMA, as was just asked.
                return unsafe { vectorised($($argument),*) };
            }
        }
        $body::<T, { cfg!(target_arch = "aarch64") }>($($argument),*)
    }};
}

/// Finishes a step: pre-activations become i, f, g, o; `c` and `h` become the step's.
///
/// `gates`: `[alive, 4 * hidden]`; `bias`: `[4 * hidden]`; `h`, `c`: `[alive, hidden]`
pub(super) fn forward<T: Real>(gates: &mut [T], bias: &[T], h: &mut [T], c: &mut [T]) {
    dispatch!(forward_rows(gates: &mut [T], bias: &[T], h: &mut [T], c: &mut [T]));
}

/// Takes a step back: i, f, g, o become the gradients of their pre-activations, `dc` that of the
/// memory before the step.
///
/// `gates`: `[alive, 4 * hidden]`; `c` (after the step), `c_previous`, `dh`, `dc`: `[alive, hidden]`
pub(super) fn backward<T: Real>(
    gates: &mut [T],
    c: &[T],
    c_previous: &[T],
    dh: &[T],
    dc: &mut [T],
    hidden: usize,
) {
    dispatch!(backward_rows(
        gates: &mut [T], c: &[T], c_previous: &[T], dh: &[T], dc: &mut [T], hidden: usize
    ));
}

#[inline(always)]
fn forward_rows<T: Real, const FMA: bool>(gates: &mut [T], bias: &[T], h: &mut [T], c: &mut [T]) {
    let hidden = bias.len() / NUM_GATES;
    let rows = gates.chunks_exact_mut(NUM_GATES * hidden);
    for ((gates, h), c) in rows.zip(h.chunks_exact_mut(hidden)).zip(c.chunks_exact_mut(hidden)) {
        let [i, f, g, o] = split_mut(gates, hidden);
        let [b_i, b_f, b_g, b_o] = split(bias, hidden);
        for u in 0..hidden {
            i[u] = T::sigmoid::<FMA>(i[u] + b_i[u]);
            f[u] = T::sigmoid::<FMA>(f[u] + b_f[u]);
            g[u] = T::tanh::<FMA>(g[u] + b_g[u]);
            o[u] = T::sigmoid::<FMA>(o[u] + b_o[u]);
            c[u] = T::fma::<FMA>(f[u], c[u], i[u] * g[u]).flush();
            h[u] = (o[u] * T::tanh::<FMA>(c[u])).flush();
        }
    }
}

#[inline(always)]
fn backward_rows<T: Real, const FMA: bool>(
    gates: &mut [T],
    c: &[T],
    c_previous: &[T],
    dh: &[T],
    dc: &mut [T],
    hidden: usize,
) {
    let rows = gates.chunks_exact_mut(NUM_GATES * hidden).enumerate();
    for (row, gates) in rows {
        let at = row * hidden..(row + 1) * hidden;
        let (c, c_previous, dh) = (&c[at.clone()], &c_previous[at.clone()], &dh[at.clone()]);
        let dc = &mut dc[at];
        let [i, f, g, o] = split_mut(gates, hidden);
        for u in 0..hidden {
            let tanh_c = T::tanh::<FMA>(c[u]);
            let dc_here = dc[u] + dh[u] * o[u] * (T::ONE - tanh_c * tanh_c);
            let (gate_i, gate_f, gate_g, gate_o) = (i[u], f[u], g[u], o[u]);
            i[u] = (dc_here * gate_g * gate_i * (T::ONE - gate_i)).flush();
            f[u] = (dc_here * c_previous[u] * gate_f * (T::ONE - gate_f)).flush();
            g[u] = (dc_here * gate_i * (T::ONE - gate_g * gate_g)).flush();
            o[u] = (dh[u] * tanh_c * gate_o * (T::ONE - gate_o)).flush();
            dc[u] = (dc_here * gate_f).flush();
        }
    }
}

/// The four gates of a row, each of exactly `hidden` units, so that the loops over them need no
/// bounds checks.
#[inline(always)]
fn split_mut<T>(row: &mut [T], hidden: usize) -> [&mut [T]; NUM_GATES] {
    let (input, rest) = row.split_at_mut(hidden);
    let (forget, rest) = rest.split_at_mut(hidden);
    let (candidate, output) = rest.split_at_mut(hidden);
    [input, forget, candidate, &mut output[..hidden]]
}

#[inline(always)]
fn split<T>(row: &[T], hidden: usize) -> [&[T]; NUM_GATES] {
    [0, 1, 2, 3].map(|gate| &row[gate * hidden..][..hidden])
}
