//! Rows to columns.

use super::{
    Multiply,
    kernel::{Kernel, Lines, turned},
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
    assert!(from.col_stride() == 1 && rows <= stride, "elements apart");
    assert!(cols == 0 || (cols - 1) * stride + rows <= to.len(), "columns beyond the slice");
    let (lines, to) = (from.lines(), to.as_mut_ptr());
    let square = kernel.square;
    for row in (0..rows).step_by(square) {
        for col in (0..cols).step_by(square) {
            let [height, length] = [square.min(rows - row), square.min(cols - col)];
            // SAFETY: the square begins inside the view and, turned, inside `to`, as asserted, and so does all
            // of it: it is as large as it can be, or what is left.
            unsafe {
                let part = Lines {
                    from: lines.from.add(row * lines.from_stride + col),
                    from_stride: lines.from_stride,
                    to: to.add(col * stride + row),
                    to_stride: stride,
                    lines: height,
                    length,
                };
                if height == square && length == square { (kernel.turn)(part) } else { turned(part) }
            }
        }
    }
}
