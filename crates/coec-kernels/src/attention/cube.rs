//! Causal attention on GPUs: products of all heads of all sequences, one launch each.
//!
//! Probabilities are kept as `[B, H, T, S]`, with zeros where a query does not see.

use burn::backend::{Cube, TensorMetadata, tensor::FloatTensor};
use burn::tensor::DType;
use burn_cubecl::{kernel::into_contiguous, tensor::CubeTensor};
use cubecl::prelude::*;

use super::{Attended, AttentionKernel, Saved};
use crate::bridge::Bridge;
use crate::cube::{
    Groups, Operand, Product, ask_for_f32, buffer, cube_sum, cubes, empty, greatest_of_row, product,
    product_of_rows, units,
};

impl AttentionKernel for Cube {
    fn forward(inputs: Attended<Self>) -> [FloatTensor<Self>; 2] {
        ask_for_f32("attention", inputs.q.dtype());
        let precision = inputs.precision;
        let inputs = Contiguous::of(inputs);
        let Sizes { b, t, h, d, s, g, e } = inputs.sizes;
        let probs = empty(&inputs.q, [b, h, t, s], DType::F32);
        let heads = Groups::Many { next: b, beside: h, sharing: h / g };
        product(
            &probs,
            Product::new(t, s, d).of(precision).heads(s, t * s, h * t * s),
            Operand::lines(&inputs.q, d).stride(h * d).heads(d, t * h * d),
            Operand::lines(&inputs.k, d).stride(g * d).heads(d, s * g * d),
            heads,
            None,
        );
        weigh::launch(
            &probs.client,
            cubes(b * h * t),
            CubeDim::new_1d(units(s)),
            buffer(&probs),
            b * h * t,
            t,
            s,
            inputs.scale as f32,
            units(s),
        );
        let output = empty(&inputs.q, [b, t, h, e], DType::F32);
        product(
            &output,
            Product::new(t, e, s).of(precision).heads(h * e, e, t * h * e),
            Operand::lines(&probs, s).heads(t * s, h * t * s),
            Operand::transposed(&inputs.v, g * e).heads(e, s * g * e),
            heads,
            None,
        );
        [output, probs]
    }

    fn backward(saved: Saved<Self>, grad: FloatTensor<Self>) -> [FloatTensor<Self>; 3] {
        ask_for_f32("the backward pass of attention", grad.dtype());
        let precision = saved.inputs.precision;
        let (inputs, probs, grad) = (Contiguous::of(saved.inputs), saved.probs, into_contiguous(grad));
        let Sizes { b, t, h, d, s, g, e } = inputs.sizes;
        let group = h / g;
        let heads = Groups::Many { next: b, beside: h, sharing: group };
        let scores_grad = empty(&inputs.q, [b, h, t, s], DType::F32);
        product(
            &scores_grad,
            Product::new(t, s, e).of(precision).heads(s, t * s, h * t * s),
            Operand::lines(&grad, e).stride(h * e).heads(e, t * h * e),
            Operand::lines(&inputs.v, e).stride(g * e).heads(e, s * g * e),
            heads,
            None,
        );
        differentiate::launch(
            &probs.client,
            cubes(b * h * t),
            CubeDim::new_1d(units(s)),
            buffer(&probs),
            buffer(&scores_grad),
            b * h * t,
            t,
            s,
            inputs.scale as f32,
            units(s),
        );
        let q_grad = empty(&inputs.q, [b, t, h, d], DType::F32);
        product(
            &q_grad,
            Product::new(t, d, s).of(precision).heads(h * d, d, t * h * d),
            Operand::lines(&scores_grad, s).heads(t * s, h * t * s),
            Operand::transposed(&inputs.k, g * d).heads(d, s * g * d),
            heads,
            None,
        );
        // Of a key: over all queries of all heads that read it, which stand one behind the other once heads
        // come before tokens.
        let keys = Groups::Many { next: b, beside: g, sharing: 1 };
        let [q, grad] = [inputs.q, grad].map(swapped);
        let k_grad = empty(&q, [b, s, g, d], DType::F32);
        product(
            &k_grad,
            Product::new(s, d, group * t).of(precision).heads(g * d, d, s * g * d),
            Operand::transposed(&scores_grad, s).heads(group * t * s, h * t * s),
            Operand::transposed(&q, d).heads(group * t * d, h * t * d),
            keys,
            None,
        );
        let v_grad = empty(&q, [b, s, g, e], DType::F32);
        product(
            &v_grad,
            Product::new(s, e, group * t).of(precision).heads(g * e, e, s * g * e),
            Operand::transposed(&probs, s).heads(group * t * s, h * t * s),
            Operand::transposed(&grad, e).heads(group * t * e, h * t * e),
            keys,
            None,
        );
        [q_grad, k_grad, v_grad]
    }
}

/// Heads before tokens, or the other way round.
fn swapped(x: CubeTensor) -> CubeTensor {
    into_contiguous(Cube::primitive(Cube::tensor::<4>(x).swap_dims(1, 2)))
}

/// What [`attention()`](super::attention()) takes, contiguous.
struct Contiguous {
    q: CubeTensor,
    k: CubeTensor,
    v: CubeTensor,
    scale: f64,
    sizes: Sizes,
}

/// The sizes that [`attention()`](super::attention()) names.
#[derive(Clone, Copy)]
struct Sizes {
    b: usize,
    t: usize,
    h: usize,
    d: usize,
    s: usize,
    g: usize,
    e: usize,
}

impl Contiguous {
    fn of(inputs: Attended<Cube>) -> Self {
        let Attended { q, k, v, scale, .. } = inputs;
        let ([b, t, h, d], [_, s, g, _], [_, _, _, e]) =
            (q.shape().dims(), k.shape().dims(), v.shape().dims());
        let [q, k, v] = [q, k, v].map(into_contiguous);
        Self { q, k, v, scale, sizes: Sizes { b, t, h, d, s, g, e } }
    }
}

/// Makes scores probabilities: a cube a query. Query `t` of T sees the first `S - T + t + 1` keys.
#[cube(launch)]
fn weigh(scores: &mut [f32], rows: usize, queries: usize, keys: usize, scale: f32, #[comptime] units: u32) {
    let row = CUBE_POS;
    if row >= rows {
        terminate!();
    }
    let base = row * keys;
    let seen = keys - queries + row % queries + 1;
    let greatest = greatest_of_row(&*scores, base, seen, scale, units);
    let mut sum = 0.0f32;
    let mut key = UNIT_POS as usize;
    while key < seen {
        let value = f32::exp(scores[base + key] * scale - greatest);
        scores[base + key] = value;
        sum += value;
        key += units as usize;
    }
    let sum = cube_sum(sum, units);
    let mut key = UNIT_POS as usize;
    while key < keys {
        if key < seen {
            scores[base + key] /= sum;
        } else {
            scores[base + key] = 0.0;
        }
        key += units as usize;
    }
}

/// Makes the gradients of probabilities those of the products of queries and keys: a cube a query.
#[cube(launch)]
fn differentiate(
    probs: &[f32],
    grads: &mut [f32],
    rows: usize,
    queries: usize,
    keys: usize,
    scale: f32,
    #[comptime] units: u32,
) {
    let row = CUBE_POS;
    if row >= rows {
        terminate!();
    }
    let base = row * keys;
    let seen = keys - queries + row % queries + 1;
    let sum = product_of_rows(probs, &*grads, base, seen, units);
    let mut key = UNIT_POS as usize;
    while key < keys {
        // What is not seen has no part in this, whatever flows back to it.
        if key < seen {
            grads[base + key] = probs[base + key] * (grads[base + key] - sum) * scale;
        } else {
            grads[base + key] = 0.0;
        }
        key += units as usize;
    }
}
