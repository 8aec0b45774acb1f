//! The AdamW update, in one pass over memory where the backend allows it.
#![allow(deprecated)] // NdArray stays until upstream removes it

#[cfg(feature = "flex")]
mod cpu;

use burn::backend::{Backend, Dispatch, ExtensionType, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;

/// The numbers of one AdamW step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWStep {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the two moments.
    pub betas: [f64; 2],
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// `1 - beta^t` of the two moments.
    pub corrections: [f64; 2],
}

/// A parameter and its moments after a step.
#[derive(ExtensionType)]
pub struct Updated<B: Backend> {
    /// The parameter.
    pub param: FloatTensor<B>,
    /// Its first moment.
    pub first: FloatTensor<B>,
    /// Its second moment.
    pub second: FloatTensor<B>,
}

/// The update, routed to the backend of its tensors.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cuda"),
    Capture
)]
pub trait UpdateOps: Backend {
    /// See [`adamw`].
    fn adamw(
        param: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        step: AdamWStep,
    ) -> Updated<Self>;
}

/// The parameter and its two moments after one step of AdamW.
///
/// ```text
/// m = b1 m + (1 - b1) g        v = b2 v + (1 - b2) g^2
/// p = p (1 - lr wd) - lr (m / c1) / (sqrt(v / c2) + eps)
/// ```
///
/// # Shapes
///
/// All `[n]`, without a tape.
///
/// # Panics
///
/// When their lengths or their element types differ, or, on the CPU, are others than f32 and f64.
pub fn adamw(
    param: Tensor<1>,
    grad: Tensor<1>,
    first: Tensor<1>,
    second: Tensor<1>,
    step: AdamWStep,
) -> (Tensor<1>, Tensor<1>, Tensor<1>) {
    let n = param.dims();
    assert_eq!([grad.dims(), first.dims(), second.dims()], [n; 3], "grad and moments must be [n] as param");
    let updated = <Dispatch as UpdateOps>::adamw(
        param.into_dispatch(),
        grad.into_dispatch(),
        first.into_dispatch(),
        second.into_dispatch(),
        step,
    );
    (
        Tensor::from_dispatch(updated.param),
        Tensor::from_dispatch(updated.first),
        Tensor::from_dispatch(updated.second),
    )
}

/// The update on a CPU backend, in place where it owns its tensors.
#[cfg(feature = "flex")]
impl UpdateOps for burn::backend::Flex {
    fn adamw(
        param: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        step: AdamWStep,
    ) -> Updated<Self> {
        crate::dtypes::by_dtype!("adamw" [param, grad, first, second] =>
            in_place::<Self>(param, grad, first, second, &step))
    }
}

#[cfg(feature = "flex")]
fn in_place<B, T>(
    mut param: FloatTensor<B>,
    grad: FloatTensor<B>,
    mut first: FloatTensor<B>,
    mut second: FloatTensor<B>,
    step: &AdamWStep,
) -> Updated<B>
where
    B: Backend<FloatTensorPrimitive = burn::backend::flex::FlexTensor>,
    T: crate::cpu::Real + burn::backend::Element,
{
    // `storage_mut` copies a buffer that someone else still holds, and only then.
    for tensor in [&mut param, &mut first, &mut second] {
        *tensor = tensor.to_contiguous();
    }
    let grad = grad.to_contiguous();
    cpu::update::<T>(param.storage_mut(), grad.storage(), first.storage_mut(), second.storage_mut(), step);
    Updated { param, first, second }
}

/// The update in Burn's own operations.
pub(crate) fn composed(
    param: Tensor<1>,
    grad: Tensor<1>,
    first: Tensor<1>,
    second: Tensor<1>,
    step: AdamWStep,
) -> (Tensor<1>, Tensor<1>, Tensor<1>) {
    let [b1, b2] = step.betas;
    let first = first * b1 + grad.clone() * (1.0 - b1);
    let second = second * b2 + grad.square() * (1.0 - b2);
    let root = (second.clone() / step.corrections[1]).sqrt() + step.eps;
    let move_by = first.clone() / root * (step.lr / step.corrections[0]);
    (param * (1.0 - step.lr * step.weight_decay) - move_by, first, second)
}

macro_rules! update_from_tensors {
    ($backend:ty) => {
        impl UpdateOps for $backend {
            fn adamw(
                param: FloatTensor<Self>,
                grad: FloatTensor<Self>,
                first: FloatTensor<Self>,
                second: FloatTensor<Self>,
                step: AdamWStep,
            ) -> Updated<Self> {
                use crate::backend::bridge::{float, float_primitive};
                use burn::backend::TensorMetadata;
                crate::dtypes::same_dtype!("adamw", param, grad, first, second);
                let [param, grad, first, second] =
                    [param, grad, first, second].map(|tensor| float::<Self, 1>(tensor));
                let (param, first, second) = composed(param, grad, first, second, step);
                Updated {
                    param: float_primitive::<Self, 1>(param),
                    first: float_primitive::<Self, 1>(first),
                    second: float_primitive::<Self, 1>(second),
                }
            }
        }
    };
}

#[cfg(feature = "ndarray")]
update_from_tensors!(burn::backend::NdArray);
#[cfg(feature = "cuda")]
update_from_tensors!(burn::backend::Cube);
update_from_tensors!(burn::backend::Capture);

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution};

    use super::*;

    #[test]
    fn in_place_and_composed_updates_agree() {
        let device = Device::flex();
        let random = || Tensor::<1>::random([5000], Distribution::Normal(0.0, 1.0), &device);
        let (param, grad, first, second) = (random(), random(), random(), random().square());
        let step = AdamWStep {
            lr: 0.01,
            betas: [0.9, 0.95],
            eps: 1e-8,
            weight_decay: 0.1,
            corrections: [0.19, 0.0975],
        };
        let slow = composed(param.clone(), grad.clone(), first.clone(), second.clone(), step);
        let fast = adamw(param.clone(), grad, first, second, step);
        let close = |a: Tensor<1>, b: Tensor<1>| (a - b).abs().max().into_scalar::<f32>() < 1e-5;
        assert!(close(fast.0.clone(), slow.0) && close(fast.1, slow.1) && close(fast.2, slow.2));
        assert!(!close(fast.0, param), "the parameter moved");
    }
}
