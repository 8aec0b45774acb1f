//! Multi-head attention with grouped queries.

use burn::module::{Module, Param as Slot};
use burn::tensor::Tensor;
use coec_ir::{Mha, NormAt, Projection, QkNorm, Site, Sublayer};

use super::dot_product::{Manner, attend, project, split_heads};
use crate::{
    Maker, Pass, RmsNorm,
    maker::Params,
    positions::{rotate, softmax_factor},
};

/// `h + Attn(Norm(h))`, see [`Mha`].
#[derive(Module, Debug)]
pub struct MultiHeadAttention {
    /// What it is.
    #[module(skip)]
    pub config: Mha,
    /// In front of the sublayer.
    pub norm: RmsNorm,
    /// `[H*d, D]`.
    pub q_proj: Slot<Tensor<2>>,
    /// `[G*d, D]` with G key-value heads.
    pub k_proj: Slot<Tensor<2>>,
    /// `[G*d, D]`.
    pub v_proj: Slot<Tensor<2>>,
    /// `[D, H*d]`.
    pub o_proj: Slot<Tensor<2>>,
    /// Of the projections that have one, in the order of the spec: `[H*d]`, `[G*d]`, `[G*d]`, `[D]`.
    pub biases: Vec<Slot<Tensor<1>>>,
    /// A score of each head, `[H]`, if there are sinks.
    pub sinks: Option<Slot<Tensor<1>>>,
    /// Of queries, if they are normed.
    pub q_norm: Option<RmsNorm>,
    /// Of keys, if they are normed.
    pub k_norm: Option<RmsNorm>,
}

impl MultiHeadAttention {
    /// The block at `site`.
    pub fn new(make: &mut Maker, site: &Site, block: &Mha) -> Self {
        let mut params = Params::new(block.params(make.dim, &site.norm, &site.prefix));
        let is_normed = block.qk_norm != QkNorm::None;
        Self {
            config: block.clone(),
            norm: RmsNorm::new(make, params.next()),
            q_proj: make.one(params.next()),
            k_proj: make.one(params.next()),
            v_proj: make.one(params.next()),
            o_proj: make.one(params.next()),
            biases: block.bias.iter().map(|_| make.one(params.next())).collect(),
            q_norm: is_normed.then(|| RmsNorm::new(make, params.next())),
            k_norm: is_normed.then(|| RmsNorm::new(make, params.next())),
            sinks: block.sinks.then(|| make.one(params.next())),
        }
    }

    /// What a projection made, with its bias if it has one.
    fn biased(&self, y: Tensor<3>, which: Projection) -> Tensor<3> {
        match self.config.bias.iter().position(|projection| *projection == which) {
            Some(at) => y + self.biases[at].val().unsqueeze(),
            None => y,
        }
    }

    /// Queries or keys `[B, T, H*d]` by head, `[B, T, H, d]`, normed over all of them or within each head.
    fn normed(&self, x: Tensor<3>, norm: &Option<RmsNorm>, heads: usize) -> Tensor<4> {
        match (self.config.qk_norm, norm) {
            (QkNorm::Full, Some(norm)) => split_heads(norm.forward(x), heads),
            (QkNorm::Head, Some(norm)) => norm.forward(split_heads(x, heads)),
            (QkNorm::None, _) | (_, None) => split_heads(x, heads),
        }
    }

    /// The stream after the sublayer, `[B, T, D]`.
    pub fn forward(&self, h: Tensor<3>, pass: &mut Pass) -> Tensor<3> {
        let Mha { heads, kv_heads, head_dim, rope, qk_norm_at, pairs, .. } = &self.config;
        let precision = pass.precision;
        let x = self.norm.before(h.clone(), self.config.norm_at); // [B, T, D]
        let project = |x: Tensor<3>, weight: &Slot<Tensor<2>>, which: Projection| {
            self.biased(project(x, weight.val(), precision), which)
        };
        let q = project(x.clone(), &self.q_proj, Projection::Q); // [B, T, H*d]
        let k = project(x.clone(), &self.k_proj, Projection::K); // [B, T, G*d]
        let v = project(x, &self.v_proj, Projection::V); // [B, T, G*d]

        let tables = pass.positions.tables(rope, *head_dim);
        let split = |x: Tensor<3>, heads: usize| split_heads(x, heads); // [B, T, H|G, d]
        let turned = |x: Tensor<4>| rotate(x, tables.clone(), *pairs);
        let (q, k) = match qk_norm_at {
            NormAt::Before => {
                let (q, k) = (self.normed(q, &self.q_norm, *heads), self.normed(k, &self.k_norm, *kv_heads));
                (turned(q), turned(k))
            }
            NormAt::After => {
                let (q, k) = (turned(split(q, *heads)), turned(split(k, *kv_heads)));
                let whole = |x: Tensor<4>| x.flatten::<3>(2, 3); // [B, T, H*d | G*d]
                let (q, k) = (whole(q), whole(k));
                (self.normed(q, &self.q_norm, *heads), self.normed(k, &self.k_norm, *kv_heads))
            }
        };
        let v = split(v, *kv_heads); // [B, T, G, d]
        let (k, v) = pass.recall(k, v, self.config.window()); // [B, S, G, d]
        let scale = self.config.softmax_scale() * softmax_factor(rope);
        let manner = Manner { scale, window: self.config.window(), sinks: self.sinks.as_ref(), precision };
        let y = project(attend(q, k, v, &manner), &self.o_proj, Projection::O); // [B, T, D]
        self.norm.joined(h, y, self.config.norm_at, self.config.multiplier)
    }
}
