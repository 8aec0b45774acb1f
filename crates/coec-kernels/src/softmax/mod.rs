//! The softmax of rows.
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

/// The softmax of each row, as routers score experts with it. For the backward pass it keeps its output.
///
/// # Shapes
///
/// - `x` and output: `[N, E]`
///
/// # Panics
///
/// On the CPU for another element type than f32 and f64.
pub fn softmax(x: Tensor<2>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as SoftmaxOp>::softmax(x.into_dispatch()))
}

/// The operation, routed to the backend of its tensor.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cube"),
    Capture,
    Autodiff
)]
pub trait SoftmaxOp: Backend {
    /// See [`softmax()`].
    fn softmax(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Without a tape: the softmax alone.
impl<B: SoftmaxKernel> SoftmaxOp for B {
    fn softmax(x: FloatTensor<B>) -> FloatTensor<B> {
        B::forward(x)
    }
}

/// On a tape: the softmax, and the step back.
impl<B: SoftmaxKernel, C: CheckpointStrategy> SoftmaxOp for Autodiff<B, C> {
    fn softmax(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [x.node()];
        let kept = |x| {
            let y = B::forward(x);
            (y.clone(), y)
        };
        tape::recorded::<B, C, _, _, 1>(nodes, x.into_primitive(), kept, B::forward, |y, grad| {
            [backward::<B>(y, grad)]
        })
    }
}

/// The gradient of the input, given the output `y` and its gradient.
pub(crate) fn backward<B: SoftmaxKernel>(y: FloatTensor<B>, grad: FloatTensor<B>) -> FloatTensor<B> {
    dtypes::same("the backward pass of softmax", &[("y", y.dtype()), ("grad", grad.dtype())]);
    B::backward(y, grad)
}

/// The kernels of a backend, outside the tape. One without its own composes them of Burn's operations.
pub trait SoftmaxKernel: Bridge {
    /// The output `[N, E]`.
    fn forward(x: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::primitive(composed::forward(Self::tensor(x)))
    }

    /// The gradient of the input, given the output and its gradient.
    fn backward(y: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::primitive(composed::backward(Self::tensor(y), Self::tensor(grad)))
    }
}

// Backends without a kernel of their own.
impl SoftmaxKernel for burn::backend::Capture {}
