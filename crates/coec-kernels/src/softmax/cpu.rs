//! The softmax of rows of a slice, forward and backward.

use burn::backend::{Element, TensorMetadata, tensor::FloatTensor};
use rayon::prelude::*;

use super::SoftmaxKernel;
use crate::cpu::{Host, Real, by_dtype, max, sum, unwritten, widest};

impl<B: Host> SoftmaxKernel for B {
    fn forward(x: FloatTensor<B>) -> FloatTensor<B> {
        by_dtype!("softmax", x.dtype(), T => forward::<B, T>(x))
    }

    fn backward(y: FloatTensor<B>, grad: FloatTensor<B>) -> FloatTensor<B> {
        by_dtype!("the backward pass of softmax", grad.dtype(), T => backward::<B, T>(y, grad))
    }
}

/// Rows of one task.
const ROWS: usize = 64;

fn forward<B: Host, T: Real + Element>(x: FloatTensor<B>) -> FloatTensor<B> {
    let (device, shape) = (x.device(), x.shape());
    let cols = shape[1].max(1);
    let x = B::hold(x);
    let x = B::slice::<T>(&x);
    let mut y = unwritten(x.len());
    y.par_chunks_mut(ROWS * cols).zip(x.par_chunks(ROWS * cols)).for_each(|(y, x)| rows(x, y, cols));
    B::float(y, shape, &device)
}

fn backward<B: Host, T: Real + Element>(y: FloatTensor<B>, grad: FloatTensor<B>) -> FloatTensor<B> {
    let (device, shape) = (y.device(), y.shape());
    let cols = shape[1].max(1);
    let (y, grad) = (B::hold(y), B::hold(grad));
    let (y, grad) = (B::slice::<T>(&y), B::slice::<T>(&grad));
    let mut x_grad = unwritten(y.len());
    x_grad
        .par_chunks_mut(ROWS * cols)
        .zip(y.par_chunks(ROWS * cols))
        .zip(grad.par_chunks(ROWS * cols))
        .for_each(|((x_grad, y), grad)| rows_backward(y, grad, x_grad, cols));
    B::float(x_grad, shape, &device)
}

fn rows<T: Real>(x: &[T], y: &mut [T], cols: usize) {
    widest!(x: &[T], y: &mut [T], cols: usize; T => rows_inline(x, y, cols))
}

#[inline(always)]
fn rows_inline<T: Real>(x: &[T], y: &mut [T], cols: usize) {
    for (x, y) in x.chunks_exact(cols).zip(y.chunks_exact_mut(cols)) {
        let top = max(x);
        for (y, &x) in y.iter_mut().zip(x) {
            *y = (x - top).exp();
        }
        let inverse = T::ONE / sum(cols, |i| y[i]);
        for y in y {
            *y = *y * inverse;
        }
    }
}

fn rows_backward<T: Real>(y: &[T], grad: &[T], x_grad: &mut [T], cols: usize) {
    widest!(y: &[T], grad: &[T], x_grad: &mut [T], cols: usize; T => rows_backward_inline(y, grad, x_grad, cols))
}

#[inline(always)]
fn rows_backward_inline<T: Real>(y: &[T], grad: &[T], x_grad: &mut [T], cols: usize) {
    let rows = y.chunks_exact(cols).zip(grad.chunks_exact(cols)).zip(x_grad.chunks_exact_mut(cols));
    for ((y, grad), x_grad) in rows {
        let mean = sum(cols, |i| y[i] * grad[i]);
        for ((x_grad, &y), &grad) in x_grad.iter_mut().zip(y).zip(grad) {
            *x_grad = y * (grad - mean);
        }
    }
}
