//! Primitives of a backend as tensors and back, so that what is composed of Burn's own operations reads
//! as tensor code.

use burn::backend::{
    Backend, BackendTensor, DispatchKindConversion, DispatchTensor,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{Int, Tensor};

/// A backend whose primitives, which are on no tape, can be tensors.
pub trait Bridge: Backend {
    /// A float primitive as a tensor.
    fn tensor<const D: usize>(primitive: FloatTensor<Self>) -> Tensor<D>;
    /// An int primitive as a tensor.
    fn int_tensor<const D: usize>(primitive: IntTensor<Self>) -> Tensor<D, Int>;
    /// The float primitive of a tensor on this backend.
    fn primitive<const D: usize>(tensor: Tensor<D>) -> FloatTensor<Self>;
    /// The int primitive of a tensor on this backend.
    fn int_primitive<const D: usize>(tensor: Tensor<D, Int>) -> IntTensor<Self>;
}

impl<B: Backend> Bridge for B
where
    DispatchTensor: DispatchKindConversion<B>,
{
    fn tensor<const D: usize>(primitive: FloatTensor<B>) -> Tensor<D> {
        Tensor::from_dispatch(DispatchTensor::from_backend(BackendTensor::<B>::Float(primitive)))
    }

    fn int_tensor<const D: usize>(primitive: IntTensor<B>) -> Tensor<D, Int> {
        Tensor::from_dispatch(DispatchTensor::from_backend(BackendTensor::<B>::Int(primitive)))
    }

    fn primitive<const D: usize>(tensor: Tensor<D>) -> FloatTensor<B> {
        backend_tensor::<B>(tensor.into_dispatch()).float()
    }

    fn int_primitive<const D: usize>(tensor: Tensor<D, Int>) -> IntTensor<B> {
        backend_tensor::<B>(tensor.into_dispatch()).int()
    }
}

fn backend_tensor<B: Backend>(tensor: DispatchTensor) -> BackendTensor<B>
where
    DispatchTensor: DispatchKindConversion<B>,
{
    let tensor: Result<BackendTensor<B>, _> = DispatchTensor::try_into_backend(tensor);
    tensor.expect("a kernel's tensors stay on its backend")
}
