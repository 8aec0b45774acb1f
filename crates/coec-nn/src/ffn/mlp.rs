//! MLPs: one for every token, and a pool of routed ones.

use burn::module::{Module, Param as Slot};
use burn::tensor::{Int, Tensor};
use coec_ir::Act;
use coec_kernels::{Activation, Precision};

use crate::{Maker, maker::Params};

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
}

impl Mlp {
    /// The MLP of the next projections.
    pub(crate) fn new(make: &mut Maker, params: &mut Params, act: Act) -> Self {
        let (w_in, w_out) = params.mlps(1, act.is_gated());
        let rows = w_in.iter().map(|part| part.shape[0]).sum();
        let (dim, hidden) = (w_out[0].shape[0], w_out[0].shape[1]);
        Self { act, w_in: make.stacked([rows, dim], w_in), w_out: make.stacked([dim, hidden], w_out) }
    }

    /// `[N, D]` to `[N, D]`.
    pub fn forward(&self, x: Tensor<2>, precision: Precision) -> Tensor<2> {
        coec_kernels::mlp(x, self.w_in.val(), self.w_out.val(), None, kernel_act(self.act), precision)
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
}

impl Experts {
    /// The pool of the next `count` MLPs of width `hidden`.
    pub(crate) fn new(make: &mut Maker, params: &mut Params, act: Act, [count, hidden]: [usize; 2]) -> Self {
        let wide = (act.projections() - 1) * hidden; // rows of W_in: gate and up, or up
        let (w_in, w_out) = params.mlps(count, act.is_gated());
        Self {
            act,
            w_in: make.stacked([count, wide, make.dim], w_in),
            w_out: make.stacked([count, make.dim, hidden], w_out),
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
        coec_kernels::experts(x, indices, gates, w_in, w_out, None, kernel_act(self.act), precision)
    }
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
