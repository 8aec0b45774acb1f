//! The dense sublayer: one MLP for every token.

use serde::{Deserialize, Serialize};

use crate::{Act, Flops, Init, Param, params::mlp};

/// `h + MLP(Norm(h))`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dense {
    /// Width of the MLP.
    pub hidden: usize,
    /// Its activation.
    pub act: Act,
}

impl Dense {
    /// FLOPs per token.
    pub fn flops(&self, dim: usize) -> Flops {
        Flops::exact(2 * (self.act.projections() * dim) as u128 * self.hidden as u128)
    }

    /// Elements kept per token for the backward pass: the stream, its norm, the first
    /// product.
    pub fn kept(&self, dim: usize) -> u128 {
        2 * dim as u128 + self.first_product()
    }

    /// Elements alive at once per token while the backward pass is in the product.
    pub fn transient(&self, dim: usize) -> u128 {
        dim as u128 + self.first_product() + self.hidden as u128
    }

    fn first_product(&self) -> u128 {
        (self.act.projections() - 1) as u128 * self.hidden as u128
    }

    /// Trained parameters, the norm included.
    pub fn params(&self, dim: usize, norm: &str, prefix: &str) -> Vec<Param> {
        let mut params = vec![Param::new(format!("{norm}.weight"), [dim], Init::Ones)];
        params.extend(mlp(prefix, self.act.is_gated(), dim, self.hidden));
        params
    }
}
