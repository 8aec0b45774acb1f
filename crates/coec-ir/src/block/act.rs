//! The activation inside an expert or MLP.

use serde::{Deserialize, Serialize};

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
}

impl Act {
    /// Every activation, in the order documentation lists them.
    pub const ALL: [Self; 4] = [Self::Swiglu, Self::Geglu, Self::Gelu, Self::Relu2];

    /// Whether the MLP has a gate projection beside `up` and `down`.
    pub fn is_gated(self) -> bool {
        matches!(self, Self::Swiglu | Self::Geglu)
    }

    /// Matrix products of width `D x F` in one MLP: 3 with a gate, 2 without.
    pub fn projections(self) -> usize {
        if self.is_gated() { 3 } else { 2 }
    }

    /// The word of the language for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Swiglu => "swiglu",
            Self::Geglu => "geglu",
            Self::Gelu => "gelu",
            Self::Relu2 => "relu2",
        }
    }
}
