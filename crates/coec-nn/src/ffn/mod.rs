//! The feed-forward sublayers.

mod balance;
mod bias;
mod chain;
mod feed_forward;
mod mlp;
mod router;

pub use chain::Chain;
pub use feed_forward::FeedForward;
pub use mlp::Mlp;
pub(crate) use router::Router;

use burn::module::Module;
use burn::tensor::Tensor;

use crate::Pass;

/// Either kind of feed-forward sublayer.
// One a layer: nothing is gained by a box.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum Ffn {
    /// A chain of experts.
    Chain(Chain),
    /// A dense MLP with the norm and the residual around it.
    Dense(FeedForward),
}

impl Ffn {
    /// The stream after the sublayer, `[B, T, D]`.
    pub(crate) fn forward(&self, h: Tensor<3>, pass: &mut Pass) -> Tensor<3> {
        match self {
            Self::Chain(block) => block.forward(h, pass),
            Self::Dense(block) => block.forward(h, pass),
        }
    }
}
