//! Kernels written on tensors, as [`ExpertKernels`](super::ExpertKernels) of a backend.

/// Implements the kernels of `$backend` with a module that has `forward`, `backward` and `select_top_k`.
macro_rules! kernels_from_tensors {
    ($backend:ty, $module:path) => {
        const _: () = {
            use burn::backend::{
                TensorMetadata,
                tensor::{FloatTensor, IntTensor},
            };
            use $crate::{
                Activation, ExpertKernels,
                backend::{Forward, bridge::*},
                dtypes::same_dtype,
            };
            use $module as kernels;

            impl ExpertKernels for $backend {
                fn experts_forward(
                    x: FloatTensor<Self>,
                    indices: IntTensor<Self>,
                    gates: FloatTensor<Self>,
                    w_in: FloatTensor<Self>,
                    w_out: FloatTensor<Self>,
                    act: Activation,
                ) -> Forward<Self> {
                    same_dtype!("experts", x, gates, w_in, w_out);
                    let (output, hidden) = kernels::forward(
                        float::<Self, 2>(x),
                        int::<Self, 2>(indices),
                        float::<Self, 2>(gates),
                        float::<Self, 3>(w_in),
                        float::<Self, 3>(w_out),
                        act,
                    );
                    Forward {
                        output: float_primitive::<Self, 2>(output),
                        hidden: float_primitive::<Self, 2>(hidden),
                    }
                }

                fn experts_backward(
                    output_grad: FloatTensor<Self>,
                    x: FloatTensor<Self>,
                    indices: IntTensor<Self>,
                    gates: FloatTensor<Self>,
                    w_in: FloatTensor<Self>,
                    w_out: FloatTensor<Self>,
                    hidden: FloatTensor<Self>,
                    act: Activation,
                ) -> [FloatTensor<Self>; 4] {
                    same_dtype!("the backward pass of experts", x, gates, w_in, w_out, hidden, output_grad);
                    let (x, gates, w_in, w_out) = kernels::backward(
                        float::<Self, 2>(output_grad),
                        float::<Self, 2>(x),
                        int::<Self, 2>(indices),
                        float::<Self, 2>(gates),
                        float::<Self, 3>(w_in),
                        float::<Self, 3>(w_out),
                        float::<Self, 2>(hidden),
                        act,
                    );
                    [
                        float_primitive::<Self, 2>(x),
                        float_primitive::<Self, 2>(gates),
                        float_primitive::<Self, 3>(w_in),
                        float_primitive::<Self, 3>(w_out),
                    ]
                }

                fn select_top_k(scores: FloatTensor<Self>, k: usize) -> IntTensor<Self> {
                    int_primitive::<Self, 2>(kernels::select_top_k(float::<Self, 2>(scores), k))
                }
            }

            $crate::backend::expert_ops_without_tape!($backend);
        };
    };
}
pub(super) use kernels_from_tensors;
