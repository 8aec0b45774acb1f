//! Flex: the default CPU backend, read in place.

use burn::backend::{
    Element, Flex,
    flex::FlexTensor,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::TensorData;

use super::{ExpertKernels, Forward, expert_ops_without_tape, host};
use crate::{Act, cpu::Real};

impl host::Host for Flex {
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

impl ExpertKernels for Flex {
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

expert_ops_without_tape!(Flex);
