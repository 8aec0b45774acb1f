//! Strips of the right factor.

use super::{
    kernel::{Kernel, Lines},
    transpose::turn,
    view::View,
};
use crate::cpu::Real;

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
    kernel: Kernel<T>,
    transposed: View<'_, T>,
    first: usize,
    count: usize,
    strip: &mut [T],
    width: usize,
) {
    let depth = transposed.cols();
    let columns = transposed.row_range(first..first + count);
    let [is_one_line, follows] = columns.is_in_order();
    if transposed.row_stride() == 1 && is_one_line && count == width {
        let lines = columns.transposed().lines();
        let to = strip[..depth * width].as_mut_ptr();
        // SAFETY: the view has `depth` lines of `width` elements, and so has the strip.
        unsafe { (kernel.copy)(Lines { to, to_stride: width, ..lines }) };
        return;
    }
    if columns.col_stride() == 1 && follows {
        turn(kernel, columns, &mut strip[..depth * width], width);
    } else {
        for (p, to) in strip[..depth * width].chunks_exact_mut(width).enumerate() {
            for (lane, to) in to[..count].iter_mut().enumerate() {
                *to = columns.get(lane, p);
            }
        }
    }
    if count < width {
        strip[..depth * width].chunks_exact_mut(width).for_each(|to| to[count..].fill(T::ZERO));
    }
}
