//! The operations as functions on tensors.

#![allow(deprecated)] // NdArray stays until upstream removes it

use burn::backend::{
    Dispatch, backend_extension,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{Int, Tensor};

use crate::{Activation, dtypes::same_dtype};

/// The differentiable operations of this crate, routed to the backend of their tensors.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cuda"),
    Capture,
    Autodiff
)]
pub trait ExpertOps: burn::backend::Backend {
    /// See [`experts`].
    fn experts(
        x: FloatTensor<Self>,
        indices: IntTensor<Self>,
        gates: FloatTensor<Self>,
        w_in: FloatTensor<Self>,
        w_out: FloatTensor<Self>,
        act: Activation,
    ) -> FloatTensor<Self>;

    /// See [`select_top_k`].
    fn select_top_k(scores: FloatTensor<Self>, k: usize) -> IntTensor<Self>;
}

/// The weighted sum of the selected experts' outputs.
///
/// Differentiable in `x`, `gates`, `w_in` and `w_out`. For the backward pass it
/// keeps its inputs and the first product's result, `N*K` rows of `G*F`.
///
/// # Shapes
///
/// N tokens, D width, K selected, E experts, F expert width, G = [`Activation::inputs`]:
///
/// - `x`: `[N, D]`
/// - `indices`: `[N, K]`, each in `0..E`, distinct within a token
/// - `gates`: `[N, K]`
/// - `w_in`: `[E, G*F, D]`, gate rows before up rows
/// - `w_out`: `[E, D, F]`
/// - output: `[N, D]`
///
/// # Panics
///
/// When the shapes do not agree, when an index is not in `0..E`, and when the element types of the
/// float tensors differ or, on the CPU, are others than f32 and f64. The backward pass asks the same
/// of the output's gradient.
pub fn experts(
    x: Tensor<2>,
    indices: Tensor<2, Int>,
    gates: Tensor<2>,
    w_in: Tensor<3>,
    w_out: Tensor<3>,
    act: Activation,
) -> Tensor<2> {
    let ([n, d], [e, gf, _]) = (x.dims(), w_in.dims());
    let k = indices.dims()[1];
    assert_eq!(indices.dims(), [n, k], "indices must be [N, K]");
    assert_eq!(gates.dims(), [n, k], "gates must be [N, K]");
    assert_eq!(w_in.dims(), [e, gf, d], "w_in must be [E, G*F, D]");
    assert_eq!(w_out.dims(), [e, d, gf / act.inputs()], "w_out must be [E, D, F]");
    Tensor::from_dispatch(<Dispatch as ExpertOps>::experts(
        x.into_dispatch(),
        indices.into_dispatch(),
        gates.into_dispatch(),
        w_in.into_dispatch(),
        w_out.into_dispatch(),
        act,
    ))
}

/// One MLP for every token: the product with a single expert and gates of one.
///
/// # Shapes
///
/// - `x`: `[N, D]`, `w_in`: `[G*F, D]`, `w_out`: `[D, F]`, output: `[N, D]`
///
/// # Panics
///
/// When the shapes or the element types do not agree; see [`experts`].
pub fn mlp(x: Tensor<2>, w_in: Tensor<2>, w_out: Tensor<2>, act: Activation) -> Tensor<2> {
    same_dtype!("mlp", x, w_in, w_out);
    let [n, _] = x.dims();
    let device = x.device();
    let indices = Tensor::<2, Int>::zeros([n, 1], &device);
    let gates = Tensor::<2>::ones([n, 1], (&device, x.dtype()));
    experts(x, indices, gates, w_in.unsqueeze(), w_out.unsqueeze(), act)
}

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
    Tensor::from_dispatch(<Dispatch as ExpertOps>::select_top_k(scores.into_dispatch(), k))
}
