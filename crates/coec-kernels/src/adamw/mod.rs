//! The AdamW update, in one pass over memory where the backend allows it.
#![allow(deprecated)] // NdArray stays until upstream removes it

pub(crate) mod composed;
#[cfg(feature = "flex")]
mod cpu;
#[cfg(feature = "cube")]
mod cube;

use burn::backend::{
    Backend, Dispatch, ExtensionType, TensorMetadata, backend_extension, tensor::FloatTensor,
};
use burn::tensor::Tensor;

use crate::{bridge::Bridge, dtypes};

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
    /// What gradients are multiplied with, to clip them.
    pub scale: f64,
}

/// The parameter and its two moments after one step of AdamW.
///
/// ```text
/// g = scale g
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
    let state =
        State { param: param.into_dispatch(), first: first.into_dispatch(), second: second.into_dispatch() };
    let State { param, first, second } = <Dispatch as AdamWOp>::adamw(state, grad.into_dispatch(), step);
    (Tensor::from_dispatch(param), Tensor::from_dispatch(first), Tensor::from_dispatch(second))
}

/// A parameter and its moments, before a step and after it.
#[derive(ExtensionType)]
pub struct State<B: Backend> {
    /// The parameter.
    pub param: FloatTensor<B>,
    /// Its first moment.
    pub first: FloatTensor<B>,
    /// Its second moment.
    pub second: FloatTensor<B>,
}

/// The operation, routed to the backend of its tensors.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cube"),
    Capture
)]
pub trait AdamWOp: Backend {
    /// See [`adamw()`].
    fn adamw(#[extension_type] state: State<Self>, grad: FloatTensor<Self>, step: AdamWStep) -> State<Self>;
}

impl<B: AdamWKernel> AdamWOp for B {
    fn adamw(state: State<B>, grad: FloatTensor<B>, step: AdamWStep) -> State<B> {
        let (param, first, second) = (state.param.dtype(), state.first.dtype(), state.second.dtype());
        dtypes::same(
            "adamw",
            &[("param", param), ("grad", grad.dtype()), ("first", first), ("second", second)],
        );
        B::updated(state, grad, step)
    }
}

/// The kernel of a backend. One without its own composes it of Burn's operations.
pub trait AdamWKernel: Bridge {
    /// The state after the step.
    fn updated(state: State<Self>, grad: FloatTensor<Self>, step: AdamWStep) -> State<Self> {
        let (param, first, second) = composed::updated(
            Self::tensor(state.param),
            Self::tensor(grad),
            Self::tensor(state.first),
            Self::tensor(state.second),
            step,
        );
        State {
            param: Self::primitive(param),
            first: Self::primitive(first),
            second: Self::primitive(second),
        }
    }
}

// Backends without a kernel of their own.
#[cfg(feature = "ndarray")]
impl AdamWKernel for burn::backend::NdArray {}
impl AdamWKernel for burn::backend::Capture {}
