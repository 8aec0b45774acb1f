//! The rotary embedding.
#![allow(deprecated)] // NdArray stays until upstream removes it

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

use crate::{bridge::Bridge, dtypes, tape};

/// Which dimensions a rotary embedding rotates together, of the `w` that it rotates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairing {
    /// `i` and `i + w/2`.
    HalfSplit,
    /// `2i` and `2i + 1`.
    Neighbours,
}

/// Rotary embedding: of the first `w` dimensions each pair `(a, b)` becomes `(a cos - b sin, b cos + a sin)`,
/// and the others stay as they are.
///
/// # Shapes
///
/// - `x` and output: `[B, T, H, width]`
/// - `cos` and `sin`: `[T, w/2]`, `w <= width`, without a tape
///
/// # Panics
///
/// When the shapes do not agree, and when the element types differ or, on the CPU, are others than f32
/// and f64. So does the backward pass.
pub fn rotate(x: Tensor<4>, cos: Tensor<2>, sin: Tensor<2>, pairs: Pairing) -> Tensor<4> {
    let ([_, tokens, _, width], [_, half]) = (x.dims(), cos.dims());
    assert_eq!([cos.dims(), sin.dims()], [[tokens, half]; 2], "cos and sin must be [T, w/2]");
    assert!(2 * half <= width, "{half} pairs are more than a width of {width} has");
    if half == 0 {
        return x;
    }
    let by = Angles { cos: cos.into_dispatch(), sin: sin.into_dispatch(), pairs };
    Tensor::from_dispatch(<Dispatch as RotateOp>::rotate(x.into_dispatch(), by))
}

/// What rows are rotated by.
#[derive(Debug, Clone, ExtensionType)]
pub struct Angles<B: Backend> {
    /// `[T, w/2]`.
    pub cos: FloatTensor<B>,
    /// `[T, w/2]`.
    pub sin: FloatTensor<B>,
    /// What is rotated together.
    pub pairs: Pairing,
}

/// The operation, routed to the backend of its tensors.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cube"),
    Capture,
    Autodiff
)]
pub trait RotateOp: Backend {
    /// See [`rotate()`].
    fn rotate(x: FloatTensor<Self>, #[extension_type] by: Angles<Self>) -> FloatTensor<Self>;
}

/// Without a tape: the rotation alone.
impl<B: RotateKernel> RotateOp for B {
    fn rotate(x: FloatTensor<B>, by: Angles<B>) -> FloatTensor<B> {
        by.rotated(x, false)
    }
}

/// On a tape: the rotation, and the step back, which is the rotation backwards.
impl<B: RotateKernel, C: CheckpointStrategy> RotateOp for Autodiff<B, C> {
    fn rotate(x: FloatTensor<Self>, by: Angles<Self>) -> FloatTensor<Self> {
        let nodes = [x.node()];
        let (cos, sin) = (by.cos.into_primitive(), by.sin.into_primitive());
        let by = Angles::<B> { cos, sin, pairs: by.pairs };
        let rotated = |x| by.clone().rotated(x, false);
        let kept = |x| (rotated(x), by.clone());
        tape::recorded::<B, C, _, _, 1>(nodes, x.into_primitive(), kept, rotated, |by, grad| {
            [by.rotated(grad, true)]
        })
    }
}

impl<B: RotateKernel> Angles<B> {
    /// `x` rotated, backwards for `inverse`, which is also the gradient.
    pub(crate) fn rotated(self, x: FloatTensor<B>, inverse: bool) -> FloatTensor<B> {
        dtypes::same("rotate", &[("x", x.dtype()), ("cos", self.cos.dtype()), ("sin", self.sin.dtype())]);
        B::rotated(x, self, inverse)
    }
}

/// The kernel of a backend, outside the tape. One without its own composes it of Burn's operations.
pub trait RotateKernel: Bridge {
    /// `x` rotated, backwards for `inverse`.
    fn rotated(x: FloatTensor<Self>, by: Angles<Self>, inverse: bool) -> FloatTensor<Self> {
        let (cos, sin) = (Self::tensor(by.cos), Self::tensor(by.sin));
        Self::primitive(composed::rotated(Self::tensor(x), cos, sin, by.pairs, inverse))
    }
}

// Backends without a kernel of their own.
impl RotateKernel for burn::backend::Capture {}
