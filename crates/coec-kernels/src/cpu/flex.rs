//! Flex: the default CPU backend, read in place.

use burn::backend::{Element, Flex, flex::FlexTensor, tensor::IntTensor};
use burn::tensor::TensorData;

use super::{Host, Real};

impl Host for Flex {
    type Held = FlexTensor;

    fn hold(tensor: FlexTensor) -> FlexTensor {
        tensor.to_contiguous()
    }

    fn slice<T: Real + Element>(held: &FlexTensor) -> &[T] {
        // `hold` left a buffer that is exactly the tensor.
        bytemuck::cast_slice(held.bytes())
    }

    fn in_place<T: Real + Element>(tensor: FlexTensor, f: impl FnOnce(&mut [T])) -> FlexTensor {
        let mut owned = tensor.to_contiguous();
        drop(tensor); // the other handle, which would make writing copy
        f(owned.storage_mut());
        owned
    }

    fn int_data(tensor: IntTensor<Self>) -> TensorData {
        tensor.into_data()
    }
}
