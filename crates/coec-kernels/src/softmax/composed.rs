//! The softmax composed of Burn's own operations.

use burn::tensor::{Tensor, activation};

/// The softmax of each row.
pub(crate) fn forward(x: Tensor<2>) -> Tensor<2> {
    activation::softmax(x, 1)
}

/// The gradient of the input, given the output: `y (dy - sum of y dy)`.
pub(crate) fn backward(y: Tensor<2>, grad: Tensor<2>) -> Tensor<2> {
    let mean = (grad.clone() * y.clone()).sum_dim(1); // [N, 1]
    y * (grad - mean)
}
