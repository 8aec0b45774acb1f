//! NdArray: kept for those who ask for it by name; tensors pass through their data.
#![allow(deprecated)] // upstream prefers Flex

use burn::backend::{
    Element, NdArray, TensorMetadata,
    ops::{FloatTensorOps, IntTensorOps},
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{TensorData, read_sync};

use super::{Host, Real};

impl Host for NdArray {
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
