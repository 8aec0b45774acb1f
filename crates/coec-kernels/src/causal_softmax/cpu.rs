//! Causal softmax on slices, forward and backward.

use burn::backend::{TensorMetadata, tensor::FloatTensor};
use rayon::prelude::*;

use super::{CausalSoftmaxKernel, Saved};
use crate::cpu::{Host, Real, by_dtype, max, sum, widest};

impl<B: Host> CausalSoftmaxKernel for B {
    fn forward(scores: FloatTensor<B>, scale: f64) -> FloatTensor<B> {
        let [_, _, queries, keys] = scores.shape().dims();
        by_dtype!("causal_softmax", scores.dtype(), T =>
            B::in_place::<T>(scores, |scores| causal_softmax(scores, queries, keys, scale)))
    }

    fn backward(saved: Saved<B>, grad: FloatTensor<B>) -> FloatTensor<B> {
        let [_, _, queries, keys] = grad.shape().dims();
        let (probs, scale) = (B::hold(saved.probs), saved.scale);
        by_dtype!("the backward pass of causal_softmax", grad.dtype(), T =>
        B::in_place::<T>(grad, |grad| {
            causal_softmax_backward(grad, B::slice(&probs), queries, keys, scale);
        }))
    }
}

/// Rows of one task.
const ROWS: usize = 64;

/// Softmax of `scale * scores` over the keys a token may see, 0 elsewhere. In place.
///
/// `scores` is rows of `keys`, `queries` of them a head; query `t` sees the first
/// `keys - queries + t + 1` keys.
fn causal_softmax<T: Real>(scores: &mut [T], queries: usize, keys: usize, scale: f64) {
    scores.par_chunks_mut(ROWS * keys).enumerate().for_each(|(chunk, scores)| {
        rows(scores, chunk * ROWS, queries, keys, T::constant(scale));
    });
}

fn rows<T: Real>(scores: &mut [T], first: usize, queries: usize, keys: usize, scale: T) {
    widest!(scores: &mut [T], first: usize, queries: usize, keys: usize, scale: T;
        T => rows_inline(scores, first, queries, keys, scale))
}

#[inline(always)]
fn rows_inline<T: Real>(scores: &mut [T], first: usize, queries: usize, keys: usize, scale: T) {
    for (row, scores) in scores.chunks_exact_mut(keys).enumerate() {
        let seen = keys - queries + (first + row) % queries + 1;
        let (seen, hidden) = scores.split_at_mut(seen);
        let top = max(seen);
        for value in seen.iter_mut() {
            *value = ((*value - top) * scale).exp();
        }
        let inverse = T::ONE / sum(seen.len(), |i| seen[i]);
        for value in seen.iter_mut() {
            *value = *value * inverse;
        }
        hidden.fill(T::ZERO);
    }
}

/// The gradient of the scores from that of the probabilities, in place of the latter:
/// `ds = scale p (dp - sum of p dp)`.
fn causal_softmax_backward<T: Real>(grad: &mut [T], probs: &[T], queries: usize, keys: usize, scale: f64) {
    grad.par_chunks_mut(ROWS * keys).zip(probs.par_chunks(ROWS * keys)).enumerate().for_each(
        |(chunk, (grad, probs))| rows_backward(grad, probs, chunk * ROWS, queries, keys, T::constant(scale)),
    );
}

fn rows_backward<T: Real>(grad: &mut [T], probs: &[T], first: usize, queries: usize, keys: usize, scale: T) {
    widest!(grad: &mut [T], probs: &[T], first: usize, queries: usize,
        keys: usize, scale: T;
        T => rows_backward_inline(grad, probs, first, queries, keys, scale))
}

#[inline(always)]
fn rows_backward_inline<T: Real>(
    grad: &mut [T],
    probs: &[T],
    first: usize,
    queries: usize,
    keys: usize,
    scale: T,
) {
    for (row, (grad, probs)) in grad.chunks_exact_mut(keys).zip(probs.chunks_exact(keys)).enumerate() {
        let seen = keys - queries + (first + row) % queries + 1;
        let (grad, hidden) = grad.split_at_mut(seen);
        let mean = sum(seen, |i| grad[i] * probs[i]);
        for (grad, &p) in grad.iter_mut().zip(probs) {
            *grad = scale * p * (*grad - mean);
        }
        hidden.fill(T::ZERO);
    }
}
