//! Activations of the expert product.

/// What an expert computes between its two products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activation {
    /// `silu(gate) * up`.
    Swiglu,
    /// `gelu(gate) * up`, with the exact (erf) GELU.
    Geglu,
    /// `gelu(up)`, exact.
    Gelu,
    /// `relu(up)^2`.
    Relu2,
}

impl Activation {
    /// Rows of `W_in` per hidden unit: 2 with a gate, 1 without.
    pub fn inputs(self) -> usize {
        match self {
            Self::Swiglu | Self::Geglu => 2,
            Self::Gelu | Self::Relu2 => 1,
        }
    }
}
