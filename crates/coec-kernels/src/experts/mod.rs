//! The weighted sum of the selected experts' outputs.
#![allow(deprecated)] // NdArray stays until upstream removes it

mod capture;
mod cpu;
#[cfg(feature = "cube")]
mod cube;
pub(crate) mod pieces;
pub(crate) mod tensors;

use std::fmt::Debug;

use burn::backend::{
    Backend, Dispatch, ExtensionType, TensorMetadata,
    autodiff::{Autodiff, checkpoint::strategy::CheckpointStrategy},
    backend_extension,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{DType, Int, Tensor};

use crate::{Activation, Biases, Precision, biases::Added, bridge::Bridge, dtypes, tape};
#[cfg(feature = "cube")]
pub(crate) use cube::{Rows, differentiated, sums_of_rows};

/// The weighted sum of the selected experts' outputs.
///
/// Differentiable in `x`, `gates`, `w_in`, `w_out` and the biases. For the backward pass it
/// keeps its inputs and the first product's result with its bias, `N*K` rows of `G*F`.
///
/// The factors of every product are in `precision`. Gates weigh outputs, and on the way back the gradient that
/// flows to them, before it is a factor. The gradient of a gate is made of that same factor; docs/numerics.md
/// says how. Biases are added to results as they are, and rounded nowhere.
///
/// # Shapes
///
/// N tokens, D width, K selected, E experts, F expert width, G = [`Activation::inputs`]:
///
/// - `x`: `[N, D]`
/// - `indices`: `[N, K]`, each in `0..E`, distinct within a token
/// - `gates`: `[N, K]`
/// - `w_in`: `[E, G*F, D]`, gate rows before up rows
/// - `w_out`: `[E, D, F]`
/// - `biases`: [`b_in`](Biases::b_in) `[E, G*F]`, [`b_out`](Biases::b_out) `[E, D]`
/// - output: `[N, D]`
///
/// # Panics
///
/// When the shapes do not agree, when an index is not in `0..E`, and when the element types of the
/// float tensors differ or, on the CPU, are others than f32 and f64. The backward pass asks the same
/// of the output's gradient.
#[allow(clippy::too_many_arguments)]
pub fn experts(
    x: Tensor<2>,
    indices: Tensor<2, Int>,
    gates: Tensor<2>,
    w_in: Tensor<3>,
    w_out: Tensor<3>,
    biases: Option<Biases<2>>,
    act: Activation,
    precision: Precision,
) -> Tensor<2> {
    let ([n, d], [e, gf, _]) = (x.dims(), w_in.dims());
    let k = indices.dims()[1];
    assert_eq!(indices.dims(), [n, k], "indices must be [N, K]");
    assert_eq!(gates.dims(), [n, k], "gates must be [N, K]");
    assert_eq!(w_in.dims(), [e, gf, d], "w_in must be [E, G*F, D]");
    assert_eq!(w_out.dims(), [e, d, gf / act.inputs()], "w_out must be [E, D, F]");
    if let Some(Biases { b_in, b_out }) = &biases {
        assert_eq!(b_in.dims(), [e, gf], "b_in must be [E, G*F]");
        assert_eq!(b_out.dims(), [e, d], "b_out must be [E, D]");
    }
    let inputs = Experts {
        x: x.into_dispatch(),
        indices: indices.into_dispatch(),
        gates: gates.into_dispatch(),
        w_in: w_in.into_dispatch(),
        w_out: w_out.into_dispatch(),
        biases: Added::new(biases),
        act,
        precision,
    };
    Tensor::from_dispatch(<Dispatch as ExpertsOp>::experts(inputs))
}

/// What [`experts()`] takes, on one backend.
#[derive(Debug, Clone, ExtensionType)]
pub struct Experts<B: Backend> {
    /// `[N, D]`.
    pub x: FloatTensor<B>,
    /// `[N, K]`.
    pub indices: IntTensor<B>,
    /// `[N, K]`.
    pub gates: FloatTensor<B>,
    /// `[E, G*F, D]`.
    pub w_in: FloatTensor<B>,
    /// `[E, D, F]`.
    pub w_out: FloatTensor<B>,
    /// `[E, G*F]` and `[E, D]`.
    #[extension_type]
    pub biases: Added<B>,
    /// What an expert computes between its two products.
    pub act: Activation,
    /// Of the factors.
    pub precision: Precision,
}

/// What the forward pass makes.
pub struct Forward<B: ExpertsKernel> {
    /// The weighted sum, `[N, D]`.
    pub output: FloatTensor<B>,
    /// The first product with its bias, `[N*K, G*F]`, rows sorted by expert, then by token.
    pub hidden: FloatTensor<B>,
    /// What was found out about the selection.
    pub route: B::Route,
}

/// What the backward pass reads again.
#[derive(Debug, Clone)]
pub struct Saved<B: ExpertsKernel> {
    /// What the forward pass took.
    pub inputs: Experts<B>,
    /// Its first product with its bias.
    pub hidden: FloatTensor<B>,
    /// What it found out about the selection.
    #[allow(dead_code)] // read where there are kernels for GPUs
    pub route: B::Route,
}

/// The gradients of the inputs that have one.
pub struct Gradients<B: Backend> {
    /// `[N, D]`.
    pub x: FloatTensor<B>,
    /// `[N, K]`.
    pub gates: FloatTensor<B>,
    /// `[E, G*F, D]`.
    pub w_in: FloatTensor<B>,
    /// `[E, D, F]`.
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
pub trait ExpertsOp: Backend {
    /// See [`experts()`].
    fn experts(#[extension_type] inputs: Experts<Self>) -> FloatTensor<Self>;
}

/// Without a tape: the forward pass alone.
impl<B: ExpertsKernel> ExpertsOp for B {
    fn experts(inputs: Experts<B>) -> FloatTensor<B> {
        inputs.forward().output
    }
}

/// On a tape: the forward pass, and the step back.
impl<B: ExpertsKernel, C: CheckpointStrategy> ExpertsOp for Autodiff<B, C> {
    fn experts(inputs: Experts<Self>) -> FloatTensor<Self> {
        let nodes = [inputs.x.node(), inputs.gates.node(), inputs.w_in.node(), inputs.w_out.node()];
        let (of_biases, biases) = inputs.biases.untaped();
        let inputs = Experts::<B> {
            x: inputs.x.into_primitive(),
            indices: inputs.indices,
            gates: inputs.gates.into_primitive(),
            w_in: inputs.w_in.into_primitive(),
            w_out: inputs.w_out.into_primitive(),
            biases,
            act: inputs.act,
            precision: inputs.precision,
        };
        let kept = |inputs: Experts<B>| {
            let Forward { output, hidden, route } = inputs.clone().forward();
            (output, Saved { inputs, hidden, route })
        };
        let output = |inputs: Experts<B>| inputs.forward().output;
        let Some([b_in, b_out]) = of_biases else {
            return tape::recorded::<B, C, _, _, 4>(nodes, inputs, kept, output, |saved, grad| {
                saved.backward(grad).of_products()
            });
        };
        let [x, gates, w_in, w_out] = nodes;
        let nodes = [x, gates, w_in, w_out, b_in, b_out];
        tape::recorded::<B, C, _, _, 6>(nodes, inputs, kept, output, |saved, grad| {
            saved.backward(grad).of_all()
        })
    }
}

/// The door: element types are asked for here, and for every kernel.
impl<B: ExpertsKernel> Experts<B> {
    fn forward(self) -> Forward<B> {
        dtypes::same("experts", &self.dtypes());
        B::forward(self)
    }

    fn dtypes(&self) -> Vec<(&'static str, DType)> {
        let of_products = [
            ("x", self.x.dtype()),
            ("gates", self.gates.dtype()),
            ("w_in", self.w_in.dtype()),
            ("w_out", self.w_out.dtype()),
        ];
        of_products.into_iter().chain(self.biases.dtypes()).collect()
    }
}

impl<B: ExpertsKernel> Saved<B> {
    /// The gradients.
    ///
    /// What flows back into the products of an expert is the gradient of its output, `g dy` for a gate `g` and the
    /// gradient `dy` of the sum: so in bf16 that is rounded, and not `dy`. With `t = W_out^T (g dy)` the gradient
    /// of the hidden units is `t`; that of the gate, `y . dy` for the expert's output `y`, is taken to be
    /// `(h . t) / g`, for `y` is not kept. A gate that nothing can be divided by, 0 or no number, weighs afterwards.
    /// In f32 all do, where it takes less: nothing is rounded, and it comes to the same. With biases the gate has
    /// `b_out . dy` more, of which nothing is rounded, as `b_out` has no part in a product.
    pub(crate) fn backward(self, output_grad: FloatTensor<B>) -> Gradients<B> {
        let mut dtypes = self.inputs.dtypes();
        dtypes.extend([("hidden", self.hidden.dtype()), ("output_grad", output_grad.dtype())]);
        dtypes::same("the backward pass of experts", &dtypes);
        B::backward(self, output_grad)
    }
}

impl<B: Backend> Gradients<B> {
    /// Of `x`, `gates`, `w_in` and `w_out`.
    fn of_products(self) -> [FloatTensor<B>; 4] {
        [self.x, self.gates, self.w_in, self.w_out]
    }

    /// The same, and of `b_in` and `b_out`, which the inputs had.
    fn of_all(self) -> [FloatTensor<B>; 6] {
        let Added::Biases { b_in, b_out } = self.biases else { unreachable!("biases have gradients") };
        [self.x, self.gates, self.w_in, self.w_out, b_in, b_out]
    }
}

/// The kernels of a backend, outside the tape.
pub trait ExpertsKernel: Bridge {
    /// What the forward pass finds out about the selection for the backward pass, where that is worth keeping.
    type Route: Clone + Debug + Default + Send + 'static;

    /// The weighted sum of the selected experts' outputs, and what its backward pass needs.
    fn forward(inputs: Experts<Self>) -> Forward<Self>;

    /// The gradients: of biases where the inputs have some.
    fn backward(saved: Saved<Self>, output_grad: FloatTensor<Self>) -> Gradients<Self>;
}
