//! Rows to columns.

use crate::cpu::Real;

/// Rows and columns that are exchanged together: as much as is read and written at once stays in the first
/// cache.
const SQUARE: usize = 16;

/// Writes `from` `[rows, cols]` to `to` as `[cols, rows]`.
pub(crate) fn transpose<T: Real>(from: &[T], to: &mut [T], [rows, cols]: [usize; 2]) {
    assert_eq!(
        [from.len(), to.len()],
        [rows * cols; 2],
        "a {rows} x {cols} matrix needs exactly its elements"
    );
    for row in (0..rows).step_by(SQUARE) {
        for col in (0..cols).step_by(SQUARE) {
            for i in row..rows.min(row + SQUARE) {
                let from = &from[i * cols..][col..cols.min(col + SQUARE)];
                let to = &mut to[col * rows + i..];
                for (j, &value) in from.iter().enumerate() {
                    to[j * rows] = value;
                }
            }
        }
    }
}
