//! Strips of the right factor.

use super::view::View;
use crate::cpu::Real;

/// Rows of a strip that are written together.
const SQUARE: usize = 16;

/// How wide the strip is that begins where `left` columns are left: as wide as two vectors, one, or a narrow
/// one, so that little is computed for nobody.
pub(super) fn width([wide, narrow]: [usize; 2], left: usize) -> usize {
    if left > wide {
        2 * wide
    } else if left > narrow {
        wide
    } else {
        narrow
    }
}

/// Copies columns of a matrix, which are rows of `transposed`, to a strip `[depth, width]`; those that are
/// missing become 0.
pub(super) fn copy<T: Real>(
    transposed: View<'_, T>,
    first: usize,
    count: usize,
    strip: &mut [T],
    width: usize,
) {
    if transposed.row_stride() == 1 {
        for (p, to) in strip.chunks_exact_mut(width).enumerate() {
            let (to, rest) = to.split_at_mut(count);
            to.copy_from_slice(transposed.run(first, p, count));
            rest.fill(T::ZERO);
        }
    } else {
        // Squares: as much as is read and written at once stays in the first cache.
        for (square, to) in strip.chunks_mut(SQUARE * width).enumerate() {
            let depth = to.len() / width;
            for lane in 0..width {
                if lane < count {
                    let (from, step) = transposed.along(first + lane, square * SQUARE, depth);
                    for p in 0..depth {
                        to[p * width + lane] = from[p * step];
                    }
                } else {
                    for p in 0..depth {
                        to[p * width + lane] = T::ZERO;
                    }
                }
            }
        }
    }
}
