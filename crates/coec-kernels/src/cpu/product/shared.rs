//! The product of two matrices, shared among the threads.

use rayon::prelude::*;

use super::{Multiply, Rows, View, product};
use crate::Precision;

/// FLOPs that are worth a task.
const TASK: usize = 1 << 20;

/// Columns of the narrowest part: two strips of the widest vectors.
const COLUMNS: usize = 64;

/// `out = left * right` or `out += left * right`, row-major. The bits are those of [`product`].
pub(crate) fn shared_product<T: Multiply>(
    out: &mut [T],
    left: View<'_, T>,
    right: View<'_, T>,
    adds: bool,
    precision: Precision,
) {
    let [rows, cols, depth] = [left.rows(), right.cols(), left.cols()];
    let threads = rayon::current_num_threads();
    let worth = (2 * rows * cols * depth).div_ceil(TASK);
    let tasks = if threads == 1 { 1 } else { worth.min(4 * threads) };
    // Columns first: those of the right factor are copied once for each part of the rows.
    let across = tasks.min(cols.div_ceil(COLUMNS)).max(1);
    let down = tasks.div_ceil(across).min(rows.div_ceil(8)).max(1);
    let size = [rows.div_ceil(down).next_multiple_of(8), cols.div_ceil(across).next_multiple_of(COLUMNS)];
    let parts = Rows::new(out, rows, cols).parts(size);
    parts.into_par_iter().with_max_len(1).for_each(|mut part| {
        let [rows, cols] = part.to.size();
        let left = left.row_range(part.row..part.row + rows);
        product(&mut part.to, left, right.columns(part.col, cols), adds, precision);
    });
}
