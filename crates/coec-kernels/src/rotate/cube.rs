//! The rotary embedding on GPUs: a unit a pair, or a dimension that is not rotated.

use burn::backend::{Cube, TensorMetadata, tensor::FloatTensor};
use burn::tensor::DType;
use cubecl::prelude::*;

use super::{Angles, Pairing, RotateKernel};
use crate::cube::{UNITS, ask_for_f32, buffer, cubes_of_units, empty};

impl RotateKernel for Cube {
    fn rotated(x: FloatTensor<Self>, by: Angles<Self>, inverse: bool) -> FloatTensor<Self> {
        ask_for_f32("rotate", x.dtype());
        let ([batch, tokens, heads, width], [_, half]) = (x.shape().dims(), by.cos.shape().dims());
        let out = empty(&x, [batch, tokens, heads, width], DType::F32);
        let of_a_head = width - half; // its pairs, and what is not rotated
        let units = batch * tokens * heads * of_a_head;
        turn::launch(
            &x.client,
            cubes_of_units(units),
            CubeDim::new_1d(UNITS),
            buffer(&x),
            buffer(&by.cos),
            buffer(&by.sin),
            buffer(&out),
            units,
            tokens,
            heads,
            half,
            of_a_head,
            if inverse { -1.0 } else { 1.0 },
            by.pairs == Pairing::Neighbours,
            of_a_head > half,
        );
        out
    }
}

#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn turn(
    x: &[f32],
    cos: &[f32],
    sin: &[f32],
    out: &mut [f32],
    units: usize,
    tokens: usize,
    heads: usize,
    half: usize,
    of_a_head: usize,
    sign: f32,
    #[comptime] are_neighbours: bool,
    #[comptime] is_partial: bool,
) {
    let at = ABSOLUTE_POS;
    if at >= units {
        terminate!();
    }
    let (head, pair) = (at / of_a_head, at % of_a_head);
    let begin = head * (half + of_a_head);
    if comptime!(is_partial) && pair >= half {
        out[begin + half + pair] = x[begin + half + pair];
        terminate!();
    }
    let token = head / heads % tokens;
    let (cos, sin) = (cos[token * half + pair], sin[token * half + pair] * sign);
    let mut first = begin + pair;
    let mut second = first + half;
    if comptime!(are_neighbours) {
        first = begin + 2 * pair;
        second = first + 1;
    }
    let (a, b) = (x[first], x[second]);
    out[first] = a * cos - b * sin;
    out[second] = b * cos + a * sin;
}
