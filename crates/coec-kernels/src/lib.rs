//! The product at the heart of a mixture of experts, forward and backward, on every backend.
//!
//! Each token is multiplied with the weights of the `K` experts it selected,
//! and with no others: dropless, no capacity, no padding. One differentiable
//! operation does the whole of it, from the gathered rows to the weighted sum:
//!
//! ```text
//! y[n] = sum_k gates[n,k] * E_i(x[n]),  i = indices[n,k]
//! E_i(x) = W_out[i] act(W_in[i] x)
//! ```
//!
//! `W_in[i]` stacks the gate projection on the up projection for gated
//! activations (`act(gate) * up`), and is the up projection alone otherwise.
//!
//! | backend | how |
//! |---|---|
//! | Flex, NdArray | fused: counting sort, blocks of rows of one expert through `gemm`, one task each |
//! | CUDA | composed from Burn's own operations, expert by expert |
//! | capture | the same matrix products, recorded with their exact sizes |
//!
//! Only this crate of the workspace contains `unsafe` code: the calls into `gemm`.

mod act;
mod adamw;
mod autodiff;
mod backend;
mod cpu;
pub mod flops;
mod ops;

pub use act::Act;
pub use adamw::{AdamWStep, adamw};
pub use backend::ExpertKernels;
pub use ops::{experts, mlp, select_top_k};
