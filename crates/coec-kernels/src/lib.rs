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
//! Beside it stand a few operations that Burn composes of many passes over memory: RMSNorm,
//! causal softmax, the rotary embedding and the AdamW update, fused on the CPU.
//!
//! `unsafe` code of the workspace lives here: the calls into `gemm`, and calls of functions
//! compiled for vector units after asking for them. (The counting allocator of coec-train is the
//! one exception: a global allocator cannot be written without.)

mod activation;
mod adamw;
mod autodiff;
mod backend;
mod cpu;
mod dtypes;
pub mod flops;
mod fused;
mod ops;
#[cfg(test)]
mod tests;

pub use activation::Activation;
pub use adamw::{AdamWStep, adamw};
pub use backend::ExpertKernels;
pub use fused::{FusedKernels, Pairs, causal_softmax, rms_norm, rotate};
pub use ops::{experts, mlp, select_top_k};
