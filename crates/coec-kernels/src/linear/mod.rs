//! The linear map: a product with a weight, which is read where it is, forward and backward.
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

use crate::{Precision, bridge::Bridge, dtypes, tape};

/// `x W^T`, of factors in `precision`.
///
/// # Shapes
///
/// - `x`: `[N, in]`, `weight`: `[out, in]`, output: `[N, out]`
///
/// # Panics
///
/// When the shapes do not agree, and when the element types differ or, on the CPU, are others than f32
/// and f64. So does the backward pass.
pub fn linear(x: Tensor<2>, weight: Tensor<2>, precision: Precision) -> Tensor<2> {
    assert_eq!(weight.dims()[1], x.dims()[1], "weight must be [out, in]");
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(<Dispatch as LinearOp>::linear(x, weight, precision))
}

/// The operation, routed to the backend of its tensors.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cube"),
    Capture,
    Autodiff
)]
pub trait LinearOp: Backend {
    /// See [`linear()`].
    fn linear(x: FloatTensor<Self>, weight: FloatTensor<Self>, precision: Precision) -> FloatTensor<Self>;
}

/// Without a tape: the product alone.
impl<B: LinearKernel> LinearOp for B {
    fn linear(x: FloatTensor<B>, weight: FloatTensor<B>, precision: Precision) -> FloatTensor<B> {
        forward::<B>(x, weight, precision)
    }
}

/// On a tape: the product, and the step back.
impl<B: LinearKernel, C: CheckpointStrategy> LinearOp for Autodiff<B, C> {
    fn linear(x: FloatTensor<Self>, weight: FloatTensor<Self>, precision: Precision) -> FloatTensor<Self> {
        let nodes = [x.node(), weight.node()];
        let inputs = (x.into_primitive(), weight.into_primitive());
        let kept = |(x, weight): (FloatTensor<B>, FloatTensor<B>)| {
            let y = forward::<B>(x.clone(), weight.clone(), precision);
            (y, Saved::<B> { x, weight, precision })
        };
        let output = |(x, weight)| forward::<B>(x, weight, precision);
        tape::recorded::<B, C, _, _, 2>(nodes, inputs, kept, output, Saved::backward)
    }
}

/// What the backward pass reads again.
#[derive(Debug, Clone)]
pub struct Saved<B: Backend> {
    /// `[N, in]`.
    pub x: FloatTensor<B>,
    /// `[out, in]`.
    pub weight: FloatTensor<B>,
    /// Of the factors.
    pub precision: Precision,
}

fn forward<B: LinearKernel>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    precision: Precision,
) -> FloatTensor<B> {
    dtypes::same("linear", &[("x", x.dtype()), ("weight", weight.dtype())]);
    B::forward(x, weight, precision)
}

impl<B: LinearKernel> Saved<B> {
    /// The gradients of `x` and of the weight.
    pub(crate) fn backward(self, grad: FloatTensor<B>) -> [FloatTensor<B>; 2] {
        let (x, weight) = (self.x.dtype(), self.weight.dtype());
        dtypes::same("the backward pass of linear", &[("x", x), ("weight", weight), ("grad", grad.dtype())]);
        B::backward(self, grad)
    }
}

/// The kernels of a backend, outside the tape. One without its own composes them of Burn's operations.
pub trait LinearKernel: Bridge {
    /// The output `[N, out]`.
    fn forward(x: FloatTensor<Self>, weight: FloatTensor<Self>, precision: Precision) -> FloatTensor<Self> {
        Self::primitive(composed::forward(Self::tensor(x), Self::tensor(weight), precision))
    }

    /// The gradients of `x` and of the weight.
    fn backward(saved: Saved<Self>, grad: FloatTensor<Self>) -> [FloatTensor<Self>; 2] {
        let Saved { x, weight, precision } = saved;
        let (x, weight) =
            composed::backward(Self::tensor(x), Self::tensor(weight), Self::tensor(grad), precision);
        [Self::primitive(x), Self::primitive(weight)]
    }
}

// Backends without a kernel of their own.
impl LinearKernel for burn::backend::Capture {}
