//! The attention sublayers: `h + Attn(Norm(h))`.

mod dot_product;
mod latent;
mod multi_head;

pub use latent::LatentAttention;
pub use multi_head::MultiHeadAttention;

use burn::module::Module;
use burn::tensor::Tensor;

use coec_ir::Site;

use crate::{Maker, Pass};

/// Either kind of attention.
#[derive(Module, Debug)]
pub enum Attention {
    /// Multi-head attention.
    MultiHead(MultiHeadAttention),
    /// Latent attention.
    Latent(LatentAttention),
}

impl Attention {
    /// The block at `site`.
    pub(crate) fn new(make: &mut Maker, site: &Site, block: &coec_ir::Attention) -> Self {
        match block {
            coec_ir::Attention::Mha(block) => Self::MultiHead(MultiHeadAttention::new(make, site, block)),
            coec_ir::Attention::Mla(block) => Self::Latent(LatentAttention::new(make, site, block)),
        }
    }

    /// The stream after the sublayer, `[B, T, D]`.
    pub(crate) fn forward(&self, h: Tensor<3>, pass: &mut Pass) -> Tensor<3> {
        match self {
            Self::MultiHead(block) => block.forward(h, pass),
            Self::Latent(block) => block.forward(h, pass),
        }
    }
}
