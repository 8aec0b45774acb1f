//! Tensors as factors of a product: rounded to what it multiplies.
#![allow(deprecated)] // NdArray stays until upstream removes it

mod cpu;
#[cfg(feature = "cube")]
mod cube;

use burn::backend::{
    Backend, Dispatch, TensorMetadata,
    autodiff::{Autodiff, checkpoint::strategy::CheckpointStrategy},
    backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::{DType, Tensor};

use crate::{Precision, bridge::Bridge, tape};

/// `x` as a factor of a product in `precision`. Its gradient is that of the factor, as it comes.
///
/// With [`with_rounded_gradient`] around the product, Burn's own products are those of
/// [`Precision`], forward and backward:
/// `with_rounded_gradient(rounded(a, p).matmul(rounded(b, p)), p)`.
///
/// # Panics
///
/// In bf16 on the CPU for others than f32 and f64.
pub fn rounded<const D: usize>(x: Tensor<D>, precision: Precision) -> Tensor<D> {
    match precision {
        Precision::F32 => x,
        Precision::Bf16 => Tensor::from_dispatch(<Dispatch as RoundOp>::rounded(x.into_dispatch())),
    }
}

/// `y` as it is. What flows back to it is rounded: a factor of the products in the backward pass of what made `y`.
///
/// # Panics
///
/// As [`rounded()`], in the backward pass.
pub fn with_rounded_gradient<const D: usize>(y: Tensor<D>, precision: Precision) -> Tensor<D> {
    match precision {
        Precision::F32 => y,
        Precision::Bf16 => {
            Tensor::from_dispatch(<Dispatch as RoundOp>::with_rounded_gradient(y.into_dispatch()))
        }
    }
}

/// The operations, routed to the backend of their tensor.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cube"),
    Capture,
    Autodiff
)]
pub trait RoundOp: Backend {
    /// See [`rounded()`].
    fn rounded(x: FloatTensor<Self>) -> FloatTensor<Self>;
    /// See [`with_rounded_gradient()`].
    fn with_rounded_gradient(y: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Without a tape: there is no gradient.
impl<B: RoundKernel> RoundOp for B {
    fn rounded(x: FloatTensor<B>) -> FloatTensor<B> {
        B::bf16(x)
    }

    fn with_rounded_gradient(y: FloatTensor<B>) -> FloatTensor<B> {
        y
    }
}

/// On a tape: the one rounds on the way there, the other on the way back.
impl<B: RoundKernel, C: CheckpointStrategy> RoundOp for Autodiff<B, C> {
    fn rounded(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [x.node()];
        let round = |x| B::bf16(x);
        tape::recorded::<B, C, _, _, 1>(
            nodes,
            x.into_primitive(),
            |x| (round(x), ()),
            round,
            |(), grad| [grad],
        )
    }

    fn with_rounded_gradient(y: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [y.node()];
        let round = |(), grad| [B::bf16(grad)];
        tape::recorded::<B, C, _, _, 1>(nodes, y.into_primitive(), |y| (y, ()), |y| y, round)
    }
}

/// The kernel of a backend. One without its own goes through the backend's bf16.
pub trait RoundKernel: Bridge {
    /// The nearest values that bf16 has, in the element type of `x`.
    fn bf16(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let own = x.dtype();
        Self::float_cast(Self::float_cast(x, DType::BF16.into()), own.into())
    }
}

/// Nothing is computed there.
impl RoundKernel for burn::backend::Capture {
    fn bf16(x: FloatTensor<Self>) -> FloatTensor<Self> {
        x
    }
}
