//! The softmax of rows of a slice, forward and backward.

use burn::backend::{Element, TensorMetadata, tensor::FloatTensor};
use rayon::prelude::*;

use super::SoftmaxKernel;
use crate::cpu::{Host, Real, by_dtype, softmax, softmax_gradient, unwritten, widest};

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
    y.copy_from_slice(x);
    y.chunks_exact_mut(cols).for_each(|row| softmax(row, T::ONE));
}

fn rows_backward<T: Real>(y: &[T], grad: &[T], x_grad: &mut [T], cols: usize) {
    widest!(y: &[T], grad: &[T], x_grad: &mut [T], cols: usize; T => rows_backward_inline(y, grad, x_grad, cols))
}

#[inline(always)]
fn rows_backward_inline<T: Real>(y: &[T], grad: &[T], x_grad: &mut [T], cols: usize) {
    x_grad.copy_from_slice(grad);
    let rows = x_grad.chunks_exact_mut(cols).zip(y.chunks_exact(cols));
    rows.for_each(|(x_grad, y)| {
        softmax_gradient(x_grad, y, T::ONE);
    });
}
