//! The cross-entropy of a head, without its logits.
#![allow(deprecated)] // NdArray stays until upstream removes it

mod capture;
mod cpu;
#[cfg(feature = "cube")]
mod cube;

use burn::backend::{
    Backend, Dispatch, ExtensionType, TensorMetadata,
    autodiff::{Autodiff, checkpoint::strategy::CheckpointStrategy},
    backend_extension,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{Int, Tensor};

use crate::{Precision, bridge::Bridge, dtypes, tape};

/// The cross-entropy of a linear head: the sum of `weights[n] (log sum exp z[n] - z[n, targets[n]])`, nats,
/// where `z = scale x W^T`, for a scale above 0.
///
/// The logits of `block` rows are made, turned into their gradient, multiplied with `W` and `x`, and
/// forgotten. So the gradients are made by the forward pass, and the backward pass only scales them. The factors of
/// the three products are in `precision`, the softmax and the losses never.
///
/// # Shapes
///
/// - `x`: `[N, D]`, `weight`: `[V, D]`, `targets`: `[N]`, each in `0..V`, `weights`: `[N]`, without a tape
/// - output: `[1]`
///
/// # Panics
///
/// When the shapes do not agree, when `block` is 0, when a target is not in `0..V`, and when the element types differ or, on
/// the CPU, are others than f32 and f64. So does the backward pass.
pub fn head_cross_entropy(
    x: Tensor<2>,
    weight: Tensor<2>,
    targets: Tensor<1, Int>,
    weights: Tensor<1>,
    block: usize,
    precision: Precision,
    scale: f64,
) -> Tensor<1> {
    assert_eq!(weights.dims(), targets.dims(), "weights must be [N]");
    let head = Head::new(x, weight, targets, block, precision, scale);
    Tensor::from_dispatch(<Dispatch as CrossEntropyOp>::cross_entropy(head, weights.into_dispatch()))
}

/// The cross-entropy of each row, `[N]`, without a tape. Shapes and panics as [`head_cross_entropy()`].
pub fn head_losses(
    x: Tensor<2>,
    weight: Tensor<2>,
    targets: Tensor<1, Int>,
    block: usize,
    precision: Precision,
    scale: f64,
) -> Tensor<1> {
    let head = Head::new(x, weight, targets, block, precision, scale);
    Tensor::from_dispatch(<Dispatch as HeadLossesOp>::head_losses(head))
}

/// A head, what goes into it, and what should come out.
#[derive(Debug, Clone, ExtensionType)]
pub struct Head<B: Backend> {
    /// `[N, D]`.
    pub x: FloatTensor<B>,
    /// `[V, D]`.
    pub weight: FloatTensor<B>,
    /// `[N]`.
    pub targets: IntTensor<B>,
    /// Rows whose logits are in memory at once.
    pub block: usize,
    /// Of the factors.
    pub precision: Precision,
    /// Of the logits.
    pub scale: f64,
}

impl Head<Dispatch> {
    fn new(
        x: Tensor<2>,
        weight: Tensor<2>,
        targets: Tensor<1, Int>,
        block: usize,
        precision: Precision,
        scale: f64,
    ) -> Self {
        assert!(block > 0, "blocks of no rows");
        let [rows, width] = x.dims();
        assert_eq!(weight.dims()[1], width, "weight must be [V, D]");
        assert_eq!(targets.dims(), [rows], "targets must be [N]");
        let (x, weight, targets) = (x.into_dispatch(), weight.into_dispatch(), targets.into_dispatch());
        Self { x, weight, targets, block, precision, scale }
    }
}

/// The operation, routed to the backend of its tensors.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cube"),
    Capture,
    Autodiff
)]
pub trait CrossEntropyOp: Backend {
    /// See [`head_cross_entropy()`].
    fn cross_entropy(#[extension_type] head: Head<Self>, weights: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// The operation, routed to the backend of its tensors.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cube"),
    Capture
)]
pub trait HeadLossesOp: Backend {
    /// See [`head_losses()`].
    fn head_losses(#[extension_type] head: Head<Self>) -> FloatTensor<Self>;
}

impl<B: CrossEntropyKernel> HeadLossesOp for B {
    fn head_losses(head: Head<B>) -> FloatTensor<B> {
        dtypes::same("cross_entropy", &[("x", head.x.dtype()), ("weight", head.weight.dtype())]);
        B::losses(head)
    }
}

/// Without a tape: the loss alone.
impl<B: CrossEntropyKernel> CrossEntropyOp for B {
    fn cross_entropy(head: Head<B>, weights: FloatTensor<B>) -> FloatTensor<B> {
        check(&head, &weights);
        B::loss(head, weights)
    }
}

/// On a tape: the loss and its gradients, and the step back.
impl<B: CrossEntropyKernel, C: CheckpointStrategy> CrossEntropyOp for Autodiff<B, C> {
    fn cross_entropy(head: Head<Self>, weights: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [head.x.node(), head.weight.node()];
        let (x, weight) = (head.x.into_primitive(), head.weight.into_primitive());
        let Head { targets, block, precision, scale, .. } = head;
        let head = Head::<B> { x, weight, targets, block, precision, scale };
        let weights = weights.into_primitive();
        check(&head, &weights);
        let kept = |(head, weights)| B::forward(head, weights);
        let output = |(head, weights)| B::loss(head, weights);
        tape::recorded::<B, C, _, _, 2>(nodes, (head, weights), kept, output, Saved::backward)
    }
}

fn check<B: Backend>(head: &Head<B>, weights: &FloatTensor<B>) {
    let (x, weight) = (head.x.dtype(), head.weight.dtype());
    dtypes::same("cross_entropy", &[("x", x), ("weight", weight), ("weights", weights.dtype())]);
}

/// What the backward pass reads again: the gradients for an upstream gradient of 1, or what they are made of.
#[derive(Debug, Clone)]
pub struct Saved<B: Backend> {
    /// `[N, D]`.
    pub x: FloatTensor<B>,
    /// `[V, D]`.
    pub weight: FloatTensor<B>,
}

impl<B: CrossEntropyKernel> Saved<B> {
    /// The gradients of `x` and of the weight.
    pub(crate) fn backward(self, grad: FloatTensor<B>) -> [FloatTensor<B>; 2] {
        let (x, weight) = (self.x.dtype(), self.weight.dtype());
        dtypes::same(
            "the backward pass of cross_entropy",
            &[("x", x), ("weight", weight), ("grad", grad.dtype())],
        );
        B::backward(self, grad)
    }
}

/// The kernels of a backend, outside the tape.
pub trait CrossEntropyKernel: Bridge {
    /// The cross-entropy of each row, `[N]`.
    fn losses(head: Head<Self>) -> FloatTensor<Self>;

    /// Their weighted sum, `[1]`.
    fn loss(head: Head<Self>, weights: FloatTensor<Self>) -> FloatTensor<Self> {
        let losses = Self::tensor::<1>(Self::losses(head));
        Self::primitive((losses * Self::tensor(weights)).sum_dim(0))
    }

    /// The same, and what the backward pass needs.
    fn forward(head: Head<Self>, weights: FloatTensor<Self>) -> (FloatTensor<Self>, Saved<Self>);

    /// The gradients of `x` and of the weight.
    fn backward(saved: Saved<Self>, grad: FloatTensor<Self>) -> [FloatTensor<Self>; 2] {
        let grad = Self::tensor::<1>(grad).unsqueeze::<2>();
        [saved.x, saved.weight].map(|made| Self::primitive(Self::tensor::<2>(made) * grad.clone()))
    }
}
