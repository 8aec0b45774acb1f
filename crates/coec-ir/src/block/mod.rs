//! One file per block: what it is, and its exact counts.

mod act;
mod coe;
mod dense;
mod mha;
mod mla;
mod rope;
mod router;
mod sublayer;
mod words;

pub use act::*;
pub use coe::*;
pub use dense::*;
pub use mha::*;
pub use mla::*;
pub use rope::*;
pub use router::*;
pub use sublayer::*;

use serde::{Deserialize, Serialize};

/// The attention sublayer of a layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attention {
    /// Multi-head attention, grouped-query when `kv_heads < heads`.
    Mha(Mha),
    /// DeepSeek-V2's multi-head latent attention.
    Mla(Mla),
}

/// The feed-forward sublayer of a layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ffn {
    /// A chain of experts; one iteration of it is a mixture of experts.
    Coe(Coe),
    /// A plain gated MLP with the ordinary pre-norm residual.
    Dense(Dense),
}

impl Ffn {
    /// The chain, if this sublayer has experts.
    pub fn as_coe(&self) -> Option<&Coe> {
        match self {
            Self::Coe(coe) => Some(coe),
            Self::Dense(_) => None,
        }
    }

    /// FLOPs per token of the expert products: routed and shared experts, or the dense MLP.
    pub fn product_flops(&self, dim: usize) -> u128 {
        match self {
            Self::Coe(coe) => coe.product_flops(dim),
            Self::Dense(dense) => dense.flops(dim, 1).executed,
        }
    }
}
