//! The attention sublayers: `h + Attn(Norm(h))`.

mod dot_product;
mod latent;
mod multi_head;

pub use latent::LatentAttention;
pub use multi_head::MultiHeadAttention;

use burn::module::Module;
use burn::tensor::Tensor;

use crate::Pass;

/// Either kind of attention.
#[derive(Module, Debug)]
pub enum Attention {
    /// Multi-head attention.
    MultiHead(MultiHeadAttention),
    /// Latent attention.
    Latent(LatentAttention),
}

impl Attention {
    /// The stream after the sublayer, `[B, T, D]`.
    pub(crate) fn forward(&self, h: Tensor<3>, pass: &mut Pass) -> Tensor<3> {
        match self {
            Self::MultiHead(block) => block.forward(h, pass),
            Self::Latent(block) => block.forward(h, pass),
        }
    }
}
