//! One MLP for every token.
#![allow(deprecated)] // NdArray stays until upstream removes it

#[cfg(feature = "cube")]
mod cube;

use burn::backend::{
    Backend, Dispatch, ExtensionType, TensorMetadata,
    autodiff::{Autodiff, checkpoint::strategy::CheckpointStrategy},
    backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::{Int, Tensor};

use crate::{
    Activation, Precision, dtypes,
    experts::{self, Experts, ExpertsKernel, Forward},
    tape,
};

/// One MLP for every token: the product with a single expert and gates of one.
///
/// The factors of every product are in `precision`. Differentiable in `x`, `w_in` and `w_out`. For the backward
/// pass it keeps its inputs and the first product's result.
///
/// # Shapes
///
/// - `x`: `[N, D]`, `w_in`: `[G*F, D]`, `w_out`: `[D, F]`, output: `[N, D]`
///
/// # Panics
///
/// When the shapes or the element types do not agree; see [`experts()`](crate::experts()).
pub fn mlp(
    x: Tensor<2>,
    w_in: Tensor<2>,
    w_out: Tensor<2>,
    act: Activation,
    precision: Precision,
) -> Tensor<2> {
    let (d, [gf, _]) = (x.dims()[1], w_in.dims());
    assert_eq!(w_in.dims(), [gf, d], "w_in must be [G*F, D]");
    assert_eq!(w_out.dims(), [d, gf / act.inputs()], "w_out must be [D, F]");
    let (x, w_in, w_out) = (x.into_dispatch(), w_in.into_dispatch(), w_out.into_dispatch());
    let inputs = Mlp { x, w_in, w_out, act, precision };
    Tensor::from_dispatch(<Dispatch as MlpOp>::mlp(inputs))
}

/// What [`mlp()`] takes, on one backend.
#[derive(Debug, Clone, ExtensionType)]
pub struct Mlp<B: Backend> {
    /// `[N, D]`.
    pub x: FloatTensor<B>,
    /// `[G*F, D]`.
    pub w_in: FloatTensor<B>,
    /// `[D, F]`.
    pub w_out: FloatTensor<B>,
    /// What is computed between the two products.
    pub act: Activation,
    /// What becomes of the factors of every product.
    pub precision: Precision,
}

/// What the backward pass reads again.
#[derive(Debug, Clone)]
pub struct Saved<B: Backend> {
    /// What the forward pass took.
    pub inputs: Mlp<B>,
    /// Its first product.
    pub hidden: FloatTensor<B>,
}

/// The operation, routed to the backend of its tensors.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cube"),
    Capture,
    Autodiff
)]
pub trait MlpOp: Backend {
    /// See [`mlp()`].
    fn mlp(#[extension_type] inputs: Mlp<Self>) -> FloatTensor<Self>;
}

/// Without a tape: the forward pass alone.
impl<B: MlpKernel> MlpOp for B {
    fn mlp(inputs: Mlp<B>) -> FloatTensor<B> {
        inputs.check();
        let [output, _] = <B as MlpKernel>::forward(inputs);
        output
    }
}

/// On a tape: the forward pass, and the step back.
impl<B: MlpKernel, C: CheckpointStrategy> MlpOp for Autodiff<B, C> {
    fn mlp(inputs: Mlp<Self>) -> FloatTensor<Self> {
        let Mlp { x, w_in, w_out, act, precision } = inputs;
        let nodes = [x.node(), w_in.node(), w_out.node()];
        let (x, w_in, w_out) = (x.into_primitive(), w_in.into_primitive(), w_out.into_primitive());
        let inputs = Mlp::<B> { x, w_in, w_out, act, precision };
        inputs.check();
        let kept = |inputs: Mlp<B>| {
            let [output, hidden] = <B as MlpKernel>::forward(inputs.clone());
            (output, Saved { inputs, hidden })
        };
        let output = |inputs: Mlp<B>| {
            let [output, _] = <B as MlpKernel>::forward(inputs);
            output
        };
        tape::recorded::<B, C, _, _, 3>(nodes, inputs, kept, output, Saved::backward)
    }
}

impl<B: Backend> Mlp<B> {
    fn check(&self) {
        let (x, w_in, w_out) = (self.x.dtype(), self.w_in.dtype(), self.w_out.dtype());
        dtypes::same("mlp", &[("x", x), ("w_in", w_in), ("w_out", w_out)]);
    }
}

impl<B: MlpKernel> Saved<B> {
    /// The gradients of `x`, `w_in` and `w_out`.
    pub(crate) fn backward(self, grad: FloatTensor<B>) -> [FloatTensor<B>; 3] {
        let (x, w_in, w_out) = (self.inputs.x.dtype(), self.inputs.w_in.dtype(), self.inputs.w_out.dtype());
        let (hidden, output) = (self.hidden.dtype(), grad.dtype());
        dtypes::same(
            "the backward pass of mlp",
            &[("x", x), ("w_in", w_in), ("w_out", w_out), ("hidden", hidden), ("output_grad", output)],
        );
        <B as MlpKernel>::backward(self, grad)
    }
}

/// The kernels of a backend, outside the tape. One without its own takes those of experts, of which there is one.
pub trait MlpKernel: ExpertsKernel {
    /// The output `[N, D]`, and the first product.
    fn forward(inputs: Mlp<Self>) -> [FloatTensor<Self>; 2] {
        let Forward { output, hidden, .. } = <Self as ExpertsKernel>::forward(single_expert::<Self>(inputs));
        [output, hidden]
    }

    /// The gradients of `x`, `w_in` and `w_out`.
    fn backward(saved: Saved<Self>, grad: FloatTensor<Self>) -> [FloatTensor<Self>; 3] {
        let inputs = single_expert::<Self>(saved.inputs);
        let saved = experts::Saved { inputs, hidden: saved.hidden, route: Default::default() };
        let [x, _, w_in, w_out] = <Self as ExpertsKernel>::backward(saved, grad);
        let matrix = |grad| Self::primitive(Self::tensor::<3>(grad).squeeze_dim::<2>(0));
        [x, matrix(w_in), matrix(w_out)]
    }
}

/// The MLP as the one expert that every token selects, with a gate of one.
fn single_expert<B: ExpertsKernel>(inputs: Mlp<B>) -> Experts<B> {
    let x = B::tensor::<2>(inputs.x);
    let (device, dtype, [n, _]) = (x.device(), x.dtype(), x.dims());
    let one = |weight| B::primitive(B::tensor::<2>(weight).unsqueeze::<3>());
    Experts {
        x: B::primitive(x),
        indices: B::int_primitive(Tensor::<2, Int>::zeros([n, 1], &device)),
        gates: B::primitive(Tensor::<2>::ones([n, 1], (&device, dtype))),
        w_in: one(inputs.w_in),
        w_out: one(inputs.w_out),
        act: inputs.act,
        precision: inputs.precision,
    }
}

// Backends without a kernel of their own.
#[cfg(feature = "flex")]
impl MlpKernel for burn::backend::Flex {}
#[cfg(feature = "ndarray")]
impl MlpKernel for burn::backend::NdArray {}
impl MlpKernel for burn::backend::Capture {}
