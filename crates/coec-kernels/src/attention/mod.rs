//! Causal attention.
#![allow(deprecated)] // NdArray stays until upstream removes it

mod blocks;
pub(crate) mod composed;
mod cpu;
#[cfg(feature = "cube")]
mod cube;

use burn::backend::{
    Backend, Dispatch, ExtensionType, TensorMetadata,
    autodiff::{Autodiff, checkpoint::strategy::CheckpointStrategy},
    backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::Tensor;

use crate::{Precision, bridge::Bridge, dtypes, tape};

/// Softmax attention of each query over the keys it may see: the softmax of `scale q.k`, times the values.
///
/// The queries are the last of the keys: query `t` of `T` sees the first `S - T + t + 1` of `S`. They go
/// through in blocks of `block` queries, and a block is multiplied with the keys that its last query sees:
/// so of the products with keys that are not seen at all, few are made. Query head `j` reads key-value head
/// `j / (H/G)`.
///
/// The factors of both products are in `precision`, scores and probabilities never: what flows back through the
/// softmax is made of the probabilities as they are.
///
/// For the backward pass it keeps its inputs and the probabilities of the keys that blocks see.
///
/// # Shapes
///
/// - `q`: `[B, T, H, d]`, `k`: `[B, S, G, d]`, `v`: `[B, S, G, e]`, G divides H, `T <= S`
/// - output: `[B, T, H, e]`
///
/// # Panics
///
/// When the shapes do not agree, when `block` is 0, and when the element types differ or, on the CPU, are
/// others than f32 and f64. So does the backward pass.
pub fn attention(
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    scale: f64,
    block: usize,
    precision: Precision,
) -> Tensor<4> {
    let ([b, t, h, d], [_, s, g, _], [_, _, _, e]) = (q.dims(), k.dims(), v.dims());
    assert_eq!([k.dims(), v.dims()], [[b, s, g, d], [b, s, g, e]], "k must be [B, S, G, d], v [B, S, G, e]");
    assert!(t <= s, "{t} queries cannot be the last of {s} keys");
    assert!(block > 0 && g > 0 && h % g == 0, "{h} heads in blocks of {block} cannot read {g}");
    let (q, k, v) = (q.into_dispatch(), k.into_dispatch(), v.into_dispatch());
    let inputs = Attended { q, k, v, scale, block, precision };
    Tensor::from_dispatch(<Dispatch as AttentionOp>::attention(inputs))
}

/// What [`attention()`] takes, on one backend.
#[derive(Debug, Clone, ExtensionType)]
pub struct Attended<B: Backend> {
    /// `[B, T, H, d]`.
    pub q: FloatTensor<B>,
    /// `[B, S, G, d]`.
    pub k: FloatTensor<B>,
    /// `[B, S, G, e]`.
    pub v: FloatTensor<B>,
    /// What the scores are multiplied with.
    pub scale: f64,
    /// Queries of a block.
    pub block: usize,
    /// Of the factors.
    pub precision: Precision,
}

/// The operation, routed to the backend of its tensors.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cube"),
    Capture,
    Autodiff
)]
pub trait AttentionOp: Backend {
    /// See [`attention()`].
    fn attention(#[extension_type] inputs: Attended<Self>) -> FloatTensor<Self>;
}

/// Without a tape: the output alone.
impl<B: AttentionKernel> AttentionOp for B {
    fn attention(inputs: Attended<B>) -> FloatTensor<B> {
        inputs.check();
        B::output(inputs)
    }
}

/// On a tape: the output, and the step back.
impl<B: AttentionKernel, C: CheckpointStrategy> AttentionOp for Autodiff<B, C> {
    fn attention(inputs: Attended<Self>) -> FloatTensor<Self> {
        let Attended { q, k, v, scale, block, precision } = inputs;
        let nodes = [q.node(), k.node(), v.node()];
        let (q, k, v) = (q.into_primitive(), k.into_primitive(), v.into_primitive());
        let inputs = Attended::<B> { q, k, v, scale, block, precision };
        inputs.check();
        let kept = |inputs: Attended<B>| {
            let [output, probs] = B::forward(inputs.clone());
            (output, Saved { inputs, probs })
        };
        tape::recorded::<B, C, _, _, 3>(nodes, inputs, kept, B::output, Saved::backward)
    }
}

/// What the backward pass reads again.
#[derive(Debug, Clone)]
pub struct Saved<B: Backend> {
    /// What the forward pass took.
    pub inputs: Attended<B>,
    /// The probabilities: of each sequence and head, block by block, `[queries, keys]`.
    pub probs: FloatTensor<B>,
}

impl<B: Backend> Attended<B> {
    fn check(&self) {
        dtypes::same("attention", &[("q", self.q.dtype()), ("k", self.k.dtype()), ("v", self.v.dtype())]);
    }
}

impl<B: AttentionKernel> Saved<B> {
    /// The gradients of `q`, `k` and `v`.
    pub(crate) fn backward(self, grad: FloatTensor<B>) -> [FloatTensor<B>; 3] {
        let Attended { q, k, v, .. } = &self.inputs;
        let (probs, grad_type) = (self.probs.dtype(), grad.dtype());
        dtypes::same(
            "the backward pass of attention",
            &[("q", q.dtype()), ("k", k.dtype()), ("v", v.dtype()), ("probs", probs), ("grad", grad_type)],
        );
        B::backward(self, grad)
    }
}

/// The kernels of a backend, outside the tape. One without its own composes them of Burn's operations.
pub trait AttentionKernel: Bridge {
    /// The output `[B, T, H, e]`.
    fn output(inputs: Attended<Self>) -> FloatTensor<Self> {
        let [output, _] = Self::forward(inputs);
        output
    }

    /// The output, and the probabilities as [`Saved`] has them.
    fn forward(inputs: Attended<Self>) -> [FloatTensor<Self>; 2] {
        let (output, probs) = composed::forward(composed::Tensors::of::<Self>(inputs));
        [Self::primitive(output), Self::primitive(probs)]
    }

    /// The gradients of `q`, `k` and `v`.
    fn backward(saved: Saved<Self>, grad: FloatTensor<Self>) -> [FloatTensor<Self>; 3] {
        let inputs = composed::Tensors::of::<Self>(saved.inputs);
        composed::backward(inputs, Self::tensor(saved.probs), Self::tensor(grad)).map(Self::primitive)
    }
}

// Backends without a kernel of their own.
impl AttentionKernel for burn::backend::Capture {}
