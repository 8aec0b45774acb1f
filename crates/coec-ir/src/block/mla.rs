//! DeepSeek-V2's multi-head latent attention (arXiv 2405.04434, section 2.1).

use serde::{Deserialize, Serialize};

use super::words::words;
use crate::{Flops, Init, Kept, NormAt, Pairs, Param, Rope, Sublayer, params::linear, probabilities};

/// Keys and values from a normed latent of width `kv_rank`; queries directly or
/// through a normed latent of width `q_rank`; a decoupled rotary part whose one
/// key is shared by all heads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mla {
    /// Heads.
    pub heads: usize,
    /// Width of the key-value latent.
    pub kv_rank: usize,
    /// Width of the query latent; queries are projected directly without one.
    pub q_rank: Option<usize>,
    /// Width of a head's part without position.
    pub nope: usize,
    /// Width of the rotary part.
    pub rope_dim: usize,
    /// Width of a head's values.
    pub value: usize,
    /// Rotary embedding of the decoupled part.
    pub rope: Rope,
    /// Which of its dimensions are rotated together.
    pub pairs: Pairs,
    /// What scores are multiplied with; `(nope + rope_dim)^-1/2`, if none.
    pub scale: Option<f64>,
    /// A token sees itself and those before it, so many in all; all of them, if none.
    pub window: Option<usize>,
    /// Whether the softmax of each head has one more score, trained, whose probability goes nowhere.
    pub sinks: bool,
    /// Whether the sublayer norms what it reads of the stream, or what it adds.
    pub norm_at: NormAt,
    /// What it adds is multiplied with this.
    pub multiplier: f64,
    /// The projections that have biases, in the order of [`LatentProjection::ALL`]. That of the query latent says
    /// nothing where there is none.
    pub bias: Vec<LatentProjection>,
    /// Of the norms of both latents; the model's, if none.
    pub latent_eps: Option<f64>,
}

/// A projection of latent attention that may have a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LatentProjection {
    /// To the query latent.
    QA,
    /// To the key-value latent and the rotary key.
    KvA,
    /// Of what was mixed, to the stream.
    O,
}

words!(LatentProjection { QA => "q_a", KvA => "kv_a", O => "o" });

impl Mla {
    /// The projections that are there and have biases.
    pub fn biased(&self) -> impl Iterator<Item = LatentProjection> + '_ {
        let is_there =
            |projection: &LatentProjection| *projection != LatentProjection::QA || self.q_rank.is_some();
        self.bias.iter().copied().filter(is_there)
    }

    /// So many heads, with parts of these widths without and with position, on latents of a width, and nothing else.
    pub fn plain(heads: usize, kv_rank: usize, [nope, rope_dim, value]: [usize; 3]) -> Self {
        Self {
            heads,
            kv_rank,
            q_rank: None,
            nope,
            rope_dim,
            value,
            rope: Rope::plain(10_000.0),
            pairs: Pairs::Neighbours,
            scale: None,
            window: None,
            sinks: false,
            norm_at: NormAt::Before,
            multiplier: 1.0,
            bias: Vec::new(),
            latent_eps: None,
        }
    }

    /// What scores are multiplied with, but for YaRN's factor.
    pub fn softmax_scale(&self) -> f64 {
        self.scale.unwrap_or((self.head_dim() as f64).powf(-0.5))
    }

    /// Width of one query head: `nope + rope_dim`.
    pub fn head_dim(&self) -> usize {
        self.nope + self.rope_dim
    }
}

impl Sublayer for Mla {
    fn flops(&self, dim: usize, context: usize) -> Flops {
        let product = |a: usize, b: usize| 2 * a as u128 * b as u128;
        let q = self.heads * self.head_dim();
        let queries = match self.q_rank {
            Some(rank) => product(dim, rank) + product(rank, q),
            None => product(dim, q),
        };
        let latent = product(dim, self.kv_rank + self.rope_dim);
        let expand = product(self.kv_rank, self.heads * (self.nope + self.value));
        let out = product(self.heads * self.value, dim);
        Flops::exact(queries + latent + expand + out, context)
            + Flops::causal(self.mixed(), context, self.window())
    }

    fn window(&self) -> Option<usize> {
        self.window
    }

    fn mixed(&self) -> [u128; 2] {
        [(self.heads * self.head_dim()) as u128, (self.heads * self.value) as u128]
    }

    /// The latent and the shared rotary key.
    fn cache(&self, context: usize) -> u128 {
        (self.kv_rank + self.rope_dim) as u128 * context.min(self.window().unwrap_or(context)) as u128
    }

    /// As factors the norm's output, each latent after its norm, queries and keys as multiplied, the expanded
    /// latent that holds the values, and the mix; the stream, each latent before its norm, and the
    /// probabilities, those of sinks too, which the softmax reads on the way back.
    fn kept(&self, dim: usize, context: usize) -> Kept {
        let (d, h) = (dim as u128, self.heads as u128);
        let (qk, nope, v) = (self.head_dim() as u128, self.nope as u128, self.value as u128);
        let latents = (self.kv_rank + self.q_rank.unwrap_or(0)) as u128;
        Kept {
            factors: d + latents + h * (2 * qk + nope + 2 * v),
            others: d + latents + h * (probabilities(context, self.window()) + u128::from(self.sinks)),
        }
    }

    fn transient(&self, _: usize, context: usize) -> u128 {
        self.heads as u128 * probabilities(context, self.window())
    }

    fn params(&self, dim: usize, norm: &str, prefix: &str) -> Vec<Param> {
        let q = self.heads * self.head_dim();
        let mut params = vec![Param::new(format!("{norm}.weight"), [dim], Init::Ones)];
        match self.q_rank {
            Some(rank) => {
                params.push(linear(format!("{prefix}.q_a_proj.weight"), rank, dim));
                params.push(Param::new(format!("{prefix}.q_a_layernorm.weight"), [rank], Init::Ones));
                params.push(linear(format!("{prefix}.q_b_proj.weight"), q, rank));
            }
            None => params.push(linear(format!("{prefix}.q_proj.weight"), q, dim)),
        }
        params.push(linear(format!("{prefix}.kv_a_proj_with_mqa.weight"), self.kv_rank + self.rope_dim, dim));
        params.push(Param::new(format!("{prefix}.kv_a_layernorm.weight"), [self.kv_rank], Init::Ones));
        params.push(linear(
            format!("{prefix}.kv_b_proj.weight"),
            self.heads * (self.nope + self.value),
            self.kv_rank,
        ));
        params.push(linear(format!("{prefix}.o_proj.weight"), dim, self.heads * self.value));
        for projection in self.biased() {
            let (name, width) = match projection {
                LatentProjection::QA => ("q_a_proj", self.q_rank.unwrap_or_default()),
                LatentProjection::KvA => ("kv_a_proj_with_mqa", self.kv_rank + self.rope_dim),
                LatentProjection::O => ("o_proj", dim),
            };
            params.push(Param::new(format!("{prefix}.{name}.bias"), [width], Init::Zeros));
        }
        if self.sinks {
            params.push(Param::new(format!("{prefix}.sinks"), [self.heads], Init::Zeros));
        }
        params
    }
}
