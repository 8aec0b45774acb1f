//! Causal softmax composed of Burn's own operations.

use burn::tensor::{Bool, Tensor, activation};

/// The probabilities.
pub(crate) fn forward(scores: Tensor<4>, scale: f64) -> Tensor<4> {
    activation::softmax(fill_hidden(scores * scale, f64::NEG_INFINITY), 3)
}

/// `values` `[B, H, T, S]` with those of keys that a query does not see replaced.
fn fill_hidden(values: Tensor<4>, by: f64) -> Tensor<4> {
    let shape = values.dims();
    let [_, _, queries, keys] = shape;
    if queries == 1 {
        return values;
    }
    let seen = (keys - queries) as i64;
    let hidden = Tensor::<2, Bool>::tril_mask([queries, keys], seen, &values.device());
    values.mask_fill(hidden.reshape([1, 1, queries, keys]).expand(shape), by)
}

/// The gradient of the scores.
pub(crate) fn backward(grad: Tensor<4>, probs: Tensor<4>, scale: f64) -> Tensor<4> {
    // What is not seen has no part in this, whatever flows back to it.
    let grad = fill_hidden(grad, 0.0);
    let mean = (grad.clone() * probs.clone()).sum_dim(3);
    probs * (grad - mean) * scale
}
