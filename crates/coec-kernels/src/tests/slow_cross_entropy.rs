//! The cross-entropy of a head composed of Burn's own operations, a block of rows at a time.

use burn::tensor::{Int, Tensor, activation, s};

use crate::{Precision, rounded};

/// `f(logits, targets, rows)` of every block of rows; `x` and `weight` are factors as they are.
fn blocks(
    x: &Tensor<2>,
    weight: &Tensor<2>,
    targets: &Tensor<1, Int>,
    block: usize,
    mut f: impl FnMut(Tensor<2>, Tensor<2, Int>, std::ops::Range<usize>),
) {
    let [n, _] = x.dims();
    for start in (0..n).step_by(block) {
        let rows = start..n.min(start + block);
        let logits = x.clone().slice(s![rows.clone(), ..]).matmul(weight.clone().transpose());
        f(logits, targets.clone().slice(s![rows.clone()]).unsqueeze_dim(1), rows);
    }
}

/// The cross-entropy of each row.
pub(crate) fn losses(
    x: Tensor<2>,
    weight: Tensor<2>,
    targets: Tensor<1, Int>,
    block: usize,
    precision: Precision,
) -> Tensor<1> {
    let [x, weight] = [x, weight].map(|factor| rounded(factor, precision));
    let mut losses = Vec::new();
    blocks(&x, &weight, &targets, block, |logits, targets, _| {
        losses.push(-activation::log_softmax(logits, 1).gather(1, targets));
    });
    Tensor::cat(losses, 0).squeeze_dim(1)
}

/// The weighted sum, and the gradients of `x` and of the weight.
pub(crate) fn forward(
    x: Tensor<2>,
    weight: Tensor<2>,
    targets: Tensor<1, Int>,
    weights: Tensor<1>,
    block: usize,
    precision: Precision,
) -> (Tensor<1>, Tensor<2>, Tensor<2>) {
    let [x, weight] = [x, weight].map(|factor| rounded(factor, precision));
    let (mut losses, mut x_grads) = (Vec::new(), Vec::new());
    let mut weight_grad = weight.zeros_like();
    blocks(&x, &weight, &targets, block, |logits, targets, rows| {
        let log_probs = activation::log_softmax(logits, 1);
        let weights = weights.clone().slice(s![rows.clone()]).unsqueeze_dim::<2>(1);
        losses.push(-log_probs.clone().gather(1, targets.clone()) * weights.clone());
        let classes = Tensor::<1, Int>::arange(0..weight.dims()[0] as i64, &targets.device());
        let is_target =
            targets.expand(log_probs.dims()).equal(classes.unsqueeze_dim::<2>(0).expand(log_probs.dims()));
        let grad = (log_probs.exp() - is_target.float().cast(weights.dtype())) * weights;
        let grad = rounded(grad, precision);
        x_grads.push(grad.clone().matmul(weight.clone()));
        weight_grad = weight_grad.clone() + grad.transpose().matmul(x.clone().slice(s![rows, ..]));
    });
    (Tensor::cat(losses, 0).sum_dim(0).reshape([1]), Tensor::cat(x_grads, 0), weight_grad)
}
