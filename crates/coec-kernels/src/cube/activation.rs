//! Activations of a hidden unit and their slopes.

use cubecl::prelude::*;

use crate::Activation;

/// `act(gate) * up`; without a gate, `act(up)` of `gate`.
#[cube]
pub(crate) fn activated(gate: f32, up: f32, #[comptime] act: Activation) -> f32 {
    match act {
        Activation::Swiglu => gate * sigmoid(gate) * up,
        Activation::Geglu => gate * normal(gate) * up,
        Activation::Gelu => gate * normal(gate),
        Activation::Relu2 => relu(gate) * relu(gate),
    }
}

/// The slope of what is activated alone: of `act` at `gate`.
#[cube]
pub(crate) fn slope(gate: f32, #[comptime] act: Activation) -> f32 {
    match act {
        Activation::Swiglu => {
            let open = sigmoid(gate);
            open + gate * open * (1.0f32 - open)
        }
        Activation::Geglu | Activation::Gelu => {
            normal(gate) + gate * 0.398_942_3f32 * f32::exp(gate * gate * -0.5f32)
        }
        Activation::Relu2 => relu(gate) * 2.0f32,
    }
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
