//! The linear map composed of Burn's own operations.

use burn::tensor::Tensor;

/// `x W^T`.
pub(crate) fn forward(x: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    x.matmul(weight.transpose())
}

/// The gradients of `x` and of the weight.
pub(crate) fn backward(x: Tensor<2>, weight: Tensor<2>, grad: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    (grad.clone().matmul(weight), grad.transpose().matmul(x))
}
