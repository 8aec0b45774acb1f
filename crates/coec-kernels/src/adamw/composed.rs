//! The AdamW update composed of Burn's own operations.

use burn::tensor::Tensor;

use super::AdamWStep;

/// The parameter and its two moments after the step.
pub(crate) fn updated(
    param: Tensor<1>,
    grad: Tensor<1>,
    first: Tensor<1>,
    second: Tensor<1>,
    step: AdamWStep,
) -> (Tensor<1>, Tensor<1>, Tensor<1>) {
    let [b1, b2] = step.betas;
    let grad = grad * step.scale;
    let first = first * b1 + grad.clone() * (1.0 - b1);
    let second = second * b2 + grad.square() * (1.0 - b2);
    let root = (second.clone() / step.corrections[1]).sqrt() + step.eps;
    let move_by = first.clone() / root * (step.lr / step.corrections[0]);
    (param * (1.0 - step.lr * step.weight_decay) - move_by, first, second)
}
