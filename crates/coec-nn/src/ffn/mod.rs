//! The feed-forward sublayers.

mod balance;
mod bias;
mod chain;
mod mlp;
mod router;

pub use chain::{Chain, Load};
pub use mlp::Mlp;

use burn::module::Module;
use coec_ir::Act;

/// Either kind of feed-forward sublayer.
// One a layer: nothing is gained by a box.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum Ffn {
    /// A chain of experts.
    Chain(Chain),
    /// A dense MLP with the norm and the residual around it.
    Dense(mlp::Dense),
}

pub(crate) use mlp::{Dense, Experts};
pub(crate) use router::Router;

/// The kernel's name for an activation.
fn kernel_act(act: Act) -> coec_kernels::Act {
    match act {
        Act::Swiglu => coec_kernels::Act::Swiglu,
        Act::Geglu => coec_kernels::Act::Geglu,
        Act::Gelu => coec_kernels::Act::Gelu,
        Act::Relu2 => coec_kernels::Act::Relu2,
    }
}
