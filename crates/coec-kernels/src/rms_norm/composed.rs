//! RMSNorm composed of Burn's own operations.

use burn::tensor::Tensor;

/// `x * rsqrt(mean(x^2) + eps) * w`, and each row's factor.
pub(crate) fn forward(x: Tensor<2>, weight: Tensor<1>, eps: f64) -> (Tensor<2>, Tensor<1>) {
    let scales = (x.clone().square().mean_dim(1) + eps).sqrt().recip(); // [N, 1]
    let n = x.dims()[0];
    (x * scales.clone() * weight.unsqueeze(), scales.reshape([n]))
}

/// The gradients of `x` and of the weight.
pub(crate) fn backward(
    grad: Tensor<2>,
    x: Tensor<2>,
    weight: Tensor<1>,
    scales: Tensor<1>,
) -> (Tensor<2>, Tensor<1>) {
    let ([n, d], s) = (x.dims(), scales.clone().reshape([scales.dims()[0], 1]));
    let weight_grad = (grad.clone() * x.clone() * s.clone()).sum_dim(0).reshape([d]);
    let g = grad * weight.unsqueeze();
    let mean = (g.clone() * x.clone()).mean_dim(1); // [N, 1]
    let pull = s.clone() * s.clone() * s.clone() * mean;
    debug_assert_eq!(pull.dims(), [n, 1]);
    (g * s - x * pull, weight_grad)
}
