//! Multi-head attention with grouped queries.

use serde::{Deserialize, Serialize};

use super::words::words;
use crate::{Flops, Init, Kept, NormAt, Pairs, Param, Rope, Sublayer, params::linear, probabilities};

/// Causal multi-head attention; query head `j` reads key-value head `j / (heads / kv_heads)`.
///
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mha {
    /// Query heads.
    pub heads: usize,
    /// Key-value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Rotary embedding of queries and keys.
    pub rope: Rope,
    /// Norm of queries and keys.
    pub qk_norm: QkNorm,
    /// Whether that is before they are rotated, or after.
    pub qk_norm_at: NormAt,
    /// The projections that have biases, in the order of [`Projection::ALL`].
    pub bias: Vec<Projection>,
    /// Which dimensions are rotated together.
    pub pairs: Pairs,
    /// What scores are multiplied with; `head_dim^-1/2`, if none.
    pub scale: Option<f64>,
    /// A token sees itself and those before it, so many in all; all of them, if none.
    pub window: Option<usize>,
    /// Whether the softmax of each head has one more score, trained, whose probability goes nowhere.
    pub sinks: bool,
    /// Whether the sublayer norms what it reads of the stream, or what it adds.
    pub norm_at: NormAt,
    /// What it adds is multiplied with this.
    pub multiplier: f64,
}

/// A projection of multi-head attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Projection {
    /// To queries.
    Q,
    /// To keys.
    K,
    /// To values.
    V,
    /// Of what was mixed, to the stream.
    O,
}

words!(Projection { Q => "q", K => "k", V => "v", O => "o" });

/// RMSNorm of queries and keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QkNorm {
    /// No norm.
    None,
    /// Per head, weights `[head_dim]` (Qwen3).
    Head,
    /// Over the whole projection (OLMoE).
    Full,
}

words!(QkNorm { None => "none", Head => "head", Full => "full" });

impl Mha {
    /// So many heads of a width, with the rotation that most have, and nothing else.
    pub fn plain(heads: usize, head_dim: usize) -> Self {
        let rope = Rope::plain(10_000.0);
        Self {
            heads,
            kv_heads: heads,
            head_dim,
            rope,
            qk_norm: QkNorm::None,
            qk_norm_at: NormAt::Before,
            bias: Vec::new(),
            pairs: Pairs::Halves,
            scale: None,
            window: None,
            sinks: false,
            norm_at: NormAt::Before,
            multiplier: 1.0,
        }
    }

    /// What scores are multiplied with, but for YaRN's factor.
    pub fn softmax_scale(&self) -> f64 {
        self.scale.unwrap_or((self.head_dim as f64).powf(-0.5))
    }

    /// Width of the query projection.
    pub fn q_dim(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Width of the key projection, and of the value projection.
    pub fn kv_dim(&self) -> usize {
        self.kv_heads * self.head_dim
    }
}

impl Sublayer for Mha {
    fn flops(&self, dim: usize, context: usize) -> Flops {
        let (d, q, kv) = (dim as u128, self.q_dim() as u128, self.kv_dim() as u128);
        let projections = 2 * d * q + 2 * 2 * d * kv + 2 * q * d;
        Flops::exact(projections, context) + Flops::causal(self.mixed(), context, self.window())
    }

    fn window(&self) -> Option<usize> {
        self.window
    }

    fn mixed(&self) -> [u128; 2] {
        [self.q_dim() as u128; 2]
    }

    /// Keys and values.
    fn cache(&self, context: usize) -> u128 {
        2 * self.kv_dim() as u128 * context.min(self.window().unwrap_or(context)) as u128
    }

    /// As factors the norm's output, rotated queries and keys, values and the mix; the stream, and the
    /// probabilities, those of sinks too, which the softmax reads on the way back.
    fn kept(&self, dim: usize, context: usize) -> Kept {
        let (d, q) = (dim as u128, self.q_dim() as u128);
        Kept {
            factors: d + 2 * q + 2 * self.kv_dim() as u128,
            others: d + self.heads as u128 * (probabilities(context, self.window()) + u128::from(self.sinks)),
        }
    }

    fn transient(&self, _: usize, context: usize) -> u128 {
        self.heads as u128 * probabilities(context, self.window())
    }

    fn params(&self, dim: usize, norm: &str, prefix: &str) -> Vec<Param> {
        let mut params = vec![Param::new(format!("{norm}.weight"), [dim], Init::Ones)];
        let widths = [("q_proj", self.q_dim()), ("k_proj", self.kv_dim()), ("v_proj", self.kv_dim())];
        for (name, width) in widths {
            params.push(linear(format!("{prefix}.{name}.weight"), width, dim));
        }
        params.push(linear(format!("{prefix}.o_proj.weight"), dim, self.q_dim()));
        for projection in &self.bias {
            let (name, width) = match projection {
                Projection::Q => widths[0],
                Projection::K => widths[1],
                Projection::V => widths[2],
                Projection::O => ("o_proj", dim),
            };
            params.push(Param::new(format!("{prefix}.{name}.bias"), [width], Init::Zeros));
        }
        let norms = match self.qk_norm {
            QkNorm::None => None,
            QkNorm::Head => Some((self.head_dim, self.head_dim)),
            QkNorm::Full => Some((self.q_dim(), self.kv_dim())),
        };
        if let Some((q, k)) = norms {
            params.push(Param::new(format!("{prefix}.q_norm.weight"), [q], Init::Ones));
            params.push(Param::new(format!("{prefix}.k_norm.weight"), [k], Init::Ones));
        }
        if self.sinks {
            params.push(Param::new(format!("{prefix}.sinks"), [self.heads], Init::Zeros));
        }
        params
    }
}
