//! The rotary embedding on slices.

use burn::backend::{TensorMetadata, tensor::FloatTensor};
use rayon::prelude::*;

use super::{Angles, Pairing, RotateKernel};
use crate::cpu::{Host, Real, by_dtype, widest};

impl<B: Host> RotateKernel for B {
    fn rotated(x: FloatTensor<B>, by: Angles<B>, inverse: bool) -> FloatTensor<B> {
        let ([_, _, heads, width], [_, half]) = (x.shape().dims(), by.cos.shape().dims());
        let (cos, sin) = (B::hold(by.cos), B::hold(by.sin));
        by_dtype!("rotate", x.dtype(), T => B::in_place::<T>(x, |x| {
            let (cos, sin) = (B::slice(&cos), B::slice(&sin));
            let tables = Tables { cos, sin, heads, width, half, pairs: by.pairs };
            rotate(x, tables, inverse);
        }))
    }
}

/// cos and sin `[T, half]`, and how they are used.
#[derive(Clone, Copy)]
struct Tables<'a, T> {
    cos: &'a [T],
    sin: &'a [T],
    heads: usize,
    width: usize,
    /// Pairing that are rotated, the first of a head.
    half: usize,
    pairs: Pairing,
}

/// Tokens of one task.
const TOKENS: usize = 64;

/// Rotates every head of `x` `[B, T, H, width]`, backwards for `inverse`. In place.
fn rotate<T: Real>(x: &mut [T], by: Tables<'_, T>, inverse: bool) {
    if x.is_empty() {
        return;
    }
    let half = by.half;
    let (tokens, row) = (by.cos.len() / half, by.heads * by.width);
    let sign = if inverse { T::constant(-1.0) } else { T::ONE };
    x.par_chunks_mut(tokens * row).for_each(|sequence| {
        sequence.par_chunks_mut(TOKENS * row).enumerate().for_each(|(task, x)| {
            let first = task * TOKENS * half;
            rows(x, Tables { cos: &by.cos[first..], sin: &by.sin[first..], ..by }, sign);
        });
    });
}

fn rows<T: Real>(x: &mut [T], by: Tables<'_, T>, sign: T) {
    widest!(x: &mut [T], by: Tables<'_, T>, sign: T; T => rows_inline(x, by, sign))
}

#[inline(always)]
fn rows_inline<T: Real>(x: &mut [T], by: Tables<'_, T>, sign: T) {
    let Tables { cos, sin, heads, width, half, pairs } = by;
    for (row, x) in x.chunks_exact_mut(width).enumerate() {
        let angles = row / heads * half;
        let (cos, sin) = (&cos[angles..][..half], &sin[angles..][..half]);
        let x = &mut x[..2 * half];
        match pairs {
            Pairing::HalfSplit => {
                let (first, second) = x.split_at_mut(half);
                for i in 0..half {
                    let (a, b, s) = (first[i], second[i], sin[i] * sign);
                    first[i] = a * cos[i] - b * s;
                    second[i] = b * cos[i] + a * s;
                }
            }
            Pairing::Neighbours => {
                for (i, pair) in x.chunks_exact_mut(2).enumerate() {
                    let (a, b, s) = (pair[0], pair[1], sin[i] * sign);
                    pair[0] = a * cos[i] - b * s;
                    pair[1] = b * cos[i] + a * s;
                }
            }
        }
    }
}
