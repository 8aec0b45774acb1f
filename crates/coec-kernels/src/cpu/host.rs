//! Backends of the CPU, whose tensors are slices.

use burn::backend::{
    Element,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{Shape, TensorData};

use super::Real;
use crate::bridge::Bridge;

/// A backend of the CPU. The kernels in the `cpu` files of the operations are those of every such backend.
pub(crate) trait Host: Bridge {
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

    /// A tensor of these elements.
    fn float<T: Real + Element>(
        values: Vec<T>,
        shape: impl Into<Shape>,
        device: &Self::Device,
    ) -> FloatTensor<Self> {
        Self::float_from_data(TensorData::new(values, shape), device)
    }
}

/// `$body` with `$T` standing for f32 or f64, whichever `$dtype` is.
///
/// Panics for a type that the kernels of the CPU do not compute in.
macro_rules! by_dtype {
    ($operation:literal, $dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            burn::tensor::DType::F32 => {
                type $T = f32;
                $body
            }
            burn::tensor::DType::F64 => {
                type $T = f64;
                $body
            }
            other => panic!("{} on the CPU computes in F32 or F64, not in {other:?}", $operation),
        }
    };
}
pub(crate) use by_dtype;
