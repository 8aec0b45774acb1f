//! The product of two matrices, on the calling thread.
//!
//! The right factor is cut into strips as wide as one or two vectors, each copied so that its rows follow
//! each other; a strip is multiplied with rows of the left factor, which are read where they are, eight or
//! so at a time, all sums in registers. So a factor of many columns belongs on the right where it has to be
//! gathered or transposed anyway, and large weights on the left, which costs them nothing.
//!
//! Each element is summed in one order: by [`DEPTH`] columns of the left factor, one after the other. Which
//! rows and strips are computed together, and by whom, changes no bit.

mod kernel;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
mod scratch;
mod shared;
mod strips;
#[cfg(test)]
mod tests;
mod transpose;
mod vector;
mod view;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use scratch::{Scratch, unwritten};
pub(crate) use shared::shared_product;
pub(crate) use transpose::transpose;
pub(crate) use view::{Part, Rows, View};

use self::kernel::{Column, Kernel};
use super::Real;
use crate::flops;

/// Columns of the left factor that are summed before they are added to the result: a strip of so many rows
/// stays in the second cache.
const DEPTH: usize = 512;

/// An element type with kernels.
pub(crate) trait Multiply: Real {
    /// The kernel for this machine.
    #[doc(hidden)]
    fn kernel() -> Kernel<Self>;
}

impl Multiply for f32 {
    fn kernel() -> Kernel<f32> {
        #[cfg(target_arch = "x86_64")]
        {
            if x86::has_avx512() {
                return x86::AVX512_F32;
            }
            if x86::has_avx2() {
                return x86::AVX2_F32;
            }
        }
        #[cfg(target_arch = "aarch64")]
        return neon::NEON_F32;
        #[allow(unreachable_code)]
        portable::F32
    }
}

impl Multiply for f64 {
    fn kernel() -> Kernel<f64> {
        #[cfg(target_arch = "x86_64")]
        {
            if x86::has_avx512() {
                return x86::AVX512_F64;
            }
            if x86::has_avx2() {
                return x86::AVX2_F64;
            }
        }
        #[cfg(target_arch = "aarch64")]
        return neon::NEON_F64;
        #[allow(unreachable_code)]
        portable::F64
    }
}

/// `out = left * right`, or `out += left * right`.
///
/// Counted as FLOPs performed by [`flops::performed`] where `counted` says so by its caller, see
/// [`counted_product`].
pub(crate) fn product<T: Multiply>(out: &mut Rows<'_, T>, left: View<'_, T>, right: View<'_, T>, adds: bool) {
    product_with(T::kernel(), out, left, right, adds);
}

/// [`product`], counted in [`flops::performed`].
pub(crate) fn counted_product<T: Multiply>(
    out: &mut Rows<'_, T>,
    left: View<'_, T>,
    right: View<'_, T>,
    adds: bool,
) {
    flops::count([left.rows(), left.cols(), right.cols()]);
    product(out, left, right, adds);
}

fn product_with<T: Real>(
    kernel: Kernel<T>,
    out: &mut Rows<'_, T>,
    left: View<'_, T>,
    right: View<'_, T>,
    adds: bool,
) {
    let [rows, cols, depth] = [left.rows(), right.cols(), left.cols()];
    assert_eq!(depth, right.rows(), "inner sizes differ");
    assert_eq!(out.size(), [rows, cols], "output of the wrong size");
    assert_eq!(left.is_in_order(), [true, true], "only the right factor is copied");
    if rows == 0 || cols == 0 {
        return;
    }
    if depth == 0 {
        if !adds {
            out.fill(T::ZERO);
        }
        return;
    }
    let mut scratch = Scratch::new(DEPTH.min(depth) * 2 * kernel.lanes[0]);
    for start in (0..depth).step_by(DEPTH) {
        let count = DEPTH.min(depth - start);
        let (left, right) = (left.columns(start, count), right.transposed().columns(start, count));
        let mut col = 0;
        while col < cols {
            let width = strips::width(kernel.lanes, cols - col);
            let valid = width.min(cols - col);
            let strip = &mut scratch.as_mut_slice()[..count * width];
            strips::copy(kernel, right, col, valid, strip, width);
            // SAFETY: `left` is `rows * count` elements inside its slice, as its view promises; the strip was
            // just written; columns `col..col + valid` of `out` are inside it and exclusively borrowed; the
            // kernel is one of this machine.
            unsafe {
                (kernel.column)(Column {
                    left: left.first(),
                    left_row: left.row_stride(),
                    left_col: left.col_stride(),
                    strip: strip.as_ptr(),
                    width,
                    out: out.first().add(col),
                    out_row: out.stride(),
                    valid,
                    rows,
                    depth: count,
                    adds: adds || start > 0,
                });
            }
            col += valid;
        }
    }
}
