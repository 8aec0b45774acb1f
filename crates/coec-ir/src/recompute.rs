//! What a training step computes twice.

use serde::{Deserialize, Serialize};

use crate::Layer;
use crate::table::Described;

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

    pub(crate) fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// The sublayers of a layer that are computed again, in order.
    pub(crate) fn sublayers(self, layer: &Layer) -> Vec<&dyn Described> {
        match self {
            Self::None => Vec::new(),
            Self::Experts => layer.ffn.as_coe().into_iter().map(|coe| coe as &dyn Described).collect(),
            Self::Layers => vec![layer.attention.sublayer(), layer.ffn.sublayer()],
        }
    }
}
