//! Looking rows up in a table.
#![allow(deprecated)] // NdArray stays until upstream removes it

#[cfg(feature = "cube")]
mod cube;

use burn::backend::{
    Backend, Dispatch, TensorMetadata,
    autodiff::{Autodiff, checkpoint::strategy::CheckpointStrategy},
    backend_extension,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{FloatDType, IndexingUpdateOp, Int, Shape, Tensor};

use crate::{bridge::Bridge, tape};

/// The table's row of each token.
///
/// The gradient of a row is the sum of the gradients of all places where it was looked up, in the order
/// of the places.
///
/// # Shapes
///
/// - `table`: `[V, D]`, `tokens`: `[N]`, each in `0..V`, output: `[N, D]`
pub fn embed(table: Tensor<2>, tokens: Tensor<1, Int>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as EmbedOp>::embed(table.into_dispatch(), tokens.into_dispatch()))
}

/// The operation, routed to the backend of its tensors.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cube"),
    Capture,
    Autodiff
)]
pub trait EmbedOp: Backend {
    /// See [`embed()`].
    fn embed(table: FloatTensor<Self>, tokens: IntTensor<Self>) -> FloatTensor<Self>;
}

/// Without a tape: the rows alone.
impl<B: EmbedKernel> EmbedOp for B {
    fn embed(table: FloatTensor<B>, tokens: IntTensor<B>) -> FloatTensor<B> {
        B::rows(table, tokens)
    }
}

/// On a tape: the rows, and the step back.
impl<B: EmbedKernel, C: CheckpointStrategy> EmbedOp for Autodiff<B, C> {
    fn embed(table: FloatTensor<Self>, tokens: IntTensor<Self>) -> FloatTensor<Self> {
        let nodes = [table.node()];
        let table = table.into_primitive();
        let kept = |(table, tokens): (FloatTensor<B>, IntTensor<B>)| {
            let saved = Saved::<B> { tokens: tokens.clone(), table: table.shape() };
            (B::rows(table, tokens), saved)
        };
        let output = |(table, tokens)| B::rows(table, tokens);
        tape::recorded::<B, C, _, _, 1>(nodes, (table, tokens), kept, output, |saved, grad| {
            [B::table_grad(saved, grad)]
        })
    }
}

/// What the backward pass reads again.
#[derive(Debug, Clone)]
pub struct Saved<B: Backend> {
    /// `[N]`.
    pub tokens: IntTensor<B>,
    /// `[V, D]`.
    pub table: Shape,
}

/// The kernels of a backend, outside the tape. One without its own uses the backend's selection.
pub trait EmbedKernel: Bridge {
    /// The rows `[N, D]`.
    fn rows(table: FloatTensor<Self>, tokens: IntTensor<Self>) -> FloatTensor<Self> {
        Self::float_select(table, 0, tokens)
    }

    /// The gradient of the table.
    fn table_grad(saved: Saved<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        let dtype = FloatDType::from(grad.dtype());
        let zeros = Self::float_zeros(saved.table, &grad.device(), dtype);
        Self::float_select_assign(zeros, 0, saved.tokens, grad, IndexingUpdateOp::Add)
    }
}

// Backends without a kernel of their own.
#[cfg(feature = "flex")]
impl EmbedKernel for burn::backend::Flex {}
#[cfg(feature = "ndarray")]
impl EmbedKernel for burn::backend::NdArray {}
impl EmbedKernel for burn::backend::Capture {}
