//! Primitives as tensors and back, so that kernels read as tensor code.

use burn::backend::{
    Backend, BackendTensor, DispatchKindConversion, DispatchTensor,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{Int, Tensor};

/// A float primitive as a tensor.
pub(crate) fn float<B: Backend, const D: usize>(primitive: FloatTensor<B>) -> Tensor<D>
where
    DispatchTensor: DispatchKindConversion<B>,
{
    Tensor::from_dispatch(DispatchTensor::from_backend(BackendTensor::<B>::Float(primitive)))
}

/// An int primitive as a tensor.
pub(crate) fn int<B: Backend, const D: usize>(primitive: IntTensor<B>) -> Tensor<D, Int>
where
    DispatchTensor: DispatchKindConversion<B>,
{
    Tensor::from_dispatch(DispatchTensor::from_backend(BackendTensor::<B>::Int(primitive)))
}

/// A tensor's float primitive. The tensor is on backend `B`, without a tape.
pub(crate) fn float_primitive<B: Backend, const D: usize>(tensor: Tensor<D>) -> FloatTensor<B>
where
    DispatchTensor: DispatchKindConversion<B>,
{
    let tensor: Result<BackendTensor<B>, _> = DispatchTensor::try_into_backend(tensor.into_dispatch());
    tensor.expect("a kernel's tensors stay on its backend").float()
}

/// A tensor's int primitive. The tensor is on backend `B`.
pub(crate) fn int_primitive<B: Backend, const D: usize>(tensor: Tensor<D, Int>) -> IntTensor<B>
where
    DispatchTensor: DispatchKindConversion<B>,
{
    let tensor: Result<BackendTensor<B>, _> = DispatchTensor::try_into_backend(tensor.into_dispatch());
    tensor.expect("a kernel's tensors stay on its backend").int()
}
