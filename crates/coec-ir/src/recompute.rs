//! What a training step computes twice.

use serde::{Deserialize, Serialize};

use crate::{Ffn, Layer, Sublayer};

/// What is computed again in the backward pass instead of kept. Selections of experts are kept, and never
/// made again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recompute {
    /// Nothing: whatever the backward pass reads is kept.
    #[default]
    None,
    /// Sublayers with experts: of each, its input and its selections are kept.
    Experts,
    /// Whole layers: of each, its input and its selections are kept.
    Layers,
}

impl Recompute {
    /// Every value, in the order documentation lists them.
    pub const ALL: &[Self] = &[Self::None, Self::Experts, Self::Layers];

    /// The word of the language for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Experts => "experts",
            Self::Layers => "layers",
        }
    }

    /// Whether a feed-forward sublayer is computed again.
    pub fn repeats(self, ffn: &Ffn) -> bool {
        match self {
            Self::None => false,
            Self::Experts => ffn.as_coe().is_some(),
            Self::Layers => true,
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// FLOPs of a sequence in a layer of a model of width `dim` that are performed again.
    pub(crate) fn flops(self, layer: &Layer, dim: usize, context: usize) -> u128 {
        let executed = |sublayer: &dyn Sublayer| sublayer.flops(dim, context).executed;
        let attention = if self == Self::Layers { executed(layer.attention.sublayer()) } else { 0 };
        let ffn = if self.repeats(&layer.ffn) { executed(layer.ffn.sublayer()) } else { 0 };
        attention + ffn
    }
}
