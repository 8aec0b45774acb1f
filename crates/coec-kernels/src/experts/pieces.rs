//! Activations of the product on tensors, without a matrix product: those of capture.

use burn::tensor::{Tensor, activation, s};

use crate::Activation;

/// Gate part (if any) and up part of the first product.
fn parts(hidden: Tensor<2>, act: Activation) -> (Option<Tensor<2>>, Tensor<2>) {
    if act.inputs() == 1 {
        return (None, hidden);
    }
    let f = hidden.dims()[1] / 2;
    (Some(hidden.clone().slice(s![.., 0..f])), hidden.slice(s![.., f..]))
}

/// `act` of the first product: `[R, G*F]` to `[R, F]`.
pub(crate) fn activate(hidden: Tensor<2>, act: Activation) -> Tensor<2> {
    match (parts(hidden, act), act) {
        ((Some(gate), up), Activation::Swiglu) => activation::silu(gate) * up,
        ((Some(gate), up), _) => activation::gelu(gate) * up,
        ((None, up), Activation::Relu2) => relu(up).square(),
        ((None, up), _) => activation::gelu(up),
    }
}

/// `act` of the first product, and its derivative times `h_grad`.
pub(crate) fn differentiate(hidden: Tensor<2>, h_grad: Tensor<2>, act: Activation) -> (Tensor<2>, Tensor<2>) {
    match (parts(hidden, act), act) {
        ((Some(gate), up), Activation::Swiglu) => {
            let sigmoid = activation::sigmoid(gate.clone());
            let silu = gate * sigmoid.clone();
            let slope = sigmoid.clone() + silu.clone() * (-sigmoid + 1.0);
            let gate_grad = h_grad.clone() * up.clone() * slope;
            (silu.clone() * up, Tensor::cat(vec![gate_grad, h_grad * silu], 1))
        }
        ((Some(gate), up), _) => {
            let (gelu, slope) = gelu(gate);
            let gate_grad = h_grad.clone() * up.clone() * slope;
            (gelu.clone() * up, Tensor::cat(vec![gate_grad, h_grad * gelu], 1))
        }
        ((None, up), Activation::Relu2) => {
            let relu = relu(up);
            (relu.clone().square(), h_grad * relu * 2.0)
        }
        ((None, up), _) => {
            let (gelu, slope) = gelu(up);
            (gelu, h_grad * slope)
        }
    }
}

/// `max(x, 0)`, and NaN for NaN, which not every backend's own keeps.
fn relu(x: Tensor<2>) -> Tensor<2> {
    x.clone().mask_fill(x.lower_elem(0.0), 0.0)
}

/// GELU and its derivative.
fn gelu(x: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let cdf = ((x.clone() * std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0) * 0.5;
    let pdf = (x.clone().square() * -0.5).exp() * 0.398_942_280_401_432_7;
    (x.clone() * cdf.clone(), cdf + x * pdf)
}
