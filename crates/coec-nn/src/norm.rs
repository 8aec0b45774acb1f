//! RMSNorm.

use burn::module::{Module, Param as Slot};
use burn::tensor::Tensor;
use coec_ir::{NormAt, Param};

use crate::Maker;

/// `x * rsqrt(mean(x^2) + eps) * w` over the last dimension.
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// `[D]`.
    pub weight: Slot<Tensor<1>>,
    /// Added to the mean square before the root.
    pub eps: f64,
}

impl RmsNorm {
    pub(crate) fn new(make: &mut Maker, weight: Param) -> Self {
        Self { weight: make.one(weight), eps: make.eps }
    }

    /// Normalises the last dimension of `x`.
    pub fn forward<const R: usize>(&self, x: Tensor<R>) -> Tensor<R> {
        let shape = x.shape();
        let width = shape[R - 1];
        let rows = x.reshape([shape.num_elements() / width, width]);
        coec_kernels::rms_norm(rows, self.weight.val(), self.eps).reshape(shape)
    }

    /// What a sublayer reads of the stream `h`, whose norm this is.
    pub(crate) fn before<const R: usize>(&self, h: Tensor<R>, at: NormAt) -> Tensor<R> {
        match at {
            NormAt::Before => self.forward(h),
            NormAt::After => h,
        }
    }

    /// The stream after a sublayer that made `y` of it: `h + multiplier * y`, with `y` normed where that is
    /// done after.
    pub(crate) fn joined<const R: usize>(
        &self,
        h: Tensor<R>,
        y: Tensor<R>,
        at: NormAt,
        multiplier: f64,
    ) -> Tensor<R> {
        let y = match at {
            NormAt::Before => y,
            NormAt::After => self.forward(y),
        };
        coec_kernels::add(h, if multiplier == 1.0 { y } else { y * multiplier })
    }
}
