//! MLPs: one for every token, and a pool of routed ones.

use burn::module::{Module, Param as Slot};
use burn::tensor::{Int, Tensor};
use coec_ir::Act;
use coec_kernels::{Activation, Biases, Precision};

use crate::{
    Maker,
    maker::{Mlps, Params},
};

/// `down(act(gate x) * up x)`, or `down(act(up x))` without a gate.
#[derive(Module, Debug)]
pub struct Mlp {
    /// Between its two products.
    #[module(skip)]
    pub act: Act,
    /// `[G*F, D]`: gate rows, if any, before up rows.
    pub w_in: Slot<Tensor<2>>,
    /// `[D, F]`.
    pub w_out: Slot<Tensor<2>>,
    /// `[G*F]` and `[D]`, if the projections have biases.
    pub biases: Option<[Slot<Tensor<1>>; 2]>,
}

impl Mlp {
    /// The MLP of the next projections, with biases or without.
    pub(crate) fn new(make: &mut Maker, params: &mut Params, act: Act, bias: bool) -> Self {
        let Mlps { w_in, w_out, b_in, b_out } = params.mlps(1, act, bias);
        let rows = w_in.iter().map(|part| part.shape[0]).sum();
        let (dim, hidden) = (w_out[0].shape[0], w_out[0].shape[1]);
        Self {
            act,
            w_in: make.stacked([rows, dim], w_in),
            w_out: make.stacked([dim, hidden], w_out),
            biases: bias.then(|| [make.stacked([rows], b_in), make.stacked([dim], b_out)]),
        }
    }

    /// `[N, D]` to `[N, D]`.
    pub fn forward(&self, x: Tensor<2>, precision: Precision) -> Tensor<2> {
        let biases = of_slots(&self.biases);
        coec_kernels::mlp(x, self.w_in.val(), self.w_out.val(), biases, kernel_act(self.act), precision)
    }
}

/// A pool of experts, used by every iteration of a chain.
#[derive(Module, Debug)]
pub struct Experts {
    /// Between its two products.
    #[module(skip)]
    pub act: Act,
    /// `[E, G*F, D]`: gate rows, if any, before up rows.
    pub w_in: Slot<Tensor<3>>,
    /// `[E, D, F]`.
    pub w_out: Slot<Tensor<3>>,
    /// `[E, G*F]` and `[E, D]`, if the projections have biases.
    pub biases: Option<[Slot<Tensor<2>>; 2]>,
}

impl Experts {
    /// The pool of the next `count` MLPs of width `hidden`, with biases or without.
    pub(crate) fn new(
        make: &mut Maker,
        params: &mut Params,
        act: Act,
        [count, hidden]: [usize; 2],
        bias: bool,
    ) -> Self {
        let wide = (act.projections() - 1) * hidden; // rows of W_in: gate and up, or up
        let dim = make.dim;
        let Mlps { w_in, w_out, b_in, b_out } = params.mlps(count, act, bias);
        Self {
            act,
            w_in: make.stacked([count, wide, dim], w_in),
            w_out: make.stacked([count, dim, hidden], w_out),
            biases: bias.then(|| [make.stacked([count, wide], b_in), make.stacked([count, dim], b_out)]),
        }
    }

    /// The weighted sum of the selected experts: x `[N, D]`, indices and gates `[N, K]`, output `[N, D]`.
    pub fn forward(
        &self,
        x: Tensor<2>,
        indices: Tensor<2, Int>,
        gates: Tensor<2>,
        precision: Precision,
    ) -> Tensor<2> {
        let (w_in, w_out) = (self.w_in.val(), self.w_out.val());
        let biases = of_slots(&self.biases);
        coec_kernels::experts(x, indices, gates, w_in, w_out, biases, kernel_act(self.act), precision)
    }
}

/// Biases as the kernels take them.
fn of_slots<const R: usize>(biases: &Option<[Slot<Tensor<R>>; 2]>) -> Option<Biases<R>> {
    biases.as_ref().map(|[b_in, b_out]| Biases { b_in: b_in.val(), b_out: b_out.val() })
}

/// The kernel's name for an activation.
fn kernel_act(act: Act) -> Activation {
    match act {
        Act::Swiglu => Activation::Swiglu,
        Act::Geglu => Activation::Geglu,
        Act::Gelu => Activation::Gelu,
        Act::Relu2 => Activation::Relu2,
        Act::Clamped => Activation::Clamped,
    }
}
