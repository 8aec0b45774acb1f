//! The activation inside an expert or MLP.

use serde::{Deserialize, Serialize};

use super::words::words;

/// What an expert computes between its projections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// `silu(gate x) * up x`.
    Swiglu,
    /// `gelu(gate x) * up x`, with the exact (erf) GELU.
    Geglu,
    /// `gelu(up x)`, with the exact (erf) GELU; no gate projection.
    Gelu,
    /// `relu(up x)^2`; no gate projection.
    Relu2,
    /// gpt-oss's: `g sigmoid(1.702 g) (u + 1)`, with `g` the gate at most 7 and `u` what goes up within 7 of 0.
    Clamped,
}

impl Act {
    /// Whether the MLP has a gate projection beside `up` and `down`.
    pub fn is_gated(self) -> bool {
        matches!(self, Self::Swiglu | Self::Geglu | Self::Clamped)
    }

    /// Matrix products of width `D x F` in one MLP: 3 with a gate, 2 without.
    pub fn projections(self) -> usize {
        if self.is_gated() { 3 } else { 2 }
    }
}

words!(Act { Swiglu => "swiglu", Geglu => "geglu", Gelu => "gelu", Relu2 => "relu2", Clamped => "clamped" });
