//! Activations of the expert product.

/// What an expert computes between its two products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activation {
    /// `silu(gate) * up`.
    Swiglu,
    /// `gelu(gate) * up`, with the exact (erf) GELU.
    Geglu,
    /// `gate * sigmoid(1.702 gate) * (up + 1)`, of a gate that is 7 at most and an `up` between -7 and 7: the
    /// SwiGLU of gpt-oss. What is beyond is clamped and has no gradient; what is 7 itself has one.
    Clamped,
    /// `gelu(up)`, exact.
    Gelu,
    /// `relu(up)^2`.
    Relu2,
}

impl Activation {
    /// Where [`Clamped`](Self::Clamped) clamps.
    pub(crate) const LIMIT: f64 = 7.0;

    /// What [`Clamped`](Self::Clamped) multiplies its gate with inside the sigmoid.
    pub(crate) const STEEPNESS: f64 = 1.702;

    /// Rows of `W_in` per hidden unit: 2 with a gate, 1 without.
    pub fn inputs(self) -> usize {
        match self {
            Self::Swiglu | Self::Geglu | Self::Clamped => 2,
            Self::Gelu | Self::Relu2 => 1,
        }
    }
}
