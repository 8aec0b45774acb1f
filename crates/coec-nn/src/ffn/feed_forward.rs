//! The dense sublayer.

use burn::module::Module;
use burn::tensor::Tensor;
use coec_ir::{Dense, Site, Sublayer};

use super::mlp::Mlp;
use crate::{Maker, Pass, RmsNorm, maker::Params};

/// `h + MLP(Norm(h))`, see [`Dense`].
#[derive(Module, Debug)]
pub struct FeedForward {
    /// What it is.
    #[module(skip)]
    pub config: Dense,
    /// In front of the sublayer.
    pub norm: RmsNorm,
    /// The MLP.
    pub mlp: Mlp,
}

impl FeedForward {
    /// The block at `site`.
    pub fn new(make: &mut Maker, site: &Site, block: &Dense) -> Self {
        let mut params = Params::new(block.params(make.dim, &site.norm, &site.prefix));
        let norm = RmsNorm::new(make, params.next());
        Self { config: block.clone(), norm, mlp: Mlp::new(make, &mut params, block.act, block.bias) }
    }

    /// The stream after the sublayer, `[B, T, D]`. It has nothing to tell the `pass`.
    pub fn forward(&self, h: Tensor<3>, pass: &mut Pass) -> Tensor<3> {
        let [b, t, d] = h.dims();
        let x = self.norm.before(h.clone(), self.config.norm_at).reshape([b * t, d]);
        let y = self.mlp.forward(x, pass.precision).reshape([b, t, d]);
        self.norm.joined(h, y, self.config.norm_at, self.config.multiplier)
    }
}
