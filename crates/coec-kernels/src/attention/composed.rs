//! Causal attention composed of Burn's own operations.

use burn::tensor::{Bool, Tensor, activation, s};

use super::{
    Attended, Mixing,
    blocks::{Block, blocks},
};
use crate::{bridge::Bridge, rounded};

/// What [`attention()`](super::attention()) takes, heads before tokens.
#[derive(Debug, Clone)]
pub(crate) struct Tensors {
    /// `[B, H, T, d]`.
    q: Tensor<4>,
    /// `[B, H, S, d]`: each head that is read by several is there as often.
    k: Tensor<4>,
    /// `[B, H, S, e]`.
    v: Tensor<4>,
    /// `[H]`.
    sinks: Option<Tensor<1>>,
    /// Query heads of a key-value head.
    group: usize,
    mixing: Mixing,
}

/// What the forward pass makes.
#[derive(Debug, Clone)]
pub(crate) struct Forward {
    /// `[B, T, H, e]`.
    pub output: Tensor<4>,
    /// `[B*H, all of a head]`.
    pub probs: Tensor<2>,
    /// `[B, H, T]`, where there are sinks.
    pub sunk: Option<Tensor<3>>,
}

/// The gradients, each as its tensor is given to [`attention()`](super::attention()).
#[derive(Debug, Clone)]
pub(crate) struct Gradients {
    pub q: Tensor<4>,
    pub k: Tensor<4>,
    pub v: Tensor<4>,
    pub sinks: Option<Tensor<1>>,
}

impl Tensors {
    /// The same on tensors.
    pub fn of<B: Bridge>(inputs: Attended<B>) -> Self {
        let Attended { q, k, v, sinks, mixing } = inputs;
        Self::new(B::tensor(q), B::tensor(k), B::tensor(v), sinks.each().map(B::tensor), mixing)
    }

    /// Of `q` `[B, T, H, d]`, `k` `[B, S, G, d]` and `v` `[B, S, G, e]`, which are factors in every product they
    /// are in, and of `sinks` `[H]`, which are in none.
    pub fn new(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, sinks: Option<Tensor<1>>, mixing: Mixing) -> Self {
        let group = q.dims()[2] / k.dims()[2];
        let [q, k, v] = [q, k, v].map(|tensor| rounded(tensor.swap_dims(1, 2), mixing.precision));
        Self { q, k: repeated(k, group), v: repeated(v, group), sinks, group, mixing }
    }

    fn blocks(&self) -> Vec<Block> {
        blocks(self.q.dims()[2], self.k.dims()[2], self.mixing.window, self.mixing.block)
    }
}

/// Each head `times` times in a row: `[B, G, S, d]` to `[B, G*times, S, d]`.
fn repeated(x: Tensor<4>, times: usize) -> Tensor<4> {
    let [b, g, s, d] = x.dims();
    x.reshape([b, g, 1, s, d]).expand([b, g, times, s, d]).reshape([b, g * times, s, d])
}

/// The way back: the sum over each `times` heads, as `[B, S, G, d]`.
fn gathered(x: Tensor<4>, times: usize) -> Tensor<4> {
    let [b, h, s, d] = x.dims();
    x.reshape([b, h / times, times, s, d]).sum_dim(2).reshape([b, h / times, s, d]).swap_dims(1, 2)
}

/// Tokens of a `[B, H, tokens, d]`.
fn tokens(x: &Tensor<4>, range: std::ops::Range<usize>) -> Tensor<4> {
    x.clone().slice(s![.., .., range, ..])
}

/// The output, and what the backward pass needs.
pub(crate) fn forward(inputs: Tensors) -> Forward {
    let [b, h, _, _] = inputs.q.dims();
    let Mixing { scale, precision, .. } = inputs.mixing;
    let (mut outputs, mut all, mut all_sunk) = (Vec::new(), Vec::new(), Vec::new());
    for block in inputs.blocks() {
        let (queries, keys) = (block.start..block.start + block.queries, block.key_range());
        let scores = tokens(&inputs.q, queries).matmul(tokens(&inputs.k, keys.clone()).swap_dims(2, 3));
        let scores = hide(scores * scale, &block, f64::NEG_INFINITY);
        let probs = match &inputs.sinks {
            None => activation::softmax(scores, 3),
            Some(sinks) => {
                // One key more, behind the others.
                let sinks = sinks.clone().reshape([1, h, 1, 1]).expand([b, h, block.queries, 1]);
                let probs = activation::softmax(Tensor::cat(vec![scores, sinks], 3), 3);
                all_sunk.push(probs.clone().slice(s![.., .., .., block.keys..]).reshape([
                    b,
                    h,
                    block.queries,
                ]));
                probs.slice(s![.., .., .., ..block.keys])
            }
        };
        outputs.push(rounded(probs.clone(), precision).matmul(tokens(&inputs.v, keys)));
        all.push(probs.reshape([b * h, block.probs()]));
    }
    let sunk = inputs.sinks.map(|_| Tensor::cat(all_sunk, 2));
    Forward { output: Tensor::cat(outputs, 2).swap_dims(1, 2), probs: Tensor::cat(all, 1), sunk }
}

/// `values` `[B, H, queries, keys]` of a block, with those of keys that a query does not see replaced.
fn hide(values: Tensor<4>, block: &Block, by: f64) -> Tensor<4> {
    let shape = values.dims();
    let [_, _, queries, keys] = shape;
    if queries == 1 {
        return values;
    }
    let device = values.device();
    let replaced = |values: Tensor<4>, hidden: Tensor<2, Bool>| {
        values.mask_fill(hidden.reshape([1, 1, queries, keys]).expand(shape), by)
    };
    let after = Tensor::tril_mask([queries, keys], (keys - queries) as i64, &device);
    let values = replaced(values, after);
    // Keys before a window: where the last query has any, each before it has one less.
    let left_behind = block.seen(queries - 1).start;
    if left_behind == 0 {
        return values;
    }
    let before = Tensor::triu_mask([queries, keys], left_behind as i64 - (queries - 1) as i64, &device);
    replaced(values, before)
}

/// The gradients of what the forward pass took.
pub(crate) fn backward(
    inputs: Tensors,
    probs: Tensor<2>,
    sunk: Option<Tensor<3>>,
    grad: Tensor<4>,
) -> Gradients {
    let [b, h, _, _] = inputs.q.dims();
    let Mixing { scale, precision, .. } = inputs.mixing;
    let rounded = |factor: Tensor<4>| rounded(factor, precision);
    let grad = rounded(grad.swap_dims(1, 2)); // [B, H, T, e]
    let (mut q_grads, mut means) = (Vec::new(), Vec::new());
    let (mut k_grad, mut v_grad) = (inputs.k.zeros_like(), inputs.v.zeros_like());
    for block in inputs.blocks() {
        let (queries, keys) = (block.start..block.start + block.queries, block.key_range());
        let own = s![.., block.at..block.at + block.probs()];
        let probs = probs.clone().slice(own).reshape([b, h, block.queries, block.keys]);
        let grad = tokens(&grad, queries.clone());
        let probs_grad = grad.clone().matmul(tokens(&inputs.v, keys.clone()).swap_dims(2, 3));
        // What is not seen has no part in this, whatever flows back to it.
        let probs_grad = hide(probs_grad, &block, 0.0);
        let mean = (probs_grad.clone() * probs.clone()).sum_dim(3);
        if sunk.is_some() {
            means.push(mean.clone());
        }
        let scores_grad = rounded(probs.clone() * (probs_grad - mean) * scale);
        q_grads.push(scores_grad.clone().matmul(tokens(&inputs.k, keys.clone())));
        let add = |sum: Tensor<4>, part: Tensor<4>| {
            let whole = tokens(&sum, keys.clone()) + part;
            let [b, h, _, d] = sum.dims();
            sum.slice_assign([0..b, 0..h, keys.clone(), 0..d], whole)
        };
        k_grad = add(k_grad, scores_grad.swap_dims(2, 3).matmul(tokens(&inputs.q, queries)));
        v_grad = add(v_grad, rounded(probs).swap_dims(2, 3).matmul(grad));
    }
    Gradients {
        q: Tensor::cat(q_grads, 2).swap_dims(1, 2),
        k: gathered(k_grad, inputs.group),
        v: gathered(v_grad, inputs.group),
        sinks: sunk.map(|sunk| {
            // As of any score, where nothing flows back to its probability: what it took, times minus the
            // mean.
            let [_, _, t] = sunk.dims();
            let of_queries = sunk * Tensor::cat(means, 2).reshape([b, h, t]);
            -of_queries.swap_dims(0, 1).reshape([h, b * t]).sum_dim(1).reshape([h])
        }),
    }
}
