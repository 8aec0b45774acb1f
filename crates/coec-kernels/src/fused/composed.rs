//! The same operations composed of Burn's own.

use burn::tensor::{Bool, Tensor, activation};

use super::Pairs;

pub fn rms_norm_forward(x: Tensor<2>, weight: Tensor<1>, eps: f64) -> (Tensor<2>, Tensor<1>) {
    let scales = (x.clone().square().mean_dim(1) + eps).sqrt().recip(); // [N, 1]
    let n = x.dims()[0];
    (x * scales.clone() * weight.unsqueeze(), scales.reshape([n]))
}

pub fn rms_norm_backward(
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

pub fn causal_softmax_forward(scores: Tensor<4>, scale: f64) -> Tensor<4> {
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

pub fn causal_softmax_backward(grad: Tensor<4>, probs: Tensor<4>, scale: f64) -> Tensor<4> {
    // What is not seen has no part in this, whatever flows back to it.
    let grad = fill_hidden(grad, 0.0);
    let mean = (grad.clone() * probs.clone()).sum_dim(3);
    probs * (grad - mean) * scale
}

pub fn rotated(x: Tensor<4>, cos: Tensor<2>, sin: Tensor<2>, pairs: Pairs, inverse: bool) -> Tensor<4> {
    let [b, h, t, width] = x.dims();
    let sin = if inverse { -sin } else { sin };
    let half = width / 2;
    match pairs {
        Pairs::HalfSplit => {
            let (cos, sin) = (cos.unsqueeze::<4>(), sin.unsqueeze::<4>());
            let (first, second) = (x.clone().narrow(3, 0, half), x.narrow(3, half, half));
            let a = first.clone() * cos.clone() - second.clone() * sin.clone();
            Tensor::cat(vec![a, second * cos + first * sin], 3)
        }
        Pairs::Neighbours => {
            let (cos, sin) = (cos.reshape([1, 1, t, half, 1]), sin.reshape([1, 1, t, half, 1]));
            let x = x.reshape([b, h, t, half, 2]);
            let (even, odd) = (x.clone().narrow(4, 0, 1), x.narrow(4, 1, 1));
            let a = even.clone() * cos.clone() - odd.clone() * sin.clone();
            Tensor::cat(vec![a, odd * cos + even * sin], 4).reshape([b, h, t, width])
        }
    }
}
