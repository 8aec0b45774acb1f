//! One implementation per backend.

pub(crate) mod bridge;
mod capture;
#[cfg(any(feature = "cuda", test))]
pub(crate) mod composed;
#[cfg(feature = "cuda")]
mod cube;
#[cfg(feature = "flex")]
mod flex;
#[cfg(any(feature = "flex", feature = "ndarray"))]
pub(crate) mod host;
#[cfg(feature = "ndarray")]
mod ndarray;
mod pieces;
mod tensors;

use burn::backend::{
    Backend,
    tensor::{FloatTensor, IntTensor},
};

use crate::Activation;

/// What the forward pass makes.
pub struct Forward<B: Backend> {
    /// The weighted sum, `[N, D]`.
    pub output: FloatTensor<B>,
    /// The first product, `[N*K, G*F]`, rows sorted by expert, then by token.
    pub hidden: FloatTensor<B>,
}

/// The kernels of a backend, outside the autodiff tape. Shapes as in [`experts`](crate::experts).
pub trait ExpertKernels: Backend {
    /// The weighted sum of the selected experts' outputs, and what its backward pass needs.
    fn experts_forward(
        x: FloatTensor<Self>,
        indices: IntTensor<Self>,
        gates: FloatTensor<Self>,
        w_in: FloatTensor<Self>,
        w_out: FloatTensor<Self>,
        act: Activation,
    ) -> Forward<Self>;

    /// The gradients of `x`, `gates`, `w_in` and `w_out`, in this order.
    #[allow(clippy::too_many_arguments)] // the forward's inputs, its result, and one gradient
    fn experts_backward(
        output_grad: FloatTensor<Self>,
        x: FloatTensor<Self>,
        indices: IntTensor<Self>,
        gates: FloatTensor<Self>,
        w_in: FloatTensor<Self>,
        w_out: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        act: Activation,
    ) -> [FloatTensor<Self>; 4];

    /// Indices of the `k` largest scores of each row; ties go to the lower index.
    fn select_top_k(scores: FloatTensor<Self>, k: usize) -> IntTensor<Self>;
}

/// Routes the differentiable operation to the kernels where there is no tape.
macro_rules! expert_ops_without_tape {
    ($backend:ty) => {
        impl crate::ops::ExpertOps for $backend {
            fn experts(
                x: burn::backend::tensor::FloatTensor<Self>,
                indices: burn::backend::tensor::IntTensor<Self>,
                gates: burn::backend::tensor::FloatTensor<Self>,
                w_in: burn::backend::tensor::FloatTensor<Self>,
                w_out: burn::backend::tensor::FloatTensor<Self>,
                act: crate::Activation,
            ) -> burn::backend::tensor::FloatTensor<Self> {
                <Self as crate::ExpertKernels>::experts_forward(x, indices, gates, w_in, w_out, act).output
            }

            fn select_top_k(
                scores: burn::backend::tensor::FloatTensor<Self>,
                k: usize,
            ) -> burn::backend::tensor::IntTensor<Self> {
                <Self as crate::ExpertKernels>::select_top_k(scores, k)
            }
        }
    };
}
pub(crate) use expert_ops_without_tape;

#[cfg(test)]
mod tests;
