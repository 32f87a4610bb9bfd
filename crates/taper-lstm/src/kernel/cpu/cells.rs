//! The equations of the cells, forward and backward, for as many units as a register has lanes.

use super::math::Real;
use super::vector::Vector;

/// One step of a cell with `S` slots ([`super::layout`]).
pub(super) trait CellMath<const S: usize> {
    /// From the input's and the hidden state's sums and the memory before the step: what the backward
    /// pass needs of it, the memory after it, and h.
    fn forward<V: Vector>(x: [V; S], h: [V; S], memory: V) -> ([V; S], V, V);

    /// From what [`Self::forward`] kept, the memory before and after the step, and the gradients of
    /// h and of the memory after it: the gradients of the sums and of the memory before.
    fn backward<V: Vector>(kept: [V; S], before: V, after: V, dh: V, dm: V) -> ([V; S], V);
}

/// i, f, g, o; the memory is c.
pub(super) struct Lstm;

impl CellMath<4> for Lstm {
    #[inline(always)]
    fn forward<V: Vector>(x: [V; 4], h: [V; 4], c: V) -> ([V; 4], V, V) {
        let i = x[0].add(h[0]).sigmoid();
        let f = x[1].add(h[1]).sigmoid();
        let g = x[2].add(h[2]).tanh();
        let o = x[3].add(h[3]).sigmoid();
        let c = f.mul_add(c, i.mul(g)).flush();
        let h = o.mul(c.tanh()).flush();
        ([i, f, g, o], c, h)
    }

    #[inline(always)]
    fn backward<V: Vector>([i, f, g, o]: [V; 4], before: V, c: V, dh: V, dc: V) -> ([V; 4], V) {
        let tanh_c = c.tanh();
        let dc = dh.mul(o).mul_add(one_minus_square(tanh_c), dc);
        let di = dc.mul(g).mul(sigmoid_slope(i)).flush();
        let df = dc.mul(before).mul(sigmoid_slope(f)).flush();
        let dg = dc.mul(i).mul(one_minus_square(g)).flush();
        let d_o = dh.mul(tanh_c).mul(sigmoid_slope(o)).flush();
        ([di, df, dg, d_o], dc.mul(f).flush())
    }
}

/// r, z, the input's half of n and the hidden state's; the memory is h itself.
pub(super) struct Gru;

impl CellMath<4> for Gru {
    #[inline(always)]
    fn forward<V: Vector>(x: [V; 4], h: [V; 4], memory: V) -> ([V; 4], V, V) {
        // A shut gate times an infinite state is NaN: it must be 0, not nearly.
        let r = x[0].add(h[0]).sigmoid().flush();
        let z = x[1].add(h[1]).sigmoid().flush();
        let n_h = h[3];
        let n = r.mul_add(n_h, x[2]).tanh();
        let h = z.mul_add(memory.sub(n), n).flush();
        ([r, z, n, n_h], h, h)
    }

    #[inline(always)]
    fn backward<V: Vector>([r, z, n, n_h]: [V; 4], before: V, _: V, dh: V, dm: V) -> ([V; 4], V) {
        let dh = dh.add(dm);
        let one = V::splat(V::Number::ONE);
        let dn = dh.mul(one.sub(z)).mul(one_minus_square(n)).flush();
        let dz = dh.mul(before.sub(n)).mul(sigmoid_slope(z)).flush();
        let dr = dn.mul(n_h).mul(sigmoid_slope(r)).flush();
        ([dr, dz, dn, dn.mul(r).flush()], dh.mul(z).flush())
    }
}

/// `tanh` of the sum.
pub(super) struct RnnTanh;

impl CellMath<1> for RnnTanh {
    #[inline(always)]
    fn forward<V: Vector>(x: [V; 1], h: [V; 1], memory: V) -> ([V; 1], V, V) {
        let h = x[0].add(h[0]).tanh().flush();
        ([h], memory, h)
    }

    #[inline(always)]
    fn backward<V: Vector>([h]: [V; 1], _: V, _: V, dh: V, dm: V) -> ([V; 1], V) {
        ([dh.mul(one_minus_square(h)).flush()], dm)
    }
}

/// The sum where it is positive, else 0.
pub(super) struct RnnRelu;

impl CellMath<1> for RnnRelu {
    #[inline(always)]
    fn forward<V: Vector>(x: [V; 1], h: [V; 1], memory: V) -> ([V; 1], V, V) {
        let (zero, sum) = (V::splat(V::Number::default()), x[0].add(h[0]));
        let h = sum.if_less(zero, zero, sum).flush();
        ([h], memory, h)
    }

    #[inline(always)]
    fn backward<V: Vector>([h]: [V; 1], _: V, _: V, dh: V, dm: V) -> ([V; 1], V) {
        let zero = V::splat(V::Number::default());
        ([zero.if_less(h, dh, zero).flush()], dm)
    }
}

/// The slope of sigmoid where it is `y`.
#[inline(always)]
fn sigmoid_slope<V: Vector>(y: V) -> V {
    y.mul(V::splat(V::Number::ONE).sub(y))
}

/// The slope of tanh where it is `y`.
#[inline(always)]
fn one_minus_square<V: Vector>(y: V) -> V {
    V::splat(V::Number::ONE).sub(y.mul(y))
}
