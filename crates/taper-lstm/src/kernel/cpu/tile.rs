//! The innermost loop: a tile of a product, as large as the registers hold.

use super::vector::Vector;

/// Rows of numbers, `stride` apart.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a, T> {
    pub(super) data: &'a [T],
    pub(super) stride: usize,
}

/// `sums[r][s] += left[first + r][k] * panel[k][s]` over all `k`, one after the other: a sum does not
/// depend on the tile that it is in.
///
/// `panel`: `[depth][S][LANES]`; `left`: at least `depth` columns from `column` on.
#[inline(always)]
pub(super) fn accumulate<V: Vector, const R: usize, const S: usize>(
    mut sums: [[V; S]; R],
    left: Rows<V::Number>,
    first: usize,
    column: usize,
    panel: &[V::Number],
) -> [[V; S]; R] {
    let depth = panel.len() / (S * V::LANES);
    let start = first * left.stride + column;
    assert!(start + (R - 1) * left.stride + depth <= left.data.len(), "a tile beyond its rows");
    let left_row = left.data[start..].as_ptr();
    for k in 0..depth {
        let mut factors = [V::splat(V::Number::default()); R];
        for (r, factor) in factors.iter_mut().enumerate() {
            // SAFETY: r < R and k < depth, and the last of these lies within `left.data` (asserted).
            *factor = V::splat(unsafe { *left_row.add(r * left.stride + k) });
        }
        for s in 0..S {
            // SAFETY: the panel has depth * S vectors, and this is one of them.
            let right = unsafe { V::load_at(panel.as_ptr().add((k * S + s) * V::LANES)) };
            for (factor, sums) in factors.iter().zip(&mut sums) {
                sums[s] = factor.mul_add(right, sums[s]);
            }
        }
    }
    sums
}

/// Calls `$body` with the constant `$rows` for the first rows, then the next, up to `$to`: as few tiles
/// of at most `$most` rows (no more than 6) as will do, all of about the same size, since a tile of one
/// row would wait for its weights.
macro_rules! for_tiles {
    ($most:expr, $from:expr, $to:expr, |$row:ident, $rows:ident| $body:expr) => {
        let (mut $row, last): (usize, usize) = ($from, $to);
        let mut tiles = (last - $row).div_ceil($most);
        while $row < last {
            macro_rules! tile {
                ($constant:literal) => {{
                    const $rows: usize = $constant;
                    $body;
                    $row += $constant;
                }};
            }
            let rows = (last - $row).div_ceil(tiles);
            tiles -= 1;
            match rows {
                1 => tile!(1),
                2 => tile!(2),
                3 if $most > 2 => tile!(3),
                4 if $most > 3 => tile!(4),
                5 if $most > 4 => tile!(5),
                _ if $most > 5 => tile!(6),
                // No count is above `$most`: whoever adds a larger one must add its tile.
                _ => unreachable!("tiles have at most six rows"),
            }
        }
    };
}
pub(super) use for_tiles;
