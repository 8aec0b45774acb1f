//! The sum of two tensors.
#![allow(deprecated)] // NdArray stays until upstream removes it

mod cpu;

use burn::backend::{
    Backend, Dispatch, TensorMetadata,
    autodiff::{Autodiff, checkpoint::strategy::CheckpointStrategy},
    backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::Tensor;

use crate::{bridge::Bridge, dtypes, tape};

/// `a + b`, as a residual stream has it at every block; on a CPU by all threads, which the backend's own sum is
/// for very large tensors only.
///
/// # Shapes
///
/// - `a`, `b` and the output: any, the same
///
/// # Panics
///
/// When the shapes or the element types differ, and on the CPU for others than f32 and f64.
pub fn add<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    assert_eq!(a.dims(), b.dims(), "what is added must have one shape");
    Tensor::from_dispatch(<Dispatch as AddOp>::add(a.into_dispatch(), b.into_dispatch()))
}

/// The operation, routed to the backend of its tensors.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cube"),
    Capture,
    Autodiff
)]
pub trait AddOp: Backend {
    /// See [`add()`].
    fn add(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Without a tape: the sum alone.
impl<B: AddKernel> AddOp for B {
    fn add(a: FloatTensor<B>, b: FloatTensor<B>) -> FloatTensor<B> {
        dtypes::same("add", &[("a", a.dtype()), ("b", b.dtype())]);
        B::sum(a, b)
    }
}

/// On a tape: the sum, and the step back, which hands its gradient to both.
impl<B: AddKernel, C: CheckpointStrategy> AddOp for Autodiff<B, C> {
    fn add(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [a.node(), b.node()];
        let inputs = (a.into_primitive(), b.into_primitive());
        let sum = |(a, b)| B::add(a, b);
        tape::recorded::<B, C, _, _, 2>(
            nodes,
            inputs,
            |inputs| (sum(inputs), ()),
            sum,
            |(), grad| [grad.clone(), grad],
        )
    }
}

/// The kernel of a backend. One without its own uses the backend's sum.
pub trait AddKernel: Bridge {
    /// The sum.
    fn sum(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_add(a, b)
    }
}

// Backends without a kernel of their own.
#[cfg(feature = "cube")]
impl AddKernel for burn::backend::Cube {}
impl AddKernel for burn::backend::Capture {}
