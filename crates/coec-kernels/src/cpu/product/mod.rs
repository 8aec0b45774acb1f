//! The product of two matrices, on the calling thread.
//!
//! The right factor is cut into strips as wide as one or two vectors, each copied so that its rows follow
//! each other; a strip is multiplied with rows of the left factor, which are read where they are, eight or
//! so at a time, all sums in registers. So a factor of many columns belongs on the right where it has to be
//! gathered or transposed anyway, and large weights on the left, which costs them nothing.
//!
//! Each element is summed in one order: by [`DEPTH`] columns of the left factor, one after the other. Which
//! rows and strips are computed together, and by whom, changes no bit.
//!
//! In bf16 both factors are rounded here, and nowhere else: the right one in its strips, the left one in a
//! copy of [`ROUNDED`] rows. What is multiplied and summed then is f32, in the same order.

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
use super::{Real, round_to_bf16};
use crate::{Precision, flops};

/// Columns of the left factor that are summed before they are added to the result: a strip of so many rows
/// stays in the second cache.
const DEPTH: usize = 512;

/// Rows of the left factor that are rounded together, so that a few megabytes do for them.
const ROUNDED: usize = 1024;

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

/// `out = left * right`, or `out += left * right`, of factors in `precision`.
///
/// Counted as FLOPs performed by [`flops::performed`] where `counted` says so by its caller, see
/// [`counted_product`].
pub(crate) fn product<T: Multiply>(
    out: &mut Rows<'_, T>,
    left: View<'_, T>,
    right: View<'_, T>,
    adds: bool,
    precision: Precision,
) {
    product_with(T::kernel(), out, left, right, adds, precision);
}

/// [`product`], counted in [`flops::performed`].
pub(crate) fn counted_product<T: Multiply>(
    out: &mut Rows<'_, T>,
    left: View<'_, T>,
    right: View<'_, T>,
    adds: bool,
    precision: Precision,
) {
    flops::count([left.rows(), left.cols(), right.cols()]);
    product(out, left, right, adds, precision);
}

fn product_with<T: Real>(
    kernel: Kernel<T>,
    out: &mut Rows<'_, T>,
    left: View<'_, T>,
    right: View<'_, T>,
    adds: bool,
    precision: Precision,
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
    // In f32 the left factor is read where it is, whole.
    let (together, mut rounded) = match precision {
        Precision::F32 => (rows, Scratch::default()),
        Precision::Bf16 => (rows.min(ROUNDED), Scratch::new(rows.min(ROUNDED) * DEPTH.min(depth))),
    };
    for (first, start) in parts(rows, together).flat_map(|row| parts(depth, DEPTH).map(move |col| (row, col)))
    {
        let (rows, count) = (together.min(rows - first), DEPTH.min(depth - start));
        let right = right.transposed().columns(start, count);
        let mut left = left.row_range(first..first + rows).columns(start, count);
        if precision == Precision::Bf16 {
            left = left.copied(rounded.as_mut_slice(), round_to_bf16);
        }
        let mut col = 0;
        while col < cols {
            let width = strips::width(kernel.lanes, cols - col);
            let valid = width.min(cols - col);
            let strip = &mut scratch.as_mut_slice()[..count * width];
            strips::copy(kernel, right, col, valid, strip, width);
            if precision == Precision::Bf16 {
                round_to_bf16(strip);
            }
            // SAFETY: `left` is `rows * count` elements inside its slice, as its view promises; the strip was
            // just written; rows `first..first + rows` and columns `col..col + valid` of `out` are inside it and
            // exclusively borrowed; the kernel is one of this machine.
            unsafe {
                (kernel.column)(Column {
                    left: left.first(),
                    left_row: left.row_stride(),
                    left_col: left.col_stride(),
                    strip: strip.as_ptr(),
                    width,
                    out: out.first().add(first * out.stride() + col),
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

/// Where parts of `size` of `0..count` begin.
fn parts(count: usize, size: usize) -> std::iter::StepBy<std::ops::Range<usize>> {
    (0..count).step_by(size)
}
