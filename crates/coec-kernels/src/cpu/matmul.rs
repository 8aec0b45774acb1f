//! The one call into `gemm`.

use super::Real;
use crate::flops;

/// A matrix inside a slice, by its strides.
#[derive(Clone, Copy)]
pub(crate) struct View<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a, T> View<'a, T> {
    /// A row-major matrix that fills `data`.
    pub fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        assert_eq!(data.len(), rows * cols, "a {rows} x {cols} matrix needs exactly its elements");
        Self { data, rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// The same matrix, rows and columns exchanged.
    pub fn transposed(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }

    /// The columns `start..start + count`.
    pub fn columns(self, start: usize, count: usize) -> Self {
        assert!(start + count <= self.cols, "columns beyond the matrix");
        let data = if self.rows == 0 { self.data } else { &self.data[start * self.col_stride..] };
        Self { data, cols: count, ..self }
    }

    /// Elements from the first to one past the last.
    fn extent(&self) -> usize {
        if self.rows == 0 || self.cols == 0 {
            return 0;
        }
        (self.rows - 1) * self.row_stride + (self.cols - 1) * self.col_stride + 1
    }
}

/// `out = lhs * rhs`, `out` row-major, on the calling thread.
pub(crate) fn matmul<T: Real>(out: &mut [T], lhs: View<'_, T>, rhs: View<'_, T>) {
    let (m, n, k) = (lhs.rows, rhs.cols, lhs.cols);
    assert_eq!(k, rhs.rows, "inner sizes differ");
    assert_eq!(out.len(), m * n, "output of the wrong size");
    assert!(lhs.extent() <= lhs.data.len() && rhs.extent() <= rhs.data.len(), "a view beyond its data");
    if out.is_empty() {
        return;
    }
    if k == 0 {
        out.fill(T::ZERO);
        return;
    }
    flops::count([m, k, n]);
    // SAFETY: `out` is `m * n` elements, exclusively borrowed and written row by row; each view's
    // farthest element is `extent() - 1`, checked above to lie inside its slice; `T` is f32 or f64,
    // the types `gemm` dispatches on. `read_dst` is false, so `out` is only written.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            false,
            lhs.data.as_ptr(),
            lhs.col_stride as isize,
            lhs.row_stride as isize,
            rhs.data.as_ptr(),
            rhs.col_stride as isize,
            rhs.row_stride as isize,
            T::ZERO,
            T::ONE,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_multiply_like_the_definition() {
        let a: Vec<f64> = (0..12).map(f64::from).collect(); // 3 x 4
        let b: Vec<f64> = (0..20).map(|v| f64::from(v) - 7.0).collect(); // 4 x 5
        let lhs = View::new(&a, 3, 4).transposed().columns(1, 2).transposed(); // rows 1, 2
        let rhs = View::new(&b, 4, 5).columns(2, 3);
        let mut out = vec![f64::NAN; 6];
        matmul(&mut out, lhs, rhs);
        for i in 0..2 {
            for j in 0..3 {
                let expected: f64 = (0..4).map(|p| a[(i + 1) * 4 + p] * b[p * 5 + j + 2]).sum();
                assert_eq!(out[i * 3 + j], expected);
            }
        }
    }
}
