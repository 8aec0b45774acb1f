//! The rotary embedding on GPUs: a unit a pair.

use burn::backend::{Cube, TensorMetadata, tensor::FloatTensor};
use burn::tensor::DType;
use cubecl::prelude::*;

use super::{Angles, Pairs, RotateKernel};
use crate::cube::{UNITS, ask_for_f32, buffer, cubes_of_units, empty};

impl RotateKernel for Cube {
    fn rotated(x: FloatTensor<Self>, by: Angles<Self>, inverse: bool) -> FloatTensor<Self> {
        ask_for_f32("rotate", x.dtype());
        let [batch, tokens, heads, width] = x.shape().dims();
        let out = empty(&x, [batch, tokens, heads, width], DType::F32);
        let pairs = batch * tokens * heads * (width / 2);
        turn::launch(
            &x.client,
            cubes_of_units(pairs),
            CubeDim::new_1d(UNITS),
            buffer(&x),
            buffer(&by.cos),
            buffer(&by.sin),
            buffer(&out),
            pairs,
            tokens,
            heads,
            width / 2,
            if inverse { -1.0 } else { 1.0 },
            by.pairs == Pairs::Neighbours,
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
    pairs: usize,
    tokens: usize,
    heads: usize,
    half: usize,
    sign: f32,
    #[comptime] are_neighbours: bool,
) {
    let at = ABSOLUTE_POS;
    if at >= pairs {
        terminate!();
    }
    let (head, pair) = (at / half, at % half);
    let token = head / heads % tokens;
    let (cos, sin) = (cos[token * half + pair], sin[token * half + pair] * sign);
    let mut first = head * 2 * half + pair;
    let mut second = first + half;
    if comptime!(are_neighbours) {
        first = head * 2 * half + 2 * pair;
        second = first + 1;
    }
    let (a, b) = (x[first], x[second]);
    out[first] = a * cos - b * sin;
    out[second] = b * cos + a * sin;
}
