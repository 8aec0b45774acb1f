//! The product at the heart of a mixture of experts, forward and backward, on every backend.
//!
//! Each token is multiplied with the weights of the `K` experts it selected,
//! and with no others: dropless, no capacity, no padding. One differentiable
//! operation does the whole of it, from the gathered rows to the weighted sum:
//!
//! ```text
//! y[n] = sum_k gates[n,k] * E_i(x[n]),  i = indices[n,k]
//! E_i(x) = W_out[i] act(W_in[i] x + b_in[i]) + b_out[i]
//! ```
//!
//! `W_in[i]` stacks the gate projection on the up projection for gated
//! activations, which are functions of both, and is the up projection alone otherwise.
//! Experts without biases are those that most models have: nothing is added, and nothing takes its time.
//!
//! | backend | how |
//! |---|---|
//! | Flex, NdArray | fused: counting sort, blocks of rows of one expert, one task each |
//! | CUDA, wgpu | fused in CubeCL: sorted on the device, one launch a product, whatever the number of experts |
//! | capture | the same matrix products, recorded with their exact sizes |
//!
//! Beside it stand the selection of the experts, and what Burn composes of many passes over memory: linear
//! maps, attention in blocks of queries, the cross-entropy of a head without its logits, RMSNorm, the rotary
//! embedding, look-ups, sums of squares and the AdamW update, fused on the CPU and on GPUs.
//!
//! Whatever multiplies matrices takes a [`Precision`], last or in a struct that is: what becomes of the
//! factors of each of its products, forward and backward. Kernels find it among their inputs, and in what the
//! backward pass reads.
//!
//! # How it is arranged
//!
//! An operation is a folder. Its `mod.rs` reads from top to bottom: the function, what crosses to a
//! backend, the operation without a tape and on one (`...Op`), and what a backend may have kernels for
//! (`...Kernel`). The other files are its kernels:
//!
//! | file | for |
//! |---|---|
//! | `composed` | every backend that has no kernel of its own: the default of `...Kernel`, and a peer in tests |
//! | `cpu` | every backend whose tensors are slices (`cpu::Host`) |
//! | `cube` | every GPU |
//! | `capture` | capture, where it shares no product with what it checks |
//!
//! **A kernel for a device** is a file, say `add/cube.rs` with `impl AddKernel for Cube`. The line of
//! `add/mod.rs` that says that Cube has none, `impl AddKernel for Cube {}`, becomes `mod cube;`, and nothing
//! else here changes. What the kernels of a device share is a folder: `cpu/`, `cube/`. A kernel may take for
//! granted that its float tensors have one element type, and the shapes that the function asks for.
//!
//! **An operation** is a folder like the others, and its lines below.
//!
//! `recompute` is no kernel: it makes one step of the tape of a whole segment of a computation, which the
//! backward pass runs again.
//!
//! Generated crates carry these files: each has its place in `coec-emit/src/carried.rs`.
//!
//! `unsafe` code of the workspace lives here: the kernels of matrix products, and calls of functions
//! compiled for vector units after asking for them. (The counting allocator of coec-train is the
//! one exception: a global allocator cannot be written without.)

mod activation;
mod adamw;
mod add;
mod attention;
mod biases;
mod bridge;
mod cpu;
mod cross_entropy;
#[cfg(feature = "cube")]
mod cube;
mod dtypes;
mod embed;
mod experts;
pub mod flops;
mod linear;
mod mlp;
mod precision;
mod recompute;
mod rms_norm;
mod rotate;
mod rounding;
mod select_top_k;
mod softmax;
mod sum_of_squares;
mod tape;
#[cfg(test)]
mod tests;

pub use activation::Activation;
pub use adamw::{AdamWStep, adamw};
pub use add::add;
pub use attention::{Mixing, attention};
pub use biases::Biases;
pub use cross_entropy::{head_cross_entropy, head_losses};
#[cfg(feature = "cube")]
pub use cube::without_matrix_units;
pub use embed::embed;
pub use experts::experts;
pub use linear::linear;
pub use mlp::mlp;
pub use precision::Precision;
pub use recompute::{Segment, recomputed};
pub use rms_norm::rms_norm;
pub use rotate::{Pairing, rotate};
pub use rounding::{rounded, with_rounded_gradient};
pub use select_top_k::select_top_k;
pub use softmax::softmax;
pub use sum_of_squares::sum_of_squares;
