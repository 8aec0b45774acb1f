//! Causal attention.
#![allow(deprecated)] // NdArray stays until upstream removes it

mod blocks;
pub(crate) mod composed;
mod cpu;
#[cfg(feature = "cube")]
mod cube;
mod sinks;

use burn::backend::{
    Backend, Dispatch, ExtensionType, TensorMetadata,
    autodiff::{Autodiff, checkpoint::strategy::CheckpointStrategy},
    backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::{DType, Tensor};

use crate::{Precision, bridge::Bridge, dtypes, tape};
pub use sinks::Sinks;

/// How an attention mixes: what of it is no tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mixing {
    /// What the products of queries and keys are multiplied with.
    pub scale: f64,
    /// How many keys a query sees at most, itself and those just before it. None sees all before it.
    pub window: Option<usize>,
    /// Queries of a block.
    pub block: usize,
    /// Of the factors.
    pub precision: Precision,
}

/// Softmax attention of each query over the keys it may see: the softmax of `scale q.k`, times the values.
///
/// The queries are the last of the keys: query `t` of `T` is key `p = S - T + t` of `S`, and sees the first
/// `p + 1`, or of these the last `window`. They go through in blocks of [`Mixing::block`] queries, and a
/// block is multiplied with the keys from the first that its first query sees to the last that its last query
/// sees: so of the products with keys that are not seen at all, few are made. Query head `j` reads key-value
/// head `j / (H/G)`.
///
/// With sinks, as gpt-oss has them, the softmax of each query of head `j` has one score more, `sinks[j]`,
/// which is not scaled, and whose probability is thrown away: what a query finds nowhere goes there.
///
/// The factors of both products are in [`Mixing::precision`], scores, sinks and probabilities never: what
/// flows back through the softmax is made of the probabilities as they are.
///
/// For the backward pass it keeps its inputs, the probabilities of the keys that blocks see, and of each
/// query what went to the sink.
///
/// # Shapes
///
/// - `q`: `[B, T, H, d]`, `k`: `[B, S, G, d]`, `v`: `[B, S, G, e]`, G divides H, `T <= S`
/// - `sinks`: `[H]`
/// - output: `[B, T, H, e]`
///
/// # Panics
///
/// When the shapes do not agree, when the block or the window is 0, and when the element types differ or, on
/// the CPU, are others than f32 and f64. So does the backward pass.
pub fn attention(
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    sinks: Option<Tensor<1>>,
    mixing: Mixing,
) -> Tensor<4> {
    let ([b, t, h, d], [_, s, g, _], [_, _, _, e]) = (q.dims(), k.dims(), v.dims());
    assert_eq!([k.dims(), v.dims()], [[b, s, g, d], [b, s, g, e]], "k must be [B, S, G, d], v [B, S, G, e]");
    assert!(t <= s, "{t} queries cannot be the last of {s} keys");
    let Mixing { window, block, .. } = mixing;
    assert!(block > 0 && g > 0 && h % g == 0, "{h} heads in blocks of {block} cannot read {g}");
    assert!(window != Some(0), "a query sees itself: a window of 0 keys is none");
    if let Some(sinks) = &sinks {
        assert_eq!(sinks.dims(), [h], "sinks must be [H]");
    }
    let (q, k, v) = (q.into_dispatch(), k.into_dispatch(), v.into_dispatch());
    let inputs = Attended { q, k, v, sinks: Sinks::of(sinks.map(Tensor::into_dispatch)), mixing };
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
    /// `[H]`, or none.
    #[extension_type]
    pub sinks: Sinks<B>,
    /// What is no tensor.
    pub mixing: Mixing,
}

/// What the forward pass makes.
#[derive(Debug)]
pub struct Forward<B: Backend> {
    /// `[B, T, H, e]`.
    pub output: FloatTensor<B>,
    /// The probabilities: of each sequence and head, block by block, `[queries, keys]`.
    pub probs: FloatTensor<B>,
    /// What went to the sinks, `[B, H, T]`, where there are any.
    pub sunk: Option<FloatTensor<B>>,
}

/// What the backward pass reads again.
#[derive(Debug, Clone)]
pub struct Saved<B: Backend> {
    /// What the forward pass took.
    pub inputs: Attended<B>,
    /// Its probabilities.
    pub probs: FloatTensor<B>,
    /// What went to the sinks.
    pub sunk: Option<FloatTensor<B>>,
}

/// What the backward pass makes.
#[derive(Debug)]
pub struct Gradients<B: Backend> {
    /// `[B, T, H, d]`.
    pub q: FloatTensor<B>,
    /// `[B, S, G, d]`.
    pub k: FloatTensor<B>,
    /// `[B, S, G, e]`.
    pub v: FloatTensor<B>,
    /// `[H]`, where there are sinks.
    pub sinks: Option<FloatTensor<B>>,
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
        let Attended { q, k, v, sinks, mixing } = inputs;
        let [q_node, k_node, v_node] = [q.node(), k.node(), v.node()];
        let sinks_node = sinks.as_ref().map(|sinks| sinks.node());
        let (q, k, v) = (q.into_primitive(), k.into_primitive(), v.into_primitive());
        let sinks = Sinks::of(sinks.each().map(|sinks| sinks.into_primitive()));
        let inputs = Attended::<B> { q, k, v, sinks, mixing };
        inputs.check();
        let kept = |inputs: Attended<B>| {
            let Forward { output, probs, sunk } = B::forward(inputs.clone());
            (output, Saved { inputs, probs, sunk })
        };
        // A step back has a fixed number of gradients.
        match sinks_node {
            None => {
                let nodes = [q_node, k_node, v_node];
                tape::recorded::<B, C, _, _, 3>(nodes, inputs, kept, B::output, |saved, grad| {
                    let Gradients { q, k, v, .. } = saved.backward(grad);
                    [q, k, v]
                })
            }
            Some(sinks_node) => {
                let nodes = [q_node, k_node, v_node, sinks_node];
                tape::recorded::<B, C, _, _, 4>(nodes, inputs, kept, B::output, |saved, grad| {
                    let Gradients { q, k, v, sinks } = saved.backward(grad);
                    [q, k, v, sinks.expect("sinks that went in have a gradient")]
                })
            }
        }
    }
}

impl<B: Backend> Attended<B> {
    fn dtypes(&self) -> Vec<(&'static str, DType)> {
        let sinks = self.sinks.as_ref().map(|sinks| ("sinks", sinks.dtype()));
        let of_all = [("q", self.q.dtype()), ("k", self.k.dtype()), ("v", self.v.dtype())];
        of_all.into_iter().chain(sinks).collect()
    }

    fn check(&self) {
        dtypes::same("attention", &self.dtypes());
    }
}

impl<B: AttentionKernel> Saved<B> {
    /// The gradients of what the forward pass took.
    pub(crate) fn backward(self, grad: FloatTensor<B>) -> Gradients<B> {
        let mut all = self.inputs.dtypes();
        all.extend([("probs", self.probs.dtype()), ("grad", grad.dtype())]);
        all.extend(self.sunk.as_ref().map(|sunk| ("sunk", sunk.dtype())));
        dtypes::same("the backward pass of attention", &all);
        B::backward(self, grad)
    }
}

/// The kernels of a backend, outside the tape. One without its own composes them of Burn's operations.
pub trait AttentionKernel: Bridge {
    /// The output `[B, T, H, e]`.
    fn output(inputs: Attended<Self>) -> FloatTensor<Self> {
        Self::forward(inputs).output
    }

    /// The output, and what its backward pass needs.
    fn forward(inputs: Attended<Self>) -> Forward<Self> {
        let composed::Forward { output, probs, sunk } =
            composed::forward(composed::Tensors::of::<Self>(inputs));
        let sunk = sunk.map(Self::primitive);
        Forward { output: Self::primitive(output), probs: Self::primitive(probs), sunk }
    }

    /// The gradients of what the forward pass took.
    fn backward(saved: Saved<Self>, grad: FloatTensor<Self>) -> Gradients<Self> {
        let Saved { inputs, probs, sunk } = saved;
        let inputs = composed::Tensors::of::<Self>(inputs);
        let (probs, sunk) = (Self::tensor(probs), sunk.map(Self::tensor));
        let composed::Gradients { q, k, v, sinks } =
            composed::backward(inputs, probs, sunk, Self::tensor(grad));
        let [q, k, v] = [q, k, v].map(Self::primitive);
        Gradients { q, k, v, sinks: sinks.map(Self::primitive) }
    }
}

// Backends without a kernel of their own.
impl AttentionKernel for burn::backend::Capture {}
