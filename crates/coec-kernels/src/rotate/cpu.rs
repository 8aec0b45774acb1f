//! The rotary embedding on slices.

use burn::backend::{TensorMetadata, tensor::FloatTensor};
use rayon::prelude::*;

use super::{Angles, Pairs, RotateKernel};
use crate::cpu::{Host, Real, by_dtype, widest};

impl<B: Host> RotateKernel for B {
    fn rotated(x: FloatTensor<B>, by: Angles<B>, inverse: bool) -> FloatTensor<B> {
        let width = x.shape()[3];
        let (cos, sin) = (B::hold(by.cos), B::hold(by.sin));
        by_dtype!("rotate", x.dtype(), T =>
            B::in_place::<T>(x, |x| rotate(x, B::slice(&cos), B::slice(&sin), width, by.pairs, inverse)))
    }
}

/// Rotates the rows of `x`, `tokens` of them a head, by the tables `[T, width/2]`; backwards for
/// `inverse`. In place.
fn rotate<T: Real>(x: &mut [T], cos: &[T], sin: &[T], width: usize, pairs: Pairs, inverse: bool) {
    let tokens = cos.len() / (width / 2);
    let sign = if inverse { T::constant(-1.0) } else { T::ONE };
    x.par_chunks_mut(tokens * width).for_each(|x| head(x, cos, sin, width, pairs, sign));
}

fn head<T: Real>(x: &mut [T], cos: &[T], sin: &[T], width: usize, pairs: Pairs, sign: T) {
    widest!(x: &mut [T], cos: &[T], sin: &[T], width: usize, pairs: Pairs, sign: T;
        T => head_inline(x, cos, sin, width, pairs, sign))
}

#[inline(always)]
fn head_inline<T: Real>(x: &mut [T], cos: &[T], sin: &[T], width: usize, pairs: Pairs, sign: T) {
    let half = width / 2;
    let tables = cos.chunks_exact(half).zip(sin.chunks_exact(half));
    for (x, (cos, sin)) in x.chunks_exact_mut(width).zip(tables) {
        match pairs {
            Pairs::HalfSplit => {
                let (first, second) = x.split_at_mut(half);
                for i in 0..half {
                    let (a, b, s) = (first[i], second[i], sin[i] * sign);
                    first[i] = a * cos[i] - b * s;
                    second[i] = b * cos[i] + a * s;
                }
            }
            Pairs::Neighbours => {
                for (i, pair) in x.chunks_exact_mut(2).enumerate() {
                    let (a, b, s) = (pair[0], pair[1], sin[i] * sign);
                    pair[0] = a * cos[i] - b * s;
                    pair[1] = b * cos[i] + a * s;
                }
            }
        }
    }
}
