//! The indices of each row's largest scores.
#![allow(deprecated)] // NdArray stays until upstream removes it

pub(crate) mod composed;
mod cpu;
#[cfg(feature = "cube")]
mod cube;

use burn::backend::{
    Backend, Dispatch,
    autodiff::{Autodiff, checkpoint::strategy::CheckpointStrategy},
    backend_extension,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{Int, Tensor};

use crate::bridge::Bridge;

/// The indices of each row's `k` largest scores, largest first; ties go to the lower index.
///
/// Not differentiable. A NaN ranks below every number.
///
/// # Shapes
///
/// - `scores`: `[N, E]`, output: `[N, K]`
///
/// # Panics
///
/// When `k` exceeds E, and on the CPU for scores of another type than f32 and f64.
pub fn select_top_k(scores: Tensor<2>, k: usize) -> Tensor<2, Int> {
    assert!(k <= scores.dims()[1], "cannot select {k} of {} experts", scores.dims()[1]);
    Tensor::from_dispatch(<Dispatch as SelectTopKOp>::select_top_k(scores.into_dispatch(), k))
}

/// The operation, routed to the backend of its tensor.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cube"),
    Capture,
    Autodiff
)]
pub trait SelectTopKOp: Backend {
    /// See [`select_top_k()`].
    fn select_top_k(scores: FloatTensor<Self>, k: usize) -> IntTensor<Self>;
}

/// Without a tape.
impl<B: SelectTopKKernel> SelectTopKOp for B {
    fn select_top_k(scores: FloatTensor<B>, k: usize) -> IntTensor<B> {
        B::selected(scores, k)
    }
}

/// On a tape, which ends here.
impl<B: SelectTopKKernel, C: CheckpointStrategy> SelectTopKOp for Autodiff<B, C> {
    fn select_top_k(scores: FloatTensor<Self>, k: usize) -> IntTensor<Self> {
        B::selected(scores.into_primitive(), k)
    }
}

/// The kernel of a backend. One without its own composes it of Burn's operations.
pub trait SelectTopKKernel: Bridge {
    /// The indices.
    fn selected(scores: FloatTensor<Self>, k: usize) -> IntTensor<Self> {
        Self::int_primitive(composed::select_top_k(Self::tensor(scores), k))
    }
}

// Backends without a kernel of their own.
impl SelectTopKKernel for burn::backend::Capture {}
