//! Activations of a hidden unit and their derivatives.

use cubecl::prelude::*;

use crate::Activation;

/// What is activated of a gate and what goes up; without a gate, of what goes up alone, which is `gate`.
#[cube]
pub(crate) fn activated(gate: f32, up: f32, #[comptime] act: Activation) -> f32 {
    match act {
        Activation::Swiglu => gate * sigmoid(gate) * up,
        Activation::Geglu => gate * normal(gate) * up,
        Activation::Clamped => opened(at_most(gate)) * (clamped(up) + 1.0f32),
        Activation::Gelu => gate * normal(gate),
        Activation::Relu2 => relu(gate) * relu(gate),
    }
}

/// The gradients of the two from `grad`, that of what is activated. Without a gate the first is that of what
/// goes up.
#[cube]
pub(crate) fn gradients(grad: f32, gate: f32, up: f32, #[comptime] act: Activation) -> (f32, f32) {
    match act {
        Activation::Swiglu => {
            let open = sigmoid(gate);
            let slope = open + gate * open * (1.0f32 - open);
            (grad * up * slope, grad * (gate * open))
        }
        Activation::Geglu => (grad * up * gelu_slope(gate), grad * (gate * normal(gate))),
        Activation::Clamped => {
            let steepness = comptime!(Activation::STEEPNESS as f32);
            let within = at_most(gate);
            let open = sigmoid(within * steepness);
            let slope = open + steepness * within * open * (1.0f32 - open);
            let gate_grad = grad * (clamped(up) + 1.0f32) * slope * at_most_slope(gate);
            (gate_grad, grad * opened(within) * clamped_slope(up))
        }
        Activation::Gelu => (grad * gelu_slope(gate), 0.0f32),
        Activation::Relu2 => (grad * (relu(gate) * 2.0f32), 0.0f32),
    }
}

/// The gate of [`Activation::Clamped`], clamped before: `gate * sigmoid(1.702 gate)`.
#[cube]
fn opened(gate: f32) -> f32 {
    gate * sigmoid(gate * comptime!(Activation::STEEPNESS as f32))
}

/// `x` up to the limit of [`Activation::Clamped`], and NaN for NaN.
#[cube]
fn at_most(x: f32) -> f32 {
    let limit = comptime!(Activation::LIMIT as f32);
    select(x > limit, limit, x)
}

/// Its slope: 0 beyond the limit, 1 at it.
#[cube]
fn at_most_slope(x: f32) -> f32 {
    select(x > comptime!(Activation::LIMIT as f32), 0.0f32, 1.0f32)
}

/// `x` between the limits of [`Activation::Clamped`], and NaN for NaN.
#[cube]
fn clamped(x: f32) -> f32 {
    let least = comptime!(-Activation::LIMIT as f32);
    select(x < least, least, at_most(x))
}

/// Its slope: 0 beyond the limits, 1 at them.
#[cube]
fn clamped_slope(x: f32) -> f32 {
    select(x < comptime!(-Activation::LIMIT as f32), 0.0f32, at_most_slope(x))
}

/// The slope of GELU.
#[cube]
fn gelu_slope(x: f32) -> f32 {
    normal(x) + x * 0.398_942_3f32 * f32::exp(x * x * -0.5f32)
}

#[cube]
fn sigmoid(x: f32) -> f32 {
    1.0f32 / (1.0f32 + f32::exp(-x))
}

/// The distribution function of the normal distribution.
#[cube]
#[allow(unstable_name_collisions)]
fn normal(x: f32) -> f32 {
    0.5f32 * (1.0f32 + f32::erf(x * 0.707_106_77f32))
}

/// `max(x, 0)`, and NaN for NaN.
#[cube]
fn relu(x: f32) -> f32 {
    select(x < 0.0f32, 0.0f32, x)
}
