//! The dense sublayer: one MLP for every token.

use serde::{Deserialize, Serialize};

use crate::{Act, Flops, Init, Kept, NormAt, Param, Sublayer, params::mlp};

/// `h + MLP(Norm(h))`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dense {
    /// Width of the MLP.
    pub hidden: usize,
    /// Its activation.
    pub act: Act,
    /// Biases on every projection.
    pub bias: bool,
    /// Whether the sublayer norms what it reads of the stream, or what it adds.
    pub norm_at: NormAt,
    /// What it adds is multiplied with this.
    pub multiplier: f64,
}

impl Dense {
    /// One of a width, and nothing else.
    pub fn plain(hidden: usize, act: Act) -> Self {
        Self { hidden, act, bias: false, norm_at: NormAt::Before, multiplier: 1.0 }
    }

    /// Width of the first product: gate and up, or up alone.
    fn first_product(&self) -> u128 {
        (self.act.projections() - 1) as u128 * self.hidden as u128
    }
}

impl Sublayer for Dense {
    fn params(&self, dim: usize, norm: &str, prefix: &str) -> Vec<Param> {
        let mut params = vec![Param::new(format!("{norm}.weight"), [dim], Init::Ones)];
        params.extend(mlp(prefix, self.act, [dim, self.hidden], self.bias));
        params
    }

    fn flops(&self, dim: usize, context: usize) -> Flops {
        Flops::exact(2 * (self.act.projections() * dim) as u128 * self.hidden as u128, context)
    }

    /// Its norm's output as a factor; the stream, the first product.
    fn kept(&self, dim: usize, _: usize) -> Kept {
        let d = dim as u128;
        Kept { factors: d, others: d + self.first_product() }
    }

    fn transient(&self, dim: usize, _: usize) -> u128 {
        dim as u128 + self.first_product() + self.hidden as u128
    }
}
