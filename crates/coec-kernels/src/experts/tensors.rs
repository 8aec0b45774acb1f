//! The product on tensors, for kernels that are composed of Burn's own operations.

use burn::backend::tensor::FloatTensor;
use burn::tensor::{Int, Tensor};

use super::{Experts, ExpertsKernel, Forward, Saved};
use crate::{Activation, Biases, biases::Added, bridge::Bridge};

/// What [`experts()`](super::experts()) takes. Shapes as there.
#[derive(Debug, Clone)]
pub(crate) struct Tensors {
    pub x: Tensor<2>,
    pub indices: Tensor<2, Int>,
    pub gates: Tensor<2>,
    pub w_in: Tensor<3>,
    pub w_out: Tensor<3>,
    pub biases: Option<Biases<2>>,
    pub act: Activation,
}

impl Tensors {
    /// The same on tensors.
    fn of<B: Bridge>(inputs: Experts<B>) -> Self {
        Self {
            x: B::tensor(inputs.x),
            indices: B::int_tensor(inputs.indices),
            gates: B::tensor(inputs.gates),
            w_in: B::tensor(inputs.w_in),
            w_out: B::tensor(inputs.w_out),
            biases: inputs.biases.tensors(),
            act: inputs.act,
        }
    }
}

/// The forward pass by a kernel that makes the weighted sum and the first product.
pub(super) fn forward<B: ExpertsKernel>(
    inputs: Experts<B>,
    kernel: impl FnOnce(Tensors) -> (Tensor<2>, Tensor<2>),
) -> Forward<B> {
    let (output, hidden) = kernel(Tensors::of(inputs));
    Forward { output: B::primitive(output), hidden: B::primitive(hidden), route: Default::default() }
}

/// The backward pass by a kernel that takes the inputs, the first product and the output's gradient.
pub(super) fn backward<B: ExpertsKernel>(
    saved: Saved<B>,
    output_grad: FloatTensor<B>,
    kernel: impl FnOnce(Tensors, Tensor<2>, Tensor<2>) -> Gradients,
) -> super::Gradients<B> {
    let inputs = Tensors::of(saved.inputs);
    let grads = kernel(inputs, B::tensor(saved.hidden), B::tensor(output_grad));
    super::Gradients {
        x: B::primitive(grads.x),
        gates: B::primitive(grads.gates),
        w_in: B::primitive(grads.w_in),
        w_out: B::primitive(grads.w_out),
        biases: Added::of(grads.biases),
    }
}

/// The gradients of every input that has one.
pub(crate) struct Gradients {
    pub x: Tensor<2>,
    pub gates: Tensor<2>,
    pub w_in: Tensor<3>,
    pub w_out: Tensor<3>,
    pub biases: Option<Biases<2>>,
}
