//! Causal attention on GPUs: products of all heads of all sequences, one launch each.
//!
//! Probabilities are kept as `[B, H, T, S]`, with zeros where a query does not see: a window hides keys, and
//! saves no product.

use burn::backend::{Cube, TensorMetadata, tensor::FloatTensor};
use burn::tensor::DType;
use burn_cubecl::{kernel::into_contiguous, tensor::CubeTensor};
use cubecl::prelude::*;

use super::{Attended, AttentionKernel, Forward, Gradients, Mixing, Saved};
use crate::bridge::Bridge;
use crate::cube::{
    Groups, Operand, Product, ask_for_f32, buffer, cube_sum, cubes, empty, greatest_of_row, product,
    product_of_rows, sum_parts, units,
};

impl AttentionKernel for Cube {
    fn forward(inputs: Attended<Self>) -> Forward<Self> {
        ask_for_f32("attention", inputs.q.dtype());
        let Mixing { scale, precision, .. } = inputs.mixing;
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
        let sunk = inputs.sinks.as_ref().map(|_| empty(&inputs.q, [b, h, t], DType::F32));
        weigh::launch(
            &probs.client,
            cubes(b * h * t),
            CubeDim::new_1d(units(s)),
            buffer(&probs),
            // Any buffers where there are no sinks.
            buffer(inputs.sinks.as_ref().unwrap_or(&inputs.k)),
            buffer(sunk.as_ref().unwrap_or(&empty(&inputs.q, [1], DType::F32))),
            b * h * t,
            h,
            t,
            s,
            inputs.window,
            scale as f32,
            sunk.is_some(),
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
        Forward { output, probs, sunk }
    }

    fn backward(saved: Saved<Self>, grad: FloatTensor<Self>) -> Gradients<Self> {
        ask_for_f32("the backward pass of attention", grad.dtype());
        let Saved { inputs, probs, sunk } = saved;
        let Mixing { scale, precision, .. } = inputs.mixing;
        let (inputs, grad) = (Contiguous::of(inputs), into_contiguous(grad));
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
        let of_queries = empty(&inputs.q, [if sunk.is_some() { b * h * t } else { 1 }], DType::F32);
        differentiate::launch(
            &probs.client,
            cubes(b * h * t),
            CubeDim::new_1d(units(s)),
            buffer(&probs),
            buffer(&scores_grad),
            buffer(sunk.as_ref().unwrap_or(&inputs.k)),
            buffer(&of_queries),
            b * h * t,
            h,
            t,
            s,
            inputs.window,
            scale as f32,
            sunk.is_some(),
            units(s),
        );
        // Of a head: over its queries in all sequences.
        let sinks_grad = sunk.map(|_| {
            let sums = empty(&inputs.q, [h], DType::F32);
            sum_parts(&of_queries, &sums, b * h * t, b * t, false);
            sums
        });
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
        Gradients { q: q_grad, k: k_grad, v: v_grad, sinks: sinks_grad }
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
    sinks: Option<CubeTensor>,
    /// Keys that a query sees, at most.
    window: usize,
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
        let Attended { q, k, v, sinks, mixing } = inputs;
        let ([b, t, h, d], [_, s, g, _], [_, _, _, e]) =
            (q.shape().dims(), k.shape().dims(), v.shape().dims());
        let [q, k, v] = [q, k, v].map(into_contiguous);
        let sinks = sinks.each().map(into_contiguous);
        let window = mixing.window.unwrap_or(s).min(s);
        Self { q, k, v, sinks, window, sizes: Sizes { b, t, h, d, s, g, e } }
    }
}

/// Makes scores probabilities: a cube a query. Query `t` of T sees the first `S - T + t + 1` keys, or of
/// these the last `window`. With sinks the softmax has that of the query's head among the scores, and `sunk`
/// its probability.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn weigh(
    scores: &mut [f32],
    sinks: &[f32],
    sunk: &mut [f32],
    rows: usize,
    heads: usize,
    queries: usize,
    keys: usize,
    window: usize,
    scale: f32,
    #[comptime] has_sinks: bool,
    #[comptime] units: u32,
) {
    let row = CUBE_POS;
    if row >= rows {
        terminate!();
    }
    let base = row * keys;
    let end = keys - queries + row % queries + 1;
    let first = end - min(end, window);
    let mut greatest = greatest_of_row(&*scores, base + first, end - first, scale, units);
    if comptime!(has_sinks) {
        greatest = max(greatest, sinks[row / queries % heads]);
    }
    let mut sum = 0.0f32;
    let mut key = first + UNIT_POS as usize;
    while key < end {
        let value = f32::exp(scores[base + key] * scale - greatest);
        scores[base + key] = value;
        sum += value;
        key += units as usize;
    }
    let mut sum = cube_sum(sum, units);
    if comptime!(has_sinks) {
        let value = f32::exp(sinks[row / queries % heads] - greatest);
        sum += value;
        if UNIT_POS == 0 {
            sunk[row] = value / sum;
        }
    }
    // A unit goes through the keys of its sum, and through those that are hidden.
    let mut key = first + UNIT_POS as usize;
    while key < end {
        scores[base + key] /= sum;
        key += units as usize;
    }
    let mut key = UNIT_POS as usize;
    while key < keys {
        if key < first || key >= end {
            scores[base + key] = 0.0;
        }
        key += units as usize;
    }
}

/// Makes the gradients of probabilities those of the products of queries and keys: a cube a query. With
/// sinks, what the query is to the gradient of its head's goes to `of_queries`, `[H, B, T]`.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn differentiate(
    probs: &[f32],
    grads: &mut [f32],
    sunk: &[f32],
    of_queries: &mut [f32],
    rows: usize,
    heads: usize,
    queries: usize,
    keys: usize,
    window: usize,
    scale: f32,
    #[comptime] has_sinks: bool,
    #[comptime] units: u32,
) {
    let row = CUBE_POS;
    if row >= rows {
        terminate!();
    }
    let base = row * keys;
    let end = keys - queries + row % queries + 1;
    let first = end - min(end, window);
    let sum = product_of_rows(probs, &*grads, base + first, end - first, units);
    if comptime!(has_sinks) {
        let sequences = rows / (heads * queries);
        let sequence = row / (heads * queries);
        let head = row / queries % heads;
        if UNIT_POS == 0 {
            of_queries[(head * sequences + sequence) * queries + row % queries] = -sunk[row] * sum;
        }
    }
    let mut key = UNIT_POS as usize;
    while key < keys {
        // What is not seen has no part in this, whatever flows back to it.
        if key >= first && key < end {
            grads[base + key] = probs[base + key] * (grads[base + key] - sum) * scale;
        } else {
            grads[base + key] = 0.0;
        }
        key += units as usize;
    }
}
