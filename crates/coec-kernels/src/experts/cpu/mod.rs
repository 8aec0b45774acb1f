//! Fused, on slices: counting sort, then blocks of rows of one expert.

mod activation;
mod backward;
mod biases;
mod forward;
mod routing;
mod weighing;

use burn::backend::{
    Element, TensorMetadata,
    tensor::{FloatTensor, IntTensor},
};

use super::{Experts, ExpertsKernel, Forward, Gradients, Saved};
use crate::{
    Activation, Precision,
    biases::Added,
    cpu::{Host, Multiply, by_dtype},
};

/// Rows of one task: few enough that what is made of them stays in the second cache, and that threads share
/// an expert's rows.
const BLOCK: usize = 128;

impl<B: Host> ExpertsKernel for B {
    type Route = ();

    fn forward(inputs: Experts<B>) -> Forward<B> {
        by_dtype!("experts", inputs.x.dtype(), T => forward::<B, T>(inputs))
    }

    fn backward(saved: Saved<B>, output_grad: FloatTensor<B>) -> Gradients<B> {
        by_dtype!("the backward pass of experts", output_grad.dtype(), T =>
            backward::<B, T>(saved, output_grad))
    }
}

fn forward<B: Host, T: Multiply + Element>(inputs: Experts<B>) -> Forward<B> {
    let device = inputs.x.device();
    let (sizes, act) = (Sizes::of(&inputs), inputs.act);
    let (output, hidden) = on_slices(inputs, forward::forward::<T>);
    Forward {
        output: B::float(output, [sizes.tokens, sizes.dim], &device),
        hidden: B::float(hidden, [sizes.tokens * sizes.k, act.inputs() * sizes.hidden], &device),
        route: (),
    }
}

fn backward<B: Host, T: Multiply + Element>(saved: Saved<B>, output_grad: FloatTensor<B>) -> Gradients<B> {
    let Saved { inputs, hidden, .. } = saved;
    let device = inputs.x.device();
    let shapes = [&inputs.x, &inputs.gates, &inputs.w_in, &inputs.w_out].map(|input| input.shape());
    let of_biases = inputs.biases.pair().map(|biases| biases.map(|bias| bias.shape()));
    let (hidden, output_grad) = (B::hold(hidden), B::hold(output_grad));
    let grads = on_slices(inputs, |inputs| {
        backward::backward::<T>(inputs, B::slice(&hidden), B::slice(&output_grad))
    });
    let [x, gates, w_in, w_out] = shapes;
    let of = |values, shape| B::float::<T>(values, shape, &device);
    Gradients {
        x: of(grads.x, x),
        gates: of(grads.gates, gates),
        w_in: of(grads.w_in, w_in),
        w_out: of(grads.w_out, w_out),
        biases: match grads.biases.zip(of_biases) {
            None => Added::Nothing,
            Some(([b_in, b_out], [in_shape, out_shape])) => {
                Added::Biases { b_in: of(b_in, in_shape), b_out: of(b_out, out_shape) }
            }
        },
    }
}

/// What `kernel` makes of the inputs as slices.
fn on_slices<B: Host, T: Multiply + Element, R>(
    inputs: Experts<B>,
    kernel: impl FnOnce(Inputs<'_, T>) -> R,
) -> R {
    let sizes = Sizes::of(&inputs);
    let [x, gates, w_in, w_out] = [inputs.x, inputs.gates, inputs.w_in, inputs.w_out].map(B::hold);
    let biases = inputs.biases.pair().map(|biases| biases.map(|bias| B::hold(bias.clone())));
    kernel(Inputs {
        x: B::slice(&x),
        indices: &indices_u32::<B>(inputs.indices),
        gates: B::slice(&gates),
        w_in: B::slice(&w_in),
        w_out: B::slice(&w_out),
        biases: biases.as_ref().map(|biases| biases.each_ref().map(B::slice)),
        sizes,
        act: inputs.act,
        precision: inputs.precision,
    })
}

fn indices_u32<B: Host>(indices: IntTensor<B>) -> Vec<u32> {
    // What does not fit is no expert either: the sort refuses it.
    B::int_data(indices).iter::<i64>().map(|index| u32::try_from(index).unwrap_or(u32::MAX)).collect()
}

/// The inputs of the product, as slices in row-major order.
#[derive(Clone, Copy)]
struct Inputs<'a, T> {
    /// `[N, D]`.
    x: &'a [T],
    /// `[N, K]`.
    indices: &'a [u32],
    /// `[N, K]`.
    gates: &'a [T],
    /// `[E, G*F, D]`.
    w_in: &'a [T],
    /// `[E, D, F]`.
    w_out: &'a [T],
    /// `[E, G*F]` and `[E, D]`.
    biases: Option<[&'a [T]; 2]>,
    /// Sizes.
    sizes: Sizes,
    /// Activation.
    act: Activation,
    /// Of the factors.
    precision: Precision,
}

/// The sizes of the product.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    /// Tokens N.
    tokens: usize,
    /// Experts selected per token K.
    k: usize,
    /// Experts E.
    experts: usize,
    /// Width D.
    dim: usize,
    /// Expert width F.
    hidden: usize,
}

impl Sizes {
    fn of<B: Host>(inputs: &Experts<B>) -> Self {
        let ([tokens, dim], [_, k]) = (inputs.x.shape().dims(), inputs.indices.shape().dims());
        let [experts, _, hidden] = inputs.w_out.shape().dims();
        Self { tokens, k, experts, dim, hidden }
    }
}

impl<'a, T> Inputs<'a, T> {
    /// Rows of `W_in`: G*F.
    fn wide(&self) -> usize {
        self.act.inputs() * self.sizes.hidden
    }

    /// `W_in` of one expert, `[G*F, D]`.
    fn w_in_of(&self, expert: usize) -> &'a [T] {
        let size = self.wide() * self.sizes.dim;
        &self.w_in[expert * size..][..size]
    }

    /// `W_out` of one expert, `[D, F]`.
    fn w_out_of(&self, expert: usize) -> &'a [T] {
        let size = self.sizes.dim * self.sizes.hidden;
        &self.w_out[expert * size..][..size]
    }

    /// `b_in` and `b_out` of one expert, `[G*F]` and `[D]`.
    fn biases_of(&self, expert: usize) -> Option<[&'a [T]; 2]> {
        let of = |biases: &'a [T], width: usize| &biases[expert * width..][..width];
        self.biases.map(|[b_in, b_out]| [of(b_in, self.wide()), of(b_out, self.sizes.dim)])
    }
}
