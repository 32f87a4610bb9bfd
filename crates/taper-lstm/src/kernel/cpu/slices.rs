//! Slices of a batch: neighbouring rows that one thread takes through all steps.

use std::ops::Range;

use crate::packed::Packing;

/// Fewer rows than a tile has would only make every thread read all weights.
const LEAST_ROWS: usize = 6;

/// Cuts the rows of a batch into at most `count` slices of about as many steps each.
pub(super) fn rows_of_slices(packing: &Packing, count: usize) -> Vec<Range<usize>> {
    let batch = packing.batch_size();
    let count = count.min(batch / LEAST_ROWS).max(1);
    let steps = |row: usize| packing.lengths()[packing.sorted_indices()[row] as usize];
    let total = packing.total();
    let (mut slices, mut first, mut done) = (Vec::new(), 0, 0);
    for row in 0..batch {
        done += steps(row);
        let (cut, left) = (slices.len() + 1, batch - (row + 1));
        if cut < count && done * count >= total * cut && left >= 1 {
            slices.push(first..row + 1);
            first = row + 1;
        }
    }
    slices.push(first..batch);
    slices
}

/// For every slice, the rows it owns of every step of a packed matrix that is `width` wide.
pub(super) fn cut<'a, T>(
    matrix: &'a mut [T],
    width: usize,
    packing: &Packing,
    slices: &[Range<usize>],
) -> Vec<Vec<&'a mut [T]>> {
    let steps = packing.num_steps();
    let mut parts: Vec<Vec<&mut [T]>> = slices.iter().map(|_| Vec::with_capacity(steps)).collect();
    let mut rest = matrix;
    for &alive in packing.batch_sizes() {
        for (part, rows) in parts.iter_mut().zip(slices) {
            let rows = rows.end.min(alive) - rows.start.min(alive);
            let (own, others) = rest.split_at_mut(rows * width);
            part.push(own);
            rest = others;
        }
    }
    parts
}

/// For every slice, its rows of a matrix with one row a sequence.
pub(super) fn cut_rows<'a, T>(
    matrix: &'a mut [T],
    width: usize,
    slices: &[Range<usize>],
) -> Vec<&'a mut [T]> {
    let mut rest = matrix;
    slices
        .iter()
        .map(|rows| {
            let (own, others) = std::mem::take(&mut rest).split_at_mut(rows.len() * width);
            rest = others;
            own
        })
        .collect()
}

/// The part of step `t` to write and that of step `before` to read.
pub(super) fn pair<'a, T>(
    parts: &'a mut [&mut [T]],
    t: usize,
    before: Option<usize>,
) -> (&'a mut [T], &'a [T]) {
    match before {
        None => (parts[t], &[]),
        Some(before) if before < t => {
            let (left, right) = parts.split_at_mut(t);
            (right[0], left[before])
        }
        Some(before) => {
            let (left, right) = parts.split_at_mut(before);
            (left[t], right[0])
        }
    }
}
