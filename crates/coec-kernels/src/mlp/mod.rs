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
use burn::tensor::{DType, Int, Tensor};

use crate::{
    Activation, Biases, Precision,
    biases::Added,
    dtypes,
    experts::{self, Experts, ExpertsKernel, Forward},
    tape,
};

/// One MLP for every token: the product with a single expert and gates of one.
///
/// The factors of every product are in `precision`. Differentiable in `x`, `w_in`, `w_out` and the biases. For
/// the backward pass it keeps its inputs and the first product's result with its bias.
///
/// # Shapes
///
/// - `x`: `[N, D]`, `w_in`: `[G*F, D]`, `w_out`: `[D, F]`, output: `[N, D]`
/// - `biases`: [`b_in`](Biases::b_in) `[G*F]`, [`b_out`](Biases::b_out) `[D]`
///
/// # Panics
///
/// When the shapes or the element types do not agree; see [`experts()`](crate::experts()).
pub fn mlp(
    x: Tensor<2>,
    w_in: Tensor<2>,
    w_out: Tensor<2>,
    biases: Option<Biases<1>>,
    act: Activation,
    precision: Precision,
) -> Tensor<2> {
    let (d, [gf, _]) = (x.dims()[1], w_in.dims());
    assert_eq!(w_in.dims(), [gf, d], "w_in must be [G*F, D]");
    assert_eq!(w_out.dims(), [d, gf / act.inputs()], "w_out must be [D, F]");
    if let Some(Biases { b_in, b_out }) = &biases {
        assert_eq!(b_in.dims(), [gf], "b_in must be [G*F]");
        assert_eq!(b_out.dims(), [d], "b_out must be [D]");
    }
    let (x, w_in, w_out) = (x.into_dispatch(), w_in.into_dispatch(), w_out.into_dispatch());
    let inputs = Mlp { x, w_in, w_out, biases: Added::new(biases), act, precision };
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
    /// `[G*F]` and `[D]`.
    #[extension_type]
    pub biases: Added<B>,
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
    /// Its first product with its bias.
    pub hidden: FloatTensor<B>,
}

/// The gradients of the inputs.
pub struct Gradients<B: Backend> {
    /// `[N, D]`.
    pub x: FloatTensor<B>,
    /// `[G*F, D]`.
    pub w_in: FloatTensor<B>,
    /// `[D, F]`.
    pub w_out: FloatTensor<B>,
    /// Of biases, where there are some.
    pub biases: Added<B>,
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
        let Mlp { x, w_in, w_out, biases, act, precision } = inputs;
        let nodes = [x.node(), w_in.node(), w_out.node()];
        let (x, w_in, w_out) = (x.into_primitive(), w_in.into_primitive(), w_out.into_primitive());
        let (of_biases, biases) = biases.untaped();
        let inputs = Mlp::<B> { x, w_in, w_out, biases, act, precision };
        inputs.check();
        let kept = |inputs: Mlp<B>| {
            let [output, hidden] = <B as MlpKernel>::forward(inputs.clone());
            (output, Saved { inputs, hidden })
        };
        let output = |inputs: Mlp<B>| {
            let [output, _] = <B as MlpKernel>::forward(inputs);
            output
        };
        let Some([b_in, b_out]) = of_biases else {
            return tape::recorded::<B, C, _, _, 3>(nodes, inputs, kept, output, |saved, grad| {
                saved.backward(grad).of_products()
            });
        };
        let [x, w_in, w_out] = nodes;
        let nodes = [x, w_in, w_out, b_in, b_out];
        tape::recorded::<B, C, _, _, 5>(nodes, inputs, kept, output, |saved, grad| {
            saved.backward(grad).of_all()
        })
    }
}

impl<B: Backend> Mlp<B> {
    fn check(&self) {
        dtypes::same("mlp", &self.dtypes());
    }

    fn dtypes(&self) -> Vec<(&'static str, DType)> {
        let of_products = [("x", self.x.dtype()), ("w_in", self.w_in.dtype()), ("w_out", self.w_out.dtype())];
        of_products.into_iter().chain(self.biases.dtypes()).collect()
    }
}

impl<B: MlpKernel> Saved<B> {
    /// The gradients.
    pub(crate) fn backward(self, grad: FloatTensor<B>) -> Gradients<B> {
        let mut dtypes = self.inputs.dtypes();
        dtypes.extend([("hidden", self.hidden.dtype()), ("output_grad", grad.dtype())]);
        dtypes::same("the backward pass of mlp", &dtypes);
        <B as MlpKernel>::backward(self, grad)
    }
}

impl<B: Backend> Gradients<B> {
    /// Of `x`, `w_in` and `w_out`.
    fn of_products(self) -> [FloatTensor<B>; 3] {
        [self.x, self.w_in, self.w_out]
    }

    /// The same, and of `b_in` and `b_out`, which the inputs had.
    fn of_all(self) -> [FloatTensor<B>; 5] {
        let Added::Biases { b_in, b_out } = self.biases else { unreachable!("biases have gradients") };
        [self.x, self.w_in, self.w_out, b_in, b_out]
    }
}

/// The kernels of a backend, outside the tape. One without its own takes those of experts, of which there is one.
pub trait MlpKernel: ExpertsKernel {
    /// The output `[N, D]`, and the first product.
    fn forward(inputs: Mlp<Self>) -> [FloatTensor<Self>; 2] {
        let Forward { output, hidden, .. } = <Self as ExpertsKernel>::forward(single_expert::<Self>(inputs));
        [output, hidden]
    }

    /// The gradients: of biases where the inputs have some.
    fn backward(saved: Saved<Self>, grad: FloatTensor<Self>) -> Gradients<Self> {
        let inputs = single_expert::<Self>(saved.inputs);
        let saved = experts::Saved { inputs, hidden: saved.hidden, route: Default::default() };
        let experts::Gradients { x, w_in, w_out, biases, .. } =
            <Self as ExpertsKernel>::backward(saved, grad);
        let matrix = |grad| Self::primitive(Self::tensor::<3>(grad).squeeze_dim::<2>(0));
        let biases = biases.tensors::<2>().map(|biases| biases.map(|grad| grad.squeeze_dim::<1>(0)));
        Gradients { x, w_in: matrix(w_in), w_out: matrix(w_out), biases: Added::of(biases) }
    }
}

/// The MLP as the one expert that every token selects, with a gate of one.
fn single_expert<B: ExpertsKernel>(inputs: Mlp<B>) -> Experts<B> {
    let x = B::tensor::<2>(inputs.x);
    let (device, dtype, [n, _]) = (x.device(), x.dtype(), x.dims());
    let one = |weight| B::primitive(B::tensor::<2>(weight).unsqueeze::<3>());
    let biases = inputs.biases.tensors::<1>().map(|biases| biases.map(|bias| bias.unsqueeze::<2>()));
    Experts {
        x: B::primitive(x),
        indices: B::int_primitive(Tensor::<2, Int>::zeros([n, 1], &device)),
        gates: B::primitive(Tensor::<2>::ones([n, 1], (&device, dtype))),
        w_in: one(inputs.w_in),
        w_out: one(inputs.w_out),
        biases: Added::of(biases),
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
