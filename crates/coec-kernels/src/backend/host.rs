//! What the CPU backends share: tensors as slices, kernels on slices.

use burn::backend::{
    Backend, Element, TensorMetadata, get_or_init_device_settings,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{Shape, TensorData};

use super::Forward;
use crate::{
    Activation,
    cpu::{self, Inputs, Real, Sizes},
    dtypes::by_dtype,
};

/// A CPU backend whose tensors can be read as slices.
pub(crate) trait Host: Backend {
    /// A contiguous float tensor.
    type Held;

    /// Makes `tensor` contiguous and keeps it.
    fn hold(tensor: FloatTensor<Self>) -> Self::Held;
    /// Its elements in row-major order.
    fn slice<T: Real + Element>(held: &Self::Held) -> &[T];
    /// The tensor after `f` has worked on its elements, without a copy where nobody else holds it.
    fn in_place<T: Real + Element>(tensor: FloatTensor<Self>, f: impl FnOnce(&mut [T])) -> FloatTensor<Self>;
    /// The elements of an integer tensor as data.
    fn int_data(tensor: IntTensor<Self>) -> TensorData;
}

pub(super) fn forward<B: Host>(
    x: FloatTensor<B>,
    indices: IntTensor<B>,
    gates: FloatTensor<B>,
    w_in: FloatTensor<B>,
    w_out: FloatTensor<B>,
    act: Activation,
) -> Forward<B> {
    by_dtype!("experts" [x, gates, w_in, w_out] => forward_as::<B>(x, indices, gates, w_in, w_out, act))
}

fn forward_as<B: Host, T: Real + Element>(
    x: FloatTensor<B>,
    indices: IntTensor<B>,
    gates: FloatTensor<B>,
    w_in: FloatTensor<B>,
    w_out: FloatTensor<B>,
    act: Activation,
) -> Forward<B> {
    let device = x.device();
    let sizes = sizes(&x.shape(), &indices.shape(), &w_out.shape());
    let (x, gates, w_in, w_out) = (B::hold(x), B::hold(gates), B::hold(w_in), B::hold(w_out));
    let (output, hidden) = cpu::forward(Inputs::<T> {
        x: B::slice(&x),
        indices: &indices_u32::<B>(indices),
        gates: B::slice(&gates),
        w_in: B::slice(&w_in),
        w_out: B::slice(&w_out),
        sizes,
        act,
    });
    let float = |values: Vec<T>, shape: Vec<usize>| {
        B::float_from_data(TensorData::new(values, Shape::from(shape)), &device)
    };
    Forward {
        output: float(output, vec![sizes.tokens, sizes.dim]),
        hidden: float(hidden, vec![sizes.tokens * sizes.k, act.inputs() * sizes.hidden]),
    }
}

#[allow(clippy::too_many_arguments)] // the backward pass's signature, by element type
pub(super) fn backward<B: Host>(
    output_grad: FloatTensor<B>,
    x: FloatTensor<B>,
    indices: IntTensor<B>,
    gates: FloatTensor<B>,
    w_in: FloatTensor<B>,
    w_out: FloatTensor<B>,
    hidden: FloatTensor<B>,
    act: Activation,
) -> [FloatTensor<B>; 4] {
    by_dtype!("the backward pass of experts" [x, gates, w_in, w_out, hidden, output_grad] =>
        backward_as::<B>(output_grad, x, indices, gates, w_in, w_out, hidden, act))
}

#[allow(clippy::too_many_arguments)] // as above
fn backward_as<B: Host, T: Real + Element>(
    output_grad: FloatTensor<B>,
    x: FloatTensor<B>,
    indices: IntTensor<B>,
    gates: FloatTensor<B>,
    w_in: FloatTensor<B>,
    w_out: FloatTensor<B>,
    hidden: FloatTensor<B>,
    act: Activation,
) -> [FloatTensor<B>; 4] {
    let device = x.device();
    let shapes = [x.shape(), gates.shape(), w_in.shape(), w_out.shape()];
    let sizes = sizes(&x.shape(), &indices.shape(), &w_out.shape());
    let (x, gates, w_in, w_out) = (B::hold(x), B::hold(gates), B::hold(w_in), B::hold(w_out));
    let (hidden, output_grad) = (B::hold(hidden), B::hold(output_grad));
    let inputs = Inputs::<T> {
        x: B::slice(&x),
        indices: &indices_u32::<B>(indices),
        gates: B::slice(&gates),
        w_in: B::slice(&w_in),
        w_out: B::slice(&w_out),
        sizes,
        act,
    };
    let grads = cpu::backward(inputs, B::slice(&hidden), B::slice(&output_grad));
    let [x, gates, w_in, w_out] = shapes;
    [(grads.x, x), (grads.gates, gates), (grads.w_in, w_in), (grads.w_out, w_out)]
        .map(|(values, shape)| B::float_from_data(TensorData::new(values, shape), &device))
}

pub(super) fn select_top_k<B: Host>(scores: FloatTensor<B>, k: usize) -> IntTensor<B> {
    by_dtype!("select_top_k" [scores] => select_as::<B>(scores, k))
}

fn select_as<B: Host, T: Real + Element>(scores: FloatTensor<B>, k: usize) -> IntTensor<B> {
    let device = scores.device();
    let [rows, experts] = scores.shape().dims();
    let scores = B::hold(scores);
    let indices = cpu::select_top_k::<T>(B::slice(&scores), experts, k);
    // In the device's own integer type, so that the indices mix with its other integers.
    let dtype = get_or_init_device_settings::<B>(&device).int_dtype;
    let indices: Vec<i64> = indices.into_iter().map(i64::from).collect();
    let data = TensorData::new(indices, Shape::new([rows, k])).convert_dtype(dtype.into());
    B::int_from_data(data, &device)
}

fn sizes(x: &Shape, indices: &Shape, w_out: &Shape) -> Sizes {
    let ([tokens, dim], [_, k], [experts, _, hidden]) = (x.dims(), indices.dims(), w_out.dims());
    Sizes { tokens, k, experts, dim, hidden }
}

fn indices_u32<B: Host>(indices: IntTensor<B>) -> Vec<u32> {
    // What does not fit is no expert either: the sort refuses it.
    B::int_data(indices).iter::<i64>().map(|index| u32::try_from(index).unwrap_or(u32::MAX)).collect()
}

/// Implements the expert kernels of a CPU backend with those on slices.
macro_rules! kernels_on_slices {
    ($backend:ty) => {
        const _: () = {
            use burn::backend::tensor::{FloatTensor, IntTensor};
            use $crate::{
                Activation, ExpertKernels,
                backend::{Forward, host},
            };

            impl ExpertKernels for $backend {
                fn experts_forward(
                    x: FloatTensor<Self>,
                    indices: IntTensor<Self>,
                    gates: FloatTensor<Self>,
                    w_in: FloatTensor<Self>,
                    w_out: FloatTensor<Self>,
                    act: Activation,
                ) -> Forward<Self> {
                    host::forward::<Self>(x, indices, gates, w_in, w_out, act)
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
                    host::backward::<Self>(output_grad, x, indices, gates, w_in, w_out, hidden, act)
                }

                fn select_top_k(scores: FloatTensor<Self>, k: usize) -> IntTensor<Self> {
                    host::select_top_k::<Self>(scores, k)
                }
            }

            $crate::backend::expert_ops_without_tape!($backend);
        };
    };
}
pub(crate) use kernels_on_slices;
