//! DeepSeek-V2's multi-head latent attention.

use burn::module::{Module, Param as Slot};
use burn::tensor::Tensor;
use coec_ir::{LatentProjection, Mla, Site, Sublayer};
use coec_kernels::Precision;

use super::dot_product::{Manner, attend, product, project, split_heads};
use crate::{
    Maker, Pass, RmsNorm,
    maker::Params,
    positions::{rotate, softmax_factor},
};

/// `h + Attn(Norm(h))`, see [`Mla`].
#[derive(Module, Debug)]
pub struct LatentAttention {
    /// What it is.
    #[module(skip)]
    pub config: Mla,
    /// In front of the sublayer.
    pub norm: RmsNorm,
    /// Query latent and its norm, `[q_rank, D]`, when there is one.
    pub q_a_proj: Option<Slot<Tensor<2>>>,
    /// Of the query latent.
    pub q_a_layernorm: Option<RmsNorm>,
    /// `[H*(nope + rope), q_rank or D]`.
    pub q_proj: Slot<Tensor<2>>,
    /// `[kv_rank + rope, D]`.
    pub kv_a_proj_with_mqa: Slot<Tensor<2>>,
    /// Of the key-value latent.
    pub kv_a_layernorm: RmsNorm,
    /// `[H*(nope + value), kv_rank]`.
    pub kv_b_proj: Slot<Tensor<2>>,
    /// `[D, H*value]`.
    pub o_proj: Slot<Tensor<2>>,
    /// Of the projections that have one, in the order of the spec: `[q_rank]`, `[kv_rank + rope]`, `[D]`.
    pub biases: Vec<Slot<Tensor<1>>>,
    /// A score of each head, `[H]`, if there are sinks.
    pub sinks: Option<Slot<Tensor<1>>>,
}

/// What is attended with, and to.
struct Inputs {
    /// The part of the queries that is not rotated, `[B, T, H, nope]`.
    q: Tensor<4>,
    /// The part that is, `[B, T, H, rope]`.
    rotated: Tensor<4>,
    /// Of all tokens, `[B, S, 1, kv_rank]`.
    latent: Tensor<4>,
    /// The rotated key of all heads, `[B, S, 1, rope]`.
    key: Tensor<4>,
    scale: f64,
    precision: Precision,
}

impl LatentAttention {
    /// The block at `site`.
    pub fn new(make: &mut Maker, site: &Site, block: &Mla) -> Self {
        let mut params = Params::new(block.params(make.dim, &site.norm, &site.prefix));
        let eps = block.latent_eps.unwrap_or(make.eps);
        let of_latent = |norm: RmsNorm| RmsNorm { eps, ..norm };
        Self {
            config: block.clone(),
            norm: RmsNorm::new(make, params.next()),
            q_a_proj: block.q_rank.map(|_| make.one(params.next())),
            q_a_layernorm: block.q_rank.map(|_| of_latent(RmsNorm::new(make, params.next()))),
            q_proj: make.one(params.next()),
            kv_a_proj_with_mqa: make.one(params.next()),
            kv_a_layernorm: of_latent(RmsNorm::new(make, params.next())),
            kv_b_proj: make.one(params.next()),
            o_proj: make.one(params.next()),
            biases: block.biased().map(|_| make.one(params.next())).collect(),
            sinks: block.sinks.then(|| make.one(params.next())),
        }
    }

    /// The stream after the sublayer, `[B, T, D]`.
    pub fn forward(&self, h: Tensor<3>, pass: &mut Pass) -> Tensor<3> {
        let Mla { heads, kv_rank, nope, rope_dim, rope, pairs, .. } = &self.config;
        let precision = pass.precision;
        let project = |x: Tensor<3>, weight: &Slot<Tensor<2>>| project(x, weight.val(), precision);
        let x = self.norm.before(h.clone(), self.config.norm_at); // [B, T, D]
        let q = match (&self.q_a_proj, &self.q_a_layernorm) {
            (Some(proj), Some(norm)) => {
                norm.forward(self.biased(project(x.clone(), proj), LatentProjection::QA)) // [B, T, q_rank]
            }
            _ => x.clone(),
        };
        let q = split_heads(project(q, &self.q_proj), *heads); // [B, T, H, nope + rope]
        let latent = project(x, &self.kv_a_proj_with_mqa);
        let latent = self.biased(latent, LatentProjection::KvA); // [B, T, kv_rank + rope]
        let key = latent.clone().narrow(2, *kv_rank, *rope_dim).unsqueeze_dim::<4>(2); // [B, T, 1, rope]
        let latent = self.kv_a_layernorm.forward(latent.narrow(2, 0, *kv_rank)); // [B, T, kv_rank]

        let tables = pass.positions.tables(rope, *rope_dim);
        let key = rotate(key, tables.clone(), *pairs);
        let rotated = rotate(q.clone().narrow(3, *nope, *rope_dim), tables, *pairs);
        let q = q.narrow(3, 0, *nope); // [B, T, H, nope]

        let (latent, key) = pass.recall(latent.unsqueeze_dim::<4>(2), key, self.config.window()); // [B, S, 1, *]
        let scale = self.config.softmax_scale() * softmax_factor(rope);
        let is_absorbed = pass.has_cache() && self.absorbs(q.dims()[1]);
        let inputs = Inputs { q, rotated, latent, key, scale, precision };
        let attended =
            if is_absorbed { self.attend_to_latents(inputs) } else { self.attend_to_heads(inputs) };
        let y = self.biased(project(attended, &self.o_proj), LatentProjection::O); // [B, T, D]
        self.norm.joined(h, y, self.config.norm_at, self.config.multiplier)
    }

    fn manner(&self, scale: f64, precision: Precision) -> Manner<'_> {
        Manner { scale, window: self.config.window(), sinks: self.sinks.as_ref(), precision }
    }

    /// What a projection made, with its bias if it has one.
    fn biased(&self, y: Tensor<3>, which: LatentProjection) -> Tensor<3> {
        match self.config.biased().position(|projection| projection == which) {
            Some(at) => y + self.biases[at].val().unsqueeze(),
            None => y,
        }
    }

    /// The output `[B, T, H*value]`: each head's keys and values are made of the latents of all tokens.
    fn attend_to_heads(&self, inputs: Inputs) -> Tensor<3> {
        let Inputs { q, rotated, latent, key, scale, precision } = inputs;
        let Mla { heads, nope, rope_dim, value, .. } = &self.config;
        let kv = split_heads(project(latent.squeeze_dim(2), self.kv_b_proj.val(), precision), *heads);
        let [b, s, _, _] = kv.dims(); // [B, S, H, nope + value]
        let key = key.expand([b, s, *heads, *rope_dim]); // one rotary key for all heads
        let k = Tensor::cat(vec![kv.clone().narrow(3, 0, *nope), key], 3); // [B, S, H, nope + rope]
        let v = kv.narrow(3, *nope, *value); // [B, S, H, value]
        attend(Tensor::cat(vec![q, rotated], 3), k, v, &self.manner(scale, precision))
    }

    /// The same for few tokens: the latents themselves are keys and values, of all heads. What would make a
    /// head's keys of them is applied to its queries, what would make its values, to its outputs.
    fn attend_to_latents(&self, inputs: Inputs) -> Tensor<3> {
        let Inputs { q, rotated, latent, key, scale, precision } = inputs;
        let Mla { heads, kv_rank, nope, value, .. } = &self.config;
        let [b, t, _, _] = q.dims();
        let weights = self.kv_b_proj.val().reshape([*heads, nope + value, *kv_rank]);
        let (into_keys, into_values) =
            (weights.clone().narrow(1, 0, *nope), weights.narrow(1, *nope, *value));

        let by_head = |x: Tensor<4>| x.swap_dims(0, 2).swap_dims(1, 2).flatten::<3>(1, 2); // [H, B*T, *]
        let by_token = |x: Tensor<3>| {
            let [_, _, width] = x.dims();
            x.reshape([*heads, b, t, width]).swap_dims(1, 2).swap_dims(0, 2) // [B, T, H, *]
        };
        let q = by_token(product(by_head(q), into_keys, precision)); // [B, T, H, kv_rank]
        let k = Tensor::cat(vec![latent.clone(), key], 3); // [B, S, 1, kv_rank + rope]
        let y = attend(Tensor::cat(vec![q, rotated], 3), k, latent, &self.manner(scale, precision)); // [B, T, H*kv_rank]
        let y = by_head(split_heads(y, *heads));
        let y = product(y, into_values.swap_dims(1, 2), precision); // [H, B*T, value]
        by_token(y).reshape([b, t, heads * value])
    }

    /// Whether T tokens are cheaper by their latents. Of multiplications, for each head and each of the tokens
    /// seen, keys and values take `kv_rank (nope + value)` and T times `nope + rope + value`, latents T times
    /// `2 kv_rank + rope`.
    fn absorbs(&self, tokens: usize) -> bool {
        let Mla { kv_rank, nope, value, .. } = self.config;
        tokens * 2 * kv_rank < (kv_rank + tokens) * (nope + value)
    }
}
