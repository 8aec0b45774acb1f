//! Operations that Burn composes of many passes over memory, in one pass where a backend has it.
#![allow(deprecated)] // NdArray stays until upstream removes it

mod autodiff;
mod backends;
pub(crate) mod composed;
#[cfg(test)]
mod tests;

use burn::backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;

/// Which dimensions a rotary embedding rotates together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairs {
    /// `i` and `i + width/2`.
    HalfSplit,
    /// `2i` and `2i + 1`.
    Neighbours,
}

/// The differentiable operations, routed to the backend of their tensors.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cuda"),
    Capture,
    Autodiff
)]
pub trait FusedOps: Backend {
    /// See [`rms_norm`].
    fn rms_norm(x: FloatTensor<Self>, weight: FloatTensor<Self>, eps: f64) -> FloatTensor<Self>;
    /// See [`causal_softmax`].
    fn causal_softmax(scores: FloatTensor<Self>, scale: f64) -> FloatTensor<Self>;
    /// See [`rotate`].
    fn rotate(
        x: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        pairs: Pairs,
    ) -> FloatTensor<Self>;
}

/// The kernels of a backend, outside the autodiff tape.
pub trait FusedKernels: Backend {
    /// `x * rsqrt(mean(x^2) + eps) * w` of `[N, D]`, and each row's factor `[N]`.
    fn rms_norm_forward(x: FloatTensor<Self>, weight: FloatTensor<Self>, eps: f64) -> [FloatTensor<Self>; 2];
    /// The gradients of `x` and of the weight.
    fn rms_norm_backward(
        grad: FloatTensor<Self>,
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        scales: FloatTensor<Self>,
    ) -> [FloatTensor<Self>; 2];
    /// The probabilities.
    fn causal_softmax_forward(scores: FloatTensor<Self>, scale: f64) -> FloatTensor<Self>;
    /// The gradient of the scores.
    fn causal_softmax_backward(
        grad: FloatTensor<Self>,
        probs: FloatTensor<Self>,
        scale: f64,
    ) -> FloatTensor<Self>;
    /// Rotated, backwards for `inverse`, which is also the gradient.
    fn rotated(
        x: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        pairs: Pairs,
        inverse: bool,
    ) -> FloatTensor<Self>;
}

/// RMSNorm over the last dimension: `x * rsqrt(mean(x^2) + eps) * w`.
///
/// # Shapes
///
/// - `x` and output: `[N, D]`, `weight`: `[D]`
///
/// # Panics
///
/// When the shapes do not agree, and when the element types differ or, on the CPU, are others than f32
/// and f64. So do the other operations here, and their backward passes.
pub fn rms_norm(x: Tensor<2>, weight: Tensor<1>, eps: f64) -> Tensor<2> {
    assert_eq!(weight.dims(), [x.dims()[1]], "weight must be [D]");
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(<Dispatch as FusedOps>::rms_norm(x, weight, eps))
}

/// Softmax of `scale * scores` over the keys each query may see, 0 elsewhere.
///
/// The queries are the last of the keys: query `t` of `T` sees the first `S - T + t + 1` of `S`.
///
/// # Shapes
///
/// - `scores` and output: `[B, H, T, S]`, `T <= S`
///
/// # Panics
///
/// When `T > S`, and on the CPU for another element type than f32 and f64; see [`rms_norm`].
pub fn causal_softmax(scores: Tensor<4>, scale: f64) -> Tensor<4> {
    let [_, _, queries, keys] = scores.dims();
    assert!(queries <= keys, "{queries} queries cannot be the last of {keys} keys");
    Tensor::from_dispatch(<Dispatch as FusedOps>::causal_softmax(scores.into_dispatch(), scale))
}

/// Rotary embedding: each pair `(a, b)` becomes `(a cos - b sin, b cos + a sin)`.
///
/// # Shapes
///
/// - `x` and output: `[B, H, T, width]`, `cos` and `sin`: `[T, width/2]`, without a tape
///
/// # Panics
///
/// When the shapes or the element types do not agree; see [`rms_norm`].
pub fn rotate(x: Tensor<4>, cos: Tensor<2>, sin: Tensor<2>, pairs: Pairs) -> Tensor<4> {
    let [_, _, tokens, width] = x.dims();
    assert!(width % 2 == 0, "a width of {width} has no pairs");
    assert_eq!([cos.dims(), sin.dims()], [[tokens, width / 2]; 2], "cos and sin must be [T, width/2]");
    let (cos, sin) = (cos.into_dispatch(), sin.into_dispatch());
    Tensor::from_dispatch(<Dispatch as FusedOps>::rotate(x.into_dispatch(), cos, sin, pairs))
}
