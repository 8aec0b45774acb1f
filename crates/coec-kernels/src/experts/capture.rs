//! Capture: the same matrix products, recorded with their exact sizes.
//!
//! Nothing is computed, so which rows belong to which expert does not matter:
//! one product over all `N*K` rows multiplies exactly what the experts' products
//! multiply together.

use burn::backend::{Capture, tensor::FloatTensor};
use burn::tensor::{Tensor, s};

use super::{
    Experts, ExpertsKernel, Forward, Saved,
    pieces::{activate, differentiate},
    tensors::{self, Gradients, Tensors},
};
use crate::Biases;

impl ExpertsKernel for Capture {
    type Route = ();

    fn forward(inputs: Experts<Self>) -> Forward<Self> {
        tensors::forward(inputs, forward)
    }

    fn backward(saved: Saved<Self>, output_grad: FloatTensor<Self>) -> super::Gradients<Self> {
        tensors::backward(saved, output_grad, backward)
    }
}

/// `[N, D]` to the `[N*K, D]` rows that go through experts.
fn rows(x: Tensor<2>, k: usize) -> Tensor<2> {
    let [n, d] = x.dims();
    x.reshape([n, 1, d]).expand([n, k, d]).reshape([n * k, d])
}

/// One expert's weights stand for all of them.
fn any_expert(weights: Tensor<3>) -> Tensor<2> {
    weights.slice(s![0..1, .., ..]).squeeze_dim(0)
}

/// `y` with one expert's bias, which stands for all of them.
fn with_any(y: Tensor<2>, bias: Option<Tensor<2>>) -> Tensor<2> {
    match bias {
        Some(bias) => y + bias.slice(s![0..1, ..]),
        None => y,
    }
}

fn forward(inputs: Tensors) -> (Tensor<2>, Tensor<2>) {
    let ([n, d], [_, k]) = (inputs.x.dims(), inputs.indices.dims());
    let (b_in, b_out) = inputs.biases.map(|biases| (biases.b_in, biases.b_out)).unzip();
    let hidden = with_any(rows(inputs.x, k).matmul(any_expert(inputs.w_in).transpose()), b_in); // [N*K, G*F]
    let y = activate(hidden.clone(), inputs.act).matmul(any_expert(inputs.w_out).transpose()); // [N*K, D]
    let y = with_any(y, b_out);
    let y = (y.reshape([n, k, d]) * inputs.gates.unsqueeze_dim(2)).sum_dim(1).reshape([n, d]);
    (y, hidden)
}

fn backward(inputs: Tensors, hidden: Tensor<2>, output_grad: Tensor<2>) -> Gradients {
    let ([n, d], [_, k], [e, _, _]) = (inputs.x.dims(), inputs.indices.dims(), inputs.w_in.dims());
    let gates = inputs.gates.reshape([n * k, 1]);
    let dy = rows(output_grad, k); // [N*K, D]
    let t = dy.clone().matmul(any_expert(inputs.w_out)); // [N*K, F]
    let (h, derivative) = differentiate(hidden, t.clone() * gates.clone(), inputs.act);
    let mut gate_grad = (t * h.clone()).sum_dim(1);
    let biases = inputs.biases.map(|Biases { b_in, b_out }| {
        let of_any = b_out.clone().slice(s![0..1, ..]);
        gate_grad = gate_grad.clone() + (dy.clone() * of_any).sum_dim(1);
        Biases {
            b_in: derivative.clone().sum_dim(0).expand(b_in.dims()),
            b_out: (dy.clone() * gates.clone()).sum_dim(0).expand(b_out.dims()),
        }
    });
    let x_grad =
        derivative.clone().matmul(any_expert(inputs.w_in)).reshape([n, k, d]).sum_dim(1).reshape([n, d]);
    let w_in_grad = derivative.transpose().matmul(rows(inputs.x, k)); // [G*F, D]
    let w_out_grad = dy.transpose().matmul(h * gates); // [D, F]
    let all = |grad: Tensor<2>| {
        let [rows, columns] = grad.dims();
        grad.reshape([1, rows, columns]).expand([e, rows, columns])
    };
    Gradients {
        x: x_grad,
        gates: gate_grad.reshape([n, k]),
        w_in: all(w_in_grad),
        w_out: all(w_out_grad),
        biases,
    }
}
