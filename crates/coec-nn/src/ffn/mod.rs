//! The feed-forward sublayers.

mod balance;
mod bias;
mod chain;
mod feed_forward;
mod mlp;
mod router;

pub use chain::Chain;
pub use feed_forward::FeedForward;
pub use mlp::{Experts, Mlp};
pub use router::Router;

use burn::module::Module;
use burn::tensor::Tensor;

use coec_ir::Site;

use crate::{Maker, Pass};

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
    /// The block at `site`.
    pub(crate) fn new(make: &mut Maker, site: &Site, block: &coec_ir::Ffn) -> Self {
        match block {
            coec_ir::Ffn::Coe(block) => Self::Chain(Chain::new(make, site, block)),
            coec_ir::Ffn::Dense(block) => Self::Dense(FeedForward::new(make, site, block)),
        }
    }

    /// The stream after the sublayer, `[B, T, D]`.
    pub(crate) fn forward(&self, h: Tensor<3>, pass: &mut Pass) -> Tensor<3> {
        match self {
            Self::Chain(block) => block.forward(h, pass),
            Self::Dense(block) => block.forward(h, pass),
        }
    }
}
