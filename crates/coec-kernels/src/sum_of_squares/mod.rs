//! The sum of squares, for norms of gradients.
#![allow(deprecated)] // NdArray stays until upstream removes it

mod cpu;
#[cfg(feature = "cube")]
mod cube;

use burn::backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;

use crate::bridge::Bridge;

/// The sum of the squares of all elements, in a fixed order.
///
/// # Shapes
///
/// - `x`: `[n]`, without a tape, output: `[1]`
///
/// # Panics
///
/// On the CPU for another element type than f32 and f64.
pub fn sum_of_squares(x: Tensor<1>) -> Tensor<1> {
    Tensor::from_dispatch(<Dispatch as SumOfSquaresOp>::sum_of_squares(x.into_dispatch()))
}

/// The operation, routed to the backend of its tensor.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cube"),
    Capture
)]
pub trait SumOfSquaresOp: Backend {
    /// See [`sum_of_squares()`].
    fn sum_of_squares(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl<B: SumOfSquaresKernel> SumOfSquaresOp for B {
    fn sum_of_squares(x: FloatTensor<B>) -> FloatTensor<B> {
        B::sum_of_squares(x)
    }
}

/// The kernel of a backend. One without its own composes it of Burn's operations.
pub trait SumOfSquaresKernel: Bridge {
    /// The sum, `[1]`.
    fn sum_of_squares(x: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::primitive(Self::tensor::<1>(x).square().sum_dim(0))
    }
}

// Backends without a kernel of their own.
impl SumOfSquaresKernel for burn::backend::Capture {}
