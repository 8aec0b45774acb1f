//! The linear map composed of Burn's own operations.

use burn::tensor::Tensor;

use crate::{Precision, rounded};

/// `x W^T`.
pub(crate) fn forward(x: Tensor<2>, weight: Tensor<2>, precision: Precision) -> Tensor<2> {
    rounded(x, precision).matmul(rounded(weight, precision).transpose())
}

/// The gradients of `x` and of the weight.
pub(crate) fn backward(
    x: Tensor<2>,
    weight: Tensor<2>,
    grad: Tensor<2>,
    precision: Precision,
) -> (Tensor<2>, Tensor<2>) {
    let [x, weight, grad] = [x, weight, grad].map(|factor| rounded(factor, precision));
    (grad.clone().matmul(weight), grad.transpose().matmul(x))
}
