//! Activations of the product on tensors, without a matrix product: those of capture.

use burn::tensor::{Tensor, activation, s};

use crate::Activation;

/// Gate part and up part of a first product that has both.
fn halves(hidden: Tensor<2>) -> [Tensor<2>; 2] {
    let f = hidden.dims()[1] / 2;
    [hidden.clone().slice(s![.., 0..f]), hidden.slice(s![.., f..])]
}

/// `act` of the first product: `[R, G*F]` to `[R, F]`.
pub(crate) fn activate(hidden: Tensor<2>, act: Activation) -> Tensor<2> {
    match act {
        Activation::Swiglu => {
            let [gate, up] = halves(hidden);
            activation::silu(gate) * up
        }
        Activation::Geglu => {
            let [gate, up] = halves(hidden);
            activation::gelu(gate) * up
        }
        Activation::Clamped => {
            let [gate, up] = halves(hidden);
            let gate = at_most(gate);
            gate.clone() * activation::sigmoid(gate * Activation::STEEPNESS) * (clamped(up) + 1.0)
        }
        Activation::Gelu => activation::gelu(hidden),
        Activation::Relu2 => relu(hidden).square(),
    }
}

/// `act` of the first product, and its derivative times `h_grad`.
pub(crate) fn differentiate(hidden: Tensor<2>, h_grad: Tensor<2>, act: Activation) -> (Tensor<2>, Tensor<2>) {
    match act {
        Activation::Swiglu => {
            let [gate, up] = halves(hidden);
            let sigmoid = activation::sigmoid(gate.clone());
            let silu = gate * sigmoid.clone();
            let slope = sigmoid.clone() + silu.clone() * (-sigmoid + 1.0);
            let gate_grad = h_grad.clone() * up.clone() * slope;
            (silu.clone() * up, Tensor::cat(vec![gate_grad, h_grad * silu], 1))
        }
        Activation::Geglu => {
            let [gate, up] = halves(hidden);
            let (gelu, slope) = gelu(gate);
            let gate_grad = h_grad.clone() * up.clone() * slope;
            (gelu.clone() * up, Tensor::cat(vec![gate_grad, h_grad * gelu], 1))
        }
        Activation::Clamped => {
            let [gate, up] = halves(hidden);
            let (gate_slope, up_slope) = (at_most_slope(gate.clone()), clamped_slope(up.clone()));
            let (gate, up) = (at_most(gate), clamped(up) + 1.0);
            let sigmoid = activation::sigmoid(gate.clone() * Activation::STEEPNESS);
            let opened = gate * sigmoid.clone();
            let slope = sigmoid.clone() + opened.clone() * (-sigmoid + 1.0) * Activation::STEEPNESS;
            let gate_grad = h_grad.clone() * up.clone() * slope * gate_slope;
            (opened.clone() * up, Tensor::cat(vec![gate_grad, h_grad * opened * up_slope], 1))
        }
        Activation::Gelu => {
            let (gelu, slope) = gelu(hidden);
            (gelu, h_grad * slope)
        }
        Activation::Relu2 => {
            let relu = relu(hidden);
            (relu.clone().square(), h_grad * relu * 2.0)
        }
    }
}

/// `max(x, 0)`, and NaN for NaN, which not every backend's own keeps.
fn relu(x: Tensor<2>) -> Tensor<2> {
    x.clone().mask_fill(x.lower_elem(0.0), 0.0)
}

/// `x` up to the limit of [`Activation::Clamped`], and NaN for NaN.
fn at_most(x: Tensor<2>) -> Tensor<2> {
    x.clone().mask_fill(x.greater_elem(Activation::LIMIT), Activation::LIMIT)
}

/// Its slope: 0 beyond the limit, 1 at it.
fn at_most_slope(x: Tensor<2>) -> Tensor<2> {
    x.ones_like().mask_fill(x.greater_elem(Activation::LIMIT), 0.0)
}

/// `x` between the limits of [`Activation::Clamped`], and NaN for NaN.
fn clamped(x: Tensor<2>) -> Tensor<2> {
    at_most(x.clone()).mask_fill(x.lower_elem(-Activation::LIMIT), -Activation::LIMIT)
}

/// Its slope: 0 beyond the limits, 1 at them.
fn clamped_slope(x: Tensor<2>) -> Tensor<2> {
    at_most_slope(x.clone()).mask_fill(x.lower_elem(-Activation::LIMIT), 0.0)
}

/// GELU and its derivative.
fn gelu(x: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let cdf = ((x.clone() * std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0) * 0.5;
    let pdf = (x.clone().square() * -0.5).exp() * 0.398_942_280_401_432_7;
    (x.clone() * cdf.clone(), cdf + x * pdf)
}
