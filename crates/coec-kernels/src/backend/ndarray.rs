//! NdArray: kept for those who ask for it by name; tensors pass through their data.
#![allow(deprecated)] // upstream prefers Flex

use burn::backend::{
    Element, NdArray, TensorMetadata,
    ops::{FloatTensorOps, IntTensorOps},
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{TensorData, read_sync};

use super::{ExpertKernels, Forward, expert_ops_without_tape, host};
use crate::{Act, cpu::Real};

impl host::Host for NdArray {
    type Held = TensorData;

    fn hold(tensor: FloatTensor<Self>) -> TensorData {
        read_sync(Self::float_into_data(tensor)).expect("a tensor in memory can be read")
    }

    fn slice<T: Real + Element>(held: &TensorData) -> &[T] {
        bytemuck::cast_slice(held.as_bytes())
    }

    fn in_place<T: Real + Element>(tensor: FloatTensor<Self>, f: impl FnOnce(&mut [T])) -> FloatTensor<Self> {
        let device = tensor.device();
        let data = Self::hold(tensor);
        let mut values: Vec<T> = Self::slice::<T>(&data).to_vec();
        f(&mut values);
        Self::float_from_data(TensorData::new(values, data.shape().clone()), &device)
    }

    fn int_data(tensor: IntTensor<Self>) -> TensorData {
        read_sync(Self::int_into_data(tensor)).expect("a tensor in memory can be read")
    }
}

impl ExpertKernels for NdArray {
    fn experts_forward(
        x: FloatTensor<Self>,
        indices: IntTensor<Self>,
        gates: FloatTensor<Self>,
        w_in: FloatTensor<Self>,
        w_out: FloatTensor<Self>,
        act: Act,
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
        act: Act,
    ) -> [FloatTensor<Self>; 4] {
        host::backward::<Self>(output_grad, x, indices, gates, w_in, w_out, hidden, act)
    }

    fn select_top_k(scores: FloatTensor<Self>, k: usize) -> IntTensor<Self> {
        host::select_top_k::<Self>(scores, k)
    }
}

expert_ops_without_tape!(NdArray);
