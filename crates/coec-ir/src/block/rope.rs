//! Rotary position embedding.

use serde::{Deserialize, Serialize};

use super::words::words;

/// How queries and keys are rotated by position.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rope {
    /// Frequencies `theta^(-2i/d)`.
    Rope {
        /// Base of the geometric sequence of wavelengths.
        theta: f64,
        /// How many of a head's dimensions turn, its first ones; all, if none. They are the `d` of the frequencies.
        dim: Option<usize>,
    },
    /// YaRN as DeepSeek-V2 defines it: frequencies blend from `1/theta^(2i/d)`
    /// to that over `factor` along a linear ramp between the dimensions that
    /// turn `beta_fast` and `beta_slow` times over `original` positions. With
    /// `m(s) = 0.1 s ln(factor) + 1`, cos and sin are multiplied by
    /// `m(mscale)/m(mscale_all_dim)` and the softmax scale by `m(mscale_all_dim)^2`.
    Yarn {
        /// Base of the geometric sequence of wavelengths.
        theta: f64,
        /// By how much the context was extended.
        factor: f64,
        /// Positions the model was first trained for.
        original: usize,
        /// Turns above which a dimension keeps its frequency.
        beta_fast: f64,
        /// Turns below which a dimension is fully interpolated.
        beta_slow: f64,
        /// Scale of cos and sin.
        mscale: f64,
        /// Scale of the softmax.
        mscale_all_dim: f64,
        /// Whether the ramp begins and ends at whole dimensions.
        truncate: bool,
        /// How many of a head's dimensions turn, as above.
        dim: Option<usize>,
    },
}

impl Rope {
    /// Frequencies `theta^(-2i/d)`.
    pub fn plain(theta: f64) -> Self {
        Self::Rope { theta, dim: None }
    }

    /// How many dimensions turn of a head of so many.
    pub fn width(&self, head_dim: usize) -> usize {
        let (Self::Rope { dim, .. } | Self::Yarn { dim, .. }) = self;
        dim.unwrap_or(head_dim)
    }
}

/// Which dimensions of what is rotated are a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pairs {
    /// `i` and `i + d/2`.
    Halves,
    /// `2i` and `2i + 1`.
    Neighbours,
}

words!(Pairs { Halves => "halves", Neighbours => "neighbours" });
