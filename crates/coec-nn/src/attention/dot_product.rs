//! Softmax attention, and the projections around it.

use burn::tensor::Tensor;

/// `x W^T` for `x` `[B, T, in]` and `W` `[out, in]`.
pub(super) fn project(x: Tensor<3>, weight: Tensor<2>) -> Tensor<3> {
    let [b, t, width] = x.dims();
    let [out, _] = weight.dims();
    coec_kernels::linear(x.reshape([b * t, width]), weight).reshape([b, t, out])
}

/// `[B, T, H*width]` to `[B, H, T, width]`.
pub(super) fn split_heads(x: Tensor<3>, heads: usize) -> Tensor<4> {
    let [b, t, width] = x.dims();
    x.reshape([b, t, heads, width / heads]).swap_dims(1, 2)
}

/// Softmax attention of the last T of S tokens over all keys each may see.
///
/// # Shapes
///
/// - `q`: `[B, H, T, d]`, `k`: `[B, H, S, d]`, `v`: `[B, H, S, e]`, output: `[B, T, H*e]`
pub(super) fn attend(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, scale: f64) -> Tensor<3> {
    let [b, h, t, _] = q.dims();
    let e = v.dims()[3];
    let scores = q.matmul(k.swap_dims(2, 3)); // [B, H, T, S]
    let mixed = coec_kernels::causal_softmax(scores, scale).matmul(v); // [B, H, T, e]
    mixed.swap_dims(1, 2).reshape([b, t, h * e])
}
