//! Rows to columns.

use super::{
    Multiply,
    kernel::{Kernel, Lines},
    view::View,
};
use crate::cpu::Real;

/// Writes `from` `[rows, cols]` to `to` as `[cols, rows]`.
pub(crate) fn transpose<T: Multiply>(from: &[T], to: &mut [T], [rows, cols]: [usize; 2]) {
    turn(T::kernel(), View::new(from, rows, cols), to, rows);
}

/// Writes the rows of `from`, whose elements follow each other, to columns of `to`, whose rows are `stride`
/// apart.
pub(super) fn turn<T: Real>(kernel: Kernel<T>, from: View<'_, T>, to: &mut [T], stride: usize) {
    let [rows, cols] = [from.rows(), from.cols()];
    assert!(from.col_stride() == 1 && from.is_in_order()[1] && rows <= stride, "elements apart");
    assert!(cols == 0 || (cols - 1) * stride + rows <= to.len(), "columns beyond the slice");
    // SAFETY: lines of the view and, turned, columns of `to`, as asserted.
    unsafe { (kernel.turn)(Lines { to: to.as_mut_ptr(), to_stride: stride, ..from.lines() }) };
}
