//! Softmax over the keys each query may see.
#![allow(deprecated)] // NdArray stays until upstream removes it

pub(crate) mod composed;
mod cpu;

use burn::backend::{
    Backend, Dispatch, TensorMetadata,
    autodiff::{
        Autodiff,
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::Tensor;

use crate::{bridge::Bridge, dtypes, tape};

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
/// When `T > S`, and on the CPU for another element type than f32 and f64; the backward pass also when
/// that of the output's gradient is another.
pub fn causal_softmax(scores: Tensor<4>, scale: f64) -> Tensor<4> {
    let [_, _, queries, keys] = scores.dims();
    assert!(queries <= keys, "{queries} queries cannot be the last of {keys} keys");
    Tensor::from_dispatch(<Dispatch as CausalSoftmaxOp>::causal_softmax(scores.into_dispatch(), scale))
}

/// The operation, routed to the backend of its tensor.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cuda"),
    Capture,
    Autodiff
)]
pub trait CausalSoftmaxOp: Backend {
    /// See [`causal_softmax()`].
    fn causal_softmax(scores: FloatTensor<Self>, scale: f64) -> FloatTensor<Self>;
}

/// Without a tape: the forward pass alone.
impl<B: CausalSoftmaxKernel> CausalSoftmaxOp for B {
    fn causal_softmax(scores: FloatTensor<B>, scale: f64) -> FloatTensor<B> {
        B::forward(scores, scale)
    }
}

/// On a tape: the forward pass, and the step back.
impl<B: CausalSoftmaxKernel, C: CheckpointStrategy> CausalSoftmaxOp for Autodiff<B, C> {
    fn causal_softmax(scores: FloatTensor<Self>, scale: f64) -> FloatTensor<Self> {
        let nodes = [scores.node()];
        let probs = B::forward(scores.into_primitive(), scale);
        match CausalSoftmaxStep.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish(Saved { probs: probs.clone(), scale }, probs),
            OpsKind::UnTracked(step) => step.finish(probs),
        }
    }
}

#[derive(Debug)]
struct CausalSoftmaxStep;

impl<B: CausalSoftmaxKernel> Backward<B, 1> for CausalSoftmaxStep {
    type State = Saved<B>;

    fn backward(self, ops: Ops<Saved<B>, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        tape::backward::<B, _, 1>(ops, grads, |saved, grad| [saved.backward(grad)]);
    }
}

/// What the backward pass reads again.
#[derive(Debug, Clone)]
pub struct Saved<B: Backend> {
    /// The probabilities.
    pub probs: FloatTensor<B>,
    /// What the scores were multiplied with.
    pub scale: f64,
}

impl<B: CausalSoftmaxKernel> Saved<B> {
    /// The gradient of the scores.
    pub(crate) fn backward(self, grad: FloatTensor<B>) -> FloatTensor<B> {
        dtypes::same(
            "the backward pass of causal_softmax",
            &[("probs", self.probs.dtype()), ("grad", grad.dtype())],
        );
        B::backward(self, grad)
    }
}

/// The kernels of a backend, outside the tape. One without its own composes them of Burn's operations.
pub trait CausalSoftmaxKernel: Bridge {
    /// The probabilities.
    fn forward(scores: FloatTensor<Self>, scale: f64) -> FloatTensor<Self> {
        Self::primitive(composed::forward(Self::tensor(scores), scale))
    }

    /// The gradient of the scores.
    fn backward(saved: Saved<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        let (grad, probs) = (Self::tensor(grad), Self::tensor(saved.probs));
        Self::primitive(composed::backward(grad, probs, saved.scale))
    }
}

// Backends without a kernel of their own.
#[cfg(feature = "cuda")]
impl CausalSoftmaxKernel for burn::backend::Cube {}
impl CausalSoftmaxKernel for burn::backend::Capture {}
