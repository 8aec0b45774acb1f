//! MLPs: one for every token, and a pool of routed ones.

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor};
use coec_ir::Act;

use super::kernel_act;
use crate::norm::RmsNorm;

/// `down(act(gate x) * up x)`, or `down(act(up x))` without a gate.
#[derive(Module, Debug)]
pub struct Mlp {
    #[module(skip)]
    pub(crate) act: Act,
    /// `[G*F, D]`: gate rows, if any, before up rows.
    pub w_in: Param<Tensor<2>>,
    /// `[D, F]`.
    pub w_out: Param<Tensor<2>>,
}

impl Mlp {
    /// `[N, D]` to `[N, D]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        coec_kernels::mlp(x, self.w_in.val(), self.w_out.val(), kernel_act(self.act))
    }
}

/// A pool of experts, used by every iteration of a chain.
#[derive(Module, Debug)]
pub struct Experts {
    #[module(skip)]
    pub(crate) act: Act,
    /// `[E, G*F, D]`: gate rows, if any, before up rows.
    pub w_in: Param<Tensor<3>>,
    /// `[E, D, F]`.
    pub w_out: Param<Tensor<3>>,
}

impl Experts {
    /// The weighted sum of the selected experts: x `[N, D]`, indices and gates `[N, K]`, output `[N, D]`.
    pub fn forward(&self, x: Tensor<2>, indices: Tensor<2, Int>, gates: Tensor<2>) -> Tensor<2> {
        coec_kernels::experts(x, indices, gates, self.w_in.val(), self.w_out.val(), kernel_act(self.act))
    }
}

/// `h + MLP(Norm(h))`.
#[derive(Module, Debug)]
pub struct Dense {
    /// In front of the sublayer.
    pub norm: RmsNorm,
    /// The MLP.
    pub mlp: Mlp,
}

impl Dense {
    pub(crate) fn forward(&self, h: Tensor<3>) -> Tensor<3> {
        let [b, t, d] = h.dims();
        let y = self.mlp.forward(self.norm.forward(h.clone()).reshape([b * t, d]));
        h + y.reshape([b, t, d])
    }
}
