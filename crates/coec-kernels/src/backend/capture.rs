//! Capture: the same matrix products, recorded with their exact sizes.
//!
//! Nothing is computed, so which rows belong to which expert does not matter:
//! one product over all `N*K` rows multiplies exactly what the experts' products
//! multiply together.

use burn::backend::Capture;
use burn::tensor::{Int, Tensor, s};

pub(super) use super::pieces::select_top_k;
use super::pieces::{activate, differentiate};
use crate::Activation;

super::tensors::kernels_from_tensors!(Capture, crate::backend::capture);

/// `[N, D]` to the `[N*K, D]` rows that go through experts.
fn rows(x: Tensor<2>, k: usize) -> Tensor<2> {
    let [n, d] = x.dims();
    x.reshape([n, 1, d]).expand([n, k, d]).reshape([n * k, d])
}

/// One expert's weights stand for all of them.
fn any_expert(weights: Tensor<3>) -> Tensor<2> {
    weights.slice(s![0..1, .., ..]).squeeze_dim(0)
}

pub(super) fn forward(
    x: Tensor<2>,
    indices: Tensor<2, Int>,
    gates: Tensor<2>,
    w_in: Tensor<3>,
    w_out: Tensor<3>,
    act: Activation,
) -> (Tensor<2>, Tensor<2>) {
    let ([n, d], [_, k]) = (x.dims(), indices.dims());
    let hidden = rows(x, k).matmul(any_expert(w_in).transpose()); // [N*K, G*F]
    let y = activate(hidden.clone(), act).matmul(any_expert(w_out).transpose()); // [N*K, D]
    let y = (y.reshape([n, k, d]) * gates.unsqueeze_dim(2)).sum_dim(1).reshape([n, d]);
    (y, hidden)
}

#[allow(clippy::too_many_arguments)] // the forward's inputs, its result, and one gradient
pub(super) fn backward(
    output_grad: Tensor<2>,
    x: Tensor<2>,
    indices: Tensor<2, Int>,
    gates: Tensor<2>,
    w_in: Tensor<3>,
    w_out: Tensor<3>,
    hidden: Tensor<2>,
    act: Activation,
) -> (Tensor<2>, Tensor<2>, Tensor<3>, Tensor<3>) {
    let ([n, d], [_, k], [e, _, _]) = (x.dims(), indices.dims(), w_in.dims());
    let gates = gates.reshape([n * k, 1]);
    let dy = rows(output_grad, k); // [N*K, D]
    let t = dy.clone().matmul(any_expert(w_out)); // [N*K, F]
    let (h, derivative) = differentiate(hidden, t.clone() * gates.clone(), act);
    let gate_grad = (t * h.clone()).sum_dim(1).reshape([n, k]);
    let x_grad = derivative.clone().matmul(any_expert(w_in)).reshape([n, k, d]).sum_dim(1).reshape([n, d]);
    let w_in_grad = derivative.transpose().matmul(rows(x, k)); // [G*F, D]
    let w_out_grad = dy.transpose().matmul(h * gates); // [D, F]
    let all = |grad: Tensor<2>| {
        let [rows, columns] = grad.dims();
        grad.reshape([1, rows, columns]).expand([e, rows, columns])
    };
    (x_grad, gate_grad, all(w_in_grad), all(w_out_grad))
}
