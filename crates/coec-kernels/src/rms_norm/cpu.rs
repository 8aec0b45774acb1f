//! RMSNorm on slices, forward and backward.

use burn::backend::{Element, TensorMetadata, tensor::FloatTensor};
use rayon::prelude::*;

use super::{RmsNormKernel, Saved};
use crate::cpu::{Host, Real, by_dtype, sum, unwritten, widest};

impl<B: Host> RmsNormKernel for B {
    fn forward(x: FloatTensor<B>, weight: FloatTensor<B>, eps: f64) -> [FloatTensor<B>; 2] {
        by_dtype!("rms_norm", x.dtype(), T => forward::<B, T>(x, weight, eps))
    }

    fn backward(saved: Saved<B>, grad: FloatTensor<B>) -> [FloatTensor<B>; 2] {
        by_dtype!("the backward pass of rms_norm", grad.dtype(), T => backward::<B, T>(saved, grad))
    }
}

fn forward<B: Host, T: Real + Element>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    eps: f64,
) -> [FloatTensor<B>; 2] {
    let (device, shape) = (x.device(), x.shape());
    let rows = shape[0];
    let (x, weight) = (B::hold(x), B::hold(weight));
    let (y, scales) = rms_norm::<T>(B::slice(&x), B::slice(&weight), eps);
    [B::float(y, shape, &device), B::float(scales, [rows], &device)]
}

fn backward<B: Host, T: Real + Element>(saved: Saved<B>, grad: FloatTensor<B>) -> [FloatTensor<B>; 2] {
    let Saved { x, weight, scales } = saved;
    let (device, shape, width) = (x.device(), x.shape(), weight.shape());
    let [grad, x, weight, scales] = [grad, x, weight, scales].map(B::hold);
    let (x, weight) =
        rms_norm_backward::<T>(B::slice(&grad), B::slice(&x), B::slice(&weight), B::slice(&scales));
    [B::float(x, shape, &device), B::float(weight, width, &device)]
}

/// Rows of one task; fixed, so that sums over rows have a fixed order.
const ROWS: usize = 64;

/// `x * rsqrt(mean(x^2) + eps) * w` per row of `[N, D]`, and the factor of each row.
fn rms_norm<T: Real>(x: &[T], w: &[T], eps: f64) -> (Vec<T>, Vec<T>) {
    let d = w.len();
    let (mut y, mut scales) = (unwritten(x.len()), unwritten(x.len() / d));
    y.par_chunks_mut(ROWS * d)
        .zip(scales.par_chunks_mut(ROWS))
        .zip(x.par_chunks(ROWS * d))
        .for_each(|((y, scales), x)| rows(x, w, T::constant(eps), y, scales));
    (y, scales)
}

fn rows<T: Real>(x: &[T], w: &[T], eps: T, y: &mut [T], scales: &mut [T]) {
    widest!(x: &[T], w: &[T], eps: T, y: &mut [T], scales: &mut [T];
        T => rows_inline(x, w, eps, y, scales))
}

#[inline(always)]
fn rows_inline<T: Real>(x: &[T], w: &[T], eps: T, y: &mut [T], scales: &mut [T]) {
    let d = w.len();
    let inverse = T::constant(1.0 / d as f64);
    for ((x, y), scale) in x.chunks_exact(d).zip(y.chunks_exact_mut(d)).zip(scales) {
        *scale = T::ONE / (sum(d, |i| x[i] * x[i]) * inverse + eps).sqrt();
        for ((y, &x), &w) in y.iter_mut().zip(x).zip(w) {
            *y = x * *scale * w;
        }
    }
}

/// The gradients of `x` and `w`.
///
/// With `s` the row's factor and `g = dy * w`: `dx = s g - x s^3 mean(g x)`, `dw = sum of dy x s`.
fn rms_norm_backward<T: Real>(dy: &[T], x: &[T], w: &[T], scales: &[T]) -> (Vec<T>, Vec<T>) {
    let d = w.len();
    let mut dx = unwritten(x.len());
    let mut partial = vec![T::ZERO; scales.len().div_ceil(ROWS) * d];
    dx.par_chunks_mut(ROWS * d)
        .zip(partial.par_chunks_mut(d))
        .zip(dy.par_chunks(ROWS * d))
        .zip(x.par_chunks(ROWS * d))
        .zip(scales.par_chunks(ROWS))
        .for_each(|((((dx, dw), dy), x), scales)| rows_backward(dy, x, w, scales, dx, dw));
    let mut dw = vec![T::ZERO; d];
    for partial in partial.chunks_exact(d) {
        for (dw, &partial) in dw.iter_mut().zip(partial) {
            *dw += partial;
        }
    }
    (dx, dw)
}

fn rows_backward<T: Real>(dy: &[T], x: &[T], w: &[T], scales: &[T], dx: &mut [T], dw: &mut [T]) {
    widest!(dy: &[T], x: &[T], w: &[T], scales: &[T], dx: &mut [T], dw: &mut [T];
        T => rows_backward_inline(dy, x, w, scales, dx, dw))
}

#[inline(always)]
fn rows_backward_inline<T: Real>(dy: &[T], x: &[T], w: &[T], scales: &[T], dx: &mut [T], dw: &mut [T]) {
    let d = w.len();
    let inverse = T::constant(1.0 / d as f64);
    let rows = dy.chunks_exact(d).zip(x.chunks_exact(d)).zip(dx.chunks_exact_mut(d)).zip(scales);
    for (((dy, x), dx), &s) in rows {
        let mean = sum(d, |i| dy[i] * w[i] * x[i]) * inverse;
        let pull = s * s * s * mean;
        for i in 0..d {
            dx[i] = dy[i] * w[i] * s - x[i] * pull;
            dw[i] += dy[i] * x[i] * s;
        }
    }
}
