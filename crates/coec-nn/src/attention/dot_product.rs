//! Softmax attention, and the projections around it.

use burn::module::Param as Slot;
use burn::tensor::Tensor;
use coec_ir::query_block;
use coec_kernels::{Mixing, Precision, rounded, with_rounded_gradient};

/// `x W^T` for `x` `[B, T, in]` and `W` `[out, in]`.
pub(super) fn project(x: Tensor<3>, weight: Tensor<2>, precision: Precision) -> Tensor<3> {
    let [b, t, width] = x.dims();
    let [out, _] = weight.dims();
    coec_kernels::linear(x.reshape([b * t, width]), weight, precision).reshape([b, t, out])
}

/// `a b`, head by head: `[H, N, in]` times `[H, in, out]`.
pub(super) fn product(a: Tensor<3>, b: Tensor<3>, precision: Precision) -> Tensor<3> {
    with_rounded_gradient(rounded(a, precision).matmul(rounded(b, precision)), precision)
}

/// `[B, T, H*width]` to `[B, T, H, width]`.
pub(super) fn split_heads(x: Tensor<3>, heads: usize) -> Tensor<4> {
    let [b, t, width] = x.dims();
    x.reshape([b, t, heads, width / heads])
}

/// How an attention mixes.
pub(super) struct Manner<'a> {
    /// What scores are multiplied with.
    pub scale: f64,
    /// How many tokens one sees at most.
    pub window: Option<usize>,
    /// A score of each head that joins the others, `[H]`.
    pub sinks: Option<&'a Slot<Tensor<1>>>,
    pub precision: Precision,
}

/// Softmax attention of the last T of S tokens over all keys each may see.
///
/// # Shapes
///
/// - `q`: `[B, T, H, d]`, `k`: `[B, S, G, d]`, `v`: `[B, S, G, e]`, output: `[B, T, H*e]`
pub(super) fn attend(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, manner: &Manner) -> Tensor<3> {
    let ([b, t, h, _], [_, _, _, e]) = (q.dims(), v.dims());
    let Manner { scale, window, sinks, precision } = *manner;
    let mixing = Mixing { scale, window, block: query_block(t, window), precision };
    coec_kernels::attention(q, k, v, sinks.map(Slot::val), mixing).reshape([b, t, h * e])
}
