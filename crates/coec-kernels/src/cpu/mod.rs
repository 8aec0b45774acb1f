//! The fused product on slices: counting sort, then blocks of rows of one expert.
//!
//! Every result is the same bits for any number of threads: blocks have a fixed
//! size, each is computed by one task, and sums run in a fixed order.

mod activation;
mod backward;
mod forward;
mod matmul;
mod real;
mod rms_norm;
mod rotate;
mod routing;
mod select;
mod simd;
mod softmax;

pub(crate) use backward::backward;
pub(crate) use forward::forward;
pub(crate) use real::Real;
pub(crate) use rms_norm::{rms_norm, rms_norm_backward};
pub(crate) use rotate::rotate;
pub(crate) use select::select_top_k;
pub(crate) use softmax::{causal_softmax, causal_softmax_backward};

use crate::Activation;

/// Rows of one task. Large enough to amortise packing the weights, small
/// enough to share one expert's rows between threads.
const BLOCK: usize = 256;

/// The inputs of the product, as slices in row-major order.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a, T> {
    /// `[N, D]`.
    pub x: &'a [T],
    /// `[N, K]`.
    pub indices: &'a [u32],
    /// `[N, K]`.
    pub gates: &'a [T],
    /// `[E, G*F, D]`.
    pub w_in: &'a [T],
    /// `[E, D, F]`.
    pub w_out: &'a [T],
    /// Sizes.
    pub sizes: Sizes,
    /// Activation.
    pub act: Activation,
}

/// The sizes of the product.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Tokens N.
    pub tokens: usize,
    /// Experts selected per token K.
    pub k: usize,
    /// Experts E.
    pub experts: usize,
    /// Width D.
    pub dim: usize,
    /// Expert width F.
    pub hidden: usize,
}

impl<'a, T> Inputs<'a, T> {
    /// Rows of `W_in`: G*F.
    fn wide(&self) -> usize {
        self.act.inputs() * self.sizes.hidden
    }

    /// `W_in` of one expert, `[G*F, D]`.
    fn w_in_of(&self, expert: usize) -> &'a [T] {
        let size = self.wide() * self.sizes.dim;
        &self.w_in[expert * size..][..size]
    }

    /// `W_out` of one expert, `[D, F]`.
    fn w_out_of(&self, expert: usize) -> &'a [T] {
        let size = self.sizes.dim * self.sizes.hidden;
        &self.w_out[expert * size..][..size]
    }
}
