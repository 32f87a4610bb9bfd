//! Matrix products on slices: a checked door to the `gemm` crate.

use super::math::Real;

/// A matrix over a slice, row-major or transposed.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a, T> {
    data: &'a [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// A row-major matrix over all of `data`.
    pub(super) fn new(data: &'a [T], rows: usize, columns: usize) -> Self {
        assert_eq!(data.len(), rows * columns, "a {rows} x {columns} matrix");
        Self { data, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// The transpose, without moving anything.
    pub(super) fn t(self) -> Self {
        Self {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }
}

/// `target = lhs * rhs`; `target` is row-major.
///
/// All threads take part. The result does not depend on how many there are: `gemm` gives every element
/// of it to one thread and blocks the inner dimension by the sizes alone.
pub(super) fn multiply<T: Real>(target: &mut [T], lhs: Matrix<T>, rhs: Matrix<T>) {
    let (m, n, k) = (lhs.rows, rhs.columns, lhs.columns);
    assert!(rhs.rows == k && target.len() == m * n, "operands of a product disagree");
    // SAFETY: every index is row * row_stride + column * column_stride within the operand's slice:
    // `Matrix::new` checked its length, `t` only swaps the axes, and `target`'s length is checked
    // above. `target` is a unique borrow, so it overlaps neither operand. T is f32 or f64 (`Real` is
    // sealed to them in this module's parent), which `gemm` dispatches on.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            target.as_mut_ptr(),
            1,
            n as isize,
            false,
            lhs.data.as_ptr(),
            lhs.column_stride as isize,
            lhs.row_stride as isize,
            rhs.data.as_ptr(),
            rhs.column_stride as isize,
            rhs.row_stride as isize,
            T::ONE,
            T::ONE,
            false,
            false,
            false,
            gemm::Parallelism::Rayon(0),
        );
    }
}
