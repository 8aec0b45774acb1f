//! Capture: the products of all rows at once, each in the pass that it belongs to.
//!
//! Nothing is computed, and the products of blocks multiply exactly what one product multiplies.

use burn::backend::{Capture, tensor::FloatTensor};
use burn::tensor::{Int, Tensor};

use super::{CrossEntropyKernel, Head, Saved};
use crate::bridge::Bridge;

impl CrossEntropyKernel for Capture {
    fn losses(head: Head<Self>) -> FloatTensor<Self> {
        let (x, weight) = (Self::tensor::<2>(head.x), Self::tensor::<2>(head.weight));
        let targets: Tensor<1, Int> = Self::int_tensor(head.targets);
        let logits = x.matmul(weight.transpose());
        Self::primitive(logits.gather(1, targets.unsqueeze_dim(1)).squeeze_dim::<1>(1))
    }

    fn forward(head: Head<Self>, weights: FloatTensor<Self>) -> (FloatTensor<Self>, Saved<Self>) {
        let saved = Saved { x: head.x.clone(), weight: head.weight.clone() };
        (Self::loss(head, weights), saved)
    }

    fn backward(saved: Saved<Self>, grad: FloatTensor<Self>) -> [FloatTensor<Self>; 2] {
        let (x, weight) = (Self::tensor::<2>(saved.x), Self::tensor::<2>(saved.weight));
        let ([n, _], [v, _]) = (x.dims(), weight.dims());
        let logits_grad = Self::tensor::<1>(grad).unsqueeze::<2>().expand([n, v]);
        let x_grad = logits_grad.clone().matmul(weight);
        [Self::primitive(x_grad), Self::primitive(logits_grad.transpose().matmul(x))]
    }
}
