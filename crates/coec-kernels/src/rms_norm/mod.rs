//! RMSNorm.
#![allow(deprecated)] // NdArray stays until upstream removes it

pub(crate) mod composed;
mod cpu;
#[cfg(feature = "cube")]
mod cube;

use burn::backend::{
    Backend, Dispatch, TensorMetadata,
    autodiff::{Autodiff, checkpoint::strategy::CheckpointStrategy},
    backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::Tensor;

use crate::{bridge::Bridge, dtypes, tape};

/// RMSNorm over the last dimension: `x * rsqrt(mean(x^2) + eps) * w`.
///
/// # Shapes
///
/// - `x` and output: `[N, D]`, `weight`: `[D]`
///
/// # Panics
///
/// When the shapes do not agree, and when the element types differ or, on the CPU, are others than f32
/// and f64. So does the backward pass.
pub fn rms_norm(x: Tensor<2>, weight: Tensor<1>, eps: f64) -> Tensor<2> {
    assert_eq!(weight.dims(), [x.dims()[1]], "weight must be [D]");
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(<Dispatch as RmsNormOp>::rms_norm(x, weight, eps))
}

/// The operation, routed to the backend of its tensors.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cube"),
    Capture,
    Autodiff
)]
pub trait RmsNormOp: Backend {
    /// See [`rms_norm()`].
    fn rms_norm(x: FloatTensor<Self>, weight: FloatTensor<Self>, eps: f64) -> FloatTensor<Self>;
}

/// Without a tape: the forward pass alone.
impl<B: RmsNormKernel> RmsNormOp for B {
    fn rms_norm(x: FloatTensor<B>, weight: FloatTensor<B>, eps: f64) -> FloatTensor<B> {
        let [y, _] = forward::<B>(x, weight, eps);
        y
    }
}

/// On a tape: the forward pass, and the step back.
impl<B: RmsNormKernel, C: CheckpointStrategy> RmsNormOp for Autodiff<B, C> {
    fn rms_norm(x: FloatTensor<Self>, weight: FloatTensor<Self>, eps: f64) -> FloatTensor<Self> {
        let nodes = [x.node(), weight.node()];
        let inputs = (x.into_primitive(), weight.into_primitive());
        let kept = |(x, weight): (FloatTensor<B>, FloatTensor<B>)| {
            let [y, scales] = forward::<B>(x.clone(), weight.clone(), eps);
            (y, Saved::<B> { x, weight, scales })
        };
        let output = |(x, weight)| {
            let [y, _] = forward::<B>(x, weight, eps);
            y
        };
        tape::recorded::<B, C, _, _, 2>(nodes, inputs, kept, output, Saved::backward)
    }
}

/// What the backward pass reads again.
#[derive(Debug, Clone)]
pub struct Saved<B: Backend> {
    /// `[N, D]`.
    pub x: FloatTensor<B>,
    /// `[D]`.
    pub weight: FloatTensor<B>,
    /// Each row's factor, `[N]`.
    pub scales: FloatTensor<B>,
}

fn forward<B: RmsNormKernel>(x: FloatTensor<B>, weight: FloatTensor<B>, eps: f64) -> [FloatTensor<B>; 2] {
    dtypes::same("rms_norm", &[("x", x.dtype()), ("weight", weight.dtype())]);
    B::forward(x, weight, eps)
}

impl<B: RmsNormKernel> Saved<B> {
    /// The gradients of `x` and of the weight.
    pub(crate) fn backward(self, grad: FloatTensor<B>) -> [FloatTensor<B>; 2] {
        let (x, weight, scales) = (self.x.dtype(), self.weight.dtype(), self.scales.dtype());
        dtypes::same(
            "the backward pass of rms_norm",
            &[("x", x), ("weight", weight), ("scales", scales), ("grad", grad.dtype())],
        );
        B::backward(self, grad)
    }
}

/// The kernels of a backend, outside the tape. One without its own composes them of Burn's operations.
pub trait RmsNormKernel: Bridge {
    /// The output `[N, D]`, and each row's factor `[N]`.
    fn forward(x: FloatTensor<Self>, weight: FloatTensor<Self>, eps: f64) -> [FloatTensor<Self>; 2] {
        let (y, scales) = composed::forward(Self::tensor(x), Self::tensor(weight), eps);
        [Self::primitive(y), Self::primitive(scales)]
    }

    /// The gradients of `x` and of the weight.
    fn backward(saved: Saved<Self>, grad: FloatTensor<Self>) -> [FloatTensor<Self>; 2] {
        let Saved { x, weight, scales } = saved;
        let (x, weight) = composed::backward(
            Self::tensor(grad),
            Self::tensor(x),
            Self::tensor(weight),
            Self::tensor(scales),
        );
        [Self::primitive(x), Self::primitive(weight)]
    }
}

// Backends without a kernel of their own.
impl RmsNormKernel for burn::backend::Capture {}
