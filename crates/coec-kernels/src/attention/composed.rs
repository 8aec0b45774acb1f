//! Causal attention composed of Burn's own operations.

use burn::tensor::{Bool, Tensor, activation, s};

use super::{
    Attended,
    blocks::{Block, blocks},
};
use crate::{Precision, bridge::Bridge, rounded};

/// What [`attention()`](super::attention()) takes, heads before tokens.
#[derive(Debug, Clone)]
pub(crate) struct Tensors {
    /// `[B, H, T, d]`.
    q: Tensor<4>,
    /// `[B, H, S, d]`: each head that is read by several is there as often.
    k: Tensor<4>,
    /// `[B, H, S, e]`.
    v: Tensor<4>,
    /// Query heads of a key-value head.
    group: usize,
    scale: f64,
    block: usize,
    precision: Precision,
}

impl Tensors {
    /// The same on tensors.
    pub fn of<B: Bridge>(inputs: Attended<B>) -> Self {
        let Attended { q, k, v, scale, block, precision } = inputs;
        Self::new(B::tensor(q), B::tensor(k), B::tensor(v), scale, block, precision)
    }

    /// Of `q` `[B, T, H, d]`, `k` `[B, S, G, d]` and `v` `[B, S, G, e]`, which are factors in every product they
    /// are in.
    pub fn new(
        q: Tensor<4>,
        k: Tensor<4>,
        v: Tensor<4>,
        scale: f64,
        block: usize,
        precision: Precision,
    ) -> Self {
        let group = q.dims()[2] / k.dims()[2];
        let [q, k, v] = [q, k, v].map(|tensor| rounded(tensor.swap_dims(1, 2), precision));
        Self { q, k: repeated(k, group), v: repeated(v, group), group, scale, block, precision }
    }

    fn blocks(&self) -> Vec<Block> {
        blocks(self.q.dims()[2], self.k.dims()[2], self.block)
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

/// The output `[B, T, H, e]`, and the probabilities `[B*H, all of a head]`.
pub(crate) fn forward(inputs: Tensors) -> (Tensor<4>, Tensor<2>) {
    let [b, h, _, _] = inputs.q.dims();
    let (mut outputs, mut all) = (Vec::new(), Vec::new());
    for block in inputs.blocks() {
        let (queries, keys) = (block.start..block.start + block.queries, 0..block.keys);
        let scores = tokens(&inputs.q, queries).matmul(tokens(&inputs.k, keys.clone()).swap_dims(2, 3));
        let probs = activation::softmax(hide(scores * inputs.scale, f64::NEG_INFINITY), 3);
        outputs.push(rounded(probs.clone(), inputs.precision).matmul(tokens(&inputs.v, keys)));
        all.push(probs.reshape([b * h, block.probs()]));
    }
    (Tensor::cat(outputs, 2).swap_dims(1, 2), Tensor::cat(all, 1))
}

/// `values` `[B, H, queries, keys]` with those of keys that a query does not see replaced.
fn hide(values: Tensor<4>, by: f64) -> Tensor<4> {
    let shape = values.dims();
    let [_, _, queries, keys] = shape;
    if queries == 1 {
        return values;
    }
    let seen = (keys - queries) as i64;
    let hidden = Tensor::<2, Bool>::tril_mask([queries, keys], seen, &values.device());
    values.mask_fill(hidden.reshape([1, 1, queries, keys]).expand(shape), by)
}

/// The gradients of `q`, `k` and `v`, as these are given to [`attention()`](super::attention()).
pub(crate) fn backward(inputs: Tensors, probs: Tensor<2>, grad: Tensor<4>) -> [Tensor<4>; 3] {
    let [b, h, _, _] = inputs.q.dims();
    let rounded = |factor: Tensor<4>| rounded(factor, inputs.precision);
    let grad = rounded(grad.swap_dims(1, 2)); // [B, H, T, e]
    let mut q_grads = Vec::new();
    let (mut k_grad, mut v_grad) = (inputs.k.zeros_like(), inputs.v.zeros_like());
    for block in inputs.blocks() {
        let (queries, keys) = (block.start..block.start + block.queries, 0..block.keys);
        let own = s![.., block.at..block.at + block.probs()];
        let probs = probs.clone().slice(own).reshape([b, h, block.queries, block.keys]);
        let grad = tokens(&grad, queries.clone());
        let probs_grad = grad.clone().matmul(tokens(&inputs.v, keys.clone()).swap_dims(2, 3));
        // What is not seen has no part in this, whatever flows back to it.
        let probs_grad = hide(probs_grad, 0.0);
        let mean = (probs_grad.clone() * probs.clone()).sum_dim(3);
        let scores_grad = rounded(probs.clone() * (probs_grad - mean) * inputs.scale);
        q_grads.push(scores_grad.clone().matmul(tokens(&inputs.k, keys.clone())));
        let add = |sum: Tensor<4>, part: Tensor<4>| {
            let whole = tokens(&sum, keys.clone()) + part;
            let [b, h, _, d] = sum.dims();
            sum.slice_assign([0..b, 0..h, keys.clone(), 0..d], whole)
        };
        k_grad = add(k_grad, scores_grad.swap_dims(2, 3).matmul(tokens(&inputs.q, queries)));
        v_grad = add(v_grad, rounded(probs).swap_dims(2, 3).matmul(grad));
    }
    let q_grad = Tensor::cat(q_grads, 2).swap_dims(1, 2);
    [q_grad, gathered(k_grad, inputs.group), gathered(v_grad, inputs.group)]
}
