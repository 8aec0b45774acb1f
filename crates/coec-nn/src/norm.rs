//! RMSNorm.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// `x * rsqrt(mean(x^2) + eps) * w` over the last dimension.
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// `[D]`.
    pub weight: Param<Tensor<1>>,
    /// Added to the mean square before the root.
    pub eps: f64,
}

impl RmsNorm {
    /// Normalises the last dimension of `x`.
    pub fn forward<const R: usize>(&self, x: Tensor<R>) -> Tensor<R> {
        let scale = (x.clone().square().mean_dim(R - 1) + self.eps).sqrt().recip();
        x * scale * self.weight.val().unsqueeze()
    }
}
