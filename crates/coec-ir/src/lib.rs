//! What a sparse language model *is*.
//!
//! This crate is the one description every other part of coec reads: the
//! language resolves text into it by its [`table`]s, [`verify`](fn@verify) accepts or explains it, [`cost`]
//! counts it, [`walk`](fn@walk) hands it to the back ends in order, [`text`] writes
//! it back as a fully explicit spec, and [`diff`] sets two of them side by side.
//!
//! # The model
//!
//! A decoder-only transformer. Tokens `[B, T]` are embedded into the residual
//! stream `h` `[B, T, D]`; each layer applies two sublayers; a final RMSNorm
//! and an output head give logits `[B, T, V]`:
//!
//! ```text
//! h = Embedding[tokens]
//! for each layer:  h = h + Attention(Norm(h));  h = Ffn(h)
//! logits = Norm(h) W_out^T          W_out is the embedding when tied
//! RMSNorm(x) = x * rsqrt(mean(x^2) + eps) * w
//! ```
//!
//! # The Chain-of-Experts sublayer
//!
//! [`Coe`] is a pool of `E` routed experts, used `C` times in sequence. All
//! iterations share the pool; `K` experts are selected per token and
//! iteration; `S` shared experts run unweighted where [`SharedAt`] says. An
//! expert is `down(act(gate x) * up x)` (or `down(act(up x))` for the
//! activations without a gate), no bias. One iteration computes, from its
//! input `u`:
//!
//! ```text
//! p   = score(W u)                     softmax over all E, or sigmoid; in f32
//! top = the K largest of p (of p + b with a selection bias); ties to the lower index
//! g_i = p[i] for i in top              never the biased score
//! g   = g / (sum g + 1e-20)            if renorm
//! g   = g * scale
//! y   = sum_i g_i E_i(u) + sum_j Shared_j(u)      shared experts times sigmoid(w . u) if shared_gate=sigmoid
//! ```
//!
//! How `y` re-enters the chain and the stream is the [`Wiring`] of the block,
//! decided by `residual` and `norm` alone and written down once, in
//! [`Coe::wiring`]:
//!
//! | residual | norm=once: z_0 = Norm(h), u_t = z_(t-1) | output | norm=each, tied: x_0 = h, u_t = Norm_t(x_(t-1)) | output |
//! |---|---|---|---|---|
//! | inner | z_t = z_(t-1) + y_t | z_C | x_t = x_(t-1) + y_t | x_C |
//! | outer | z_t = y_t | h + z_C | x_t = y_t | h + x_C |
//! | both  | z_t = z_(t-1) + y_t | h + z_C | refused: h would count twice | |
//! | delta | z_t = z_(t-1) + y_t | h + (z_C - z_0) | refused: equals inner | |
//! | init  | z_t = z_0 + y_t | z_C | x_t = h + y_t | x_C |
//! | none  | z_t = y_t | z_C | x_t = y_t | x_C |
//!
//! `moe(...)` is `coe(...)` with one iteration and `residual=outer`: the
//! ordinary pre-norm block. [`Dense`] is `h + MLP(Norm(h))`.
//!
//! `gate` says how many routers there are and when they read: `independent`
//! (C routers, each reads its iteration's input), `tied` (one router, read in
//! every iteration), `frozen` (one router, read once on `u_1`; selection and
//! weights are reused).
//!
//! # Verified models
//!
//! Block structs are plain data, so that a spec can be written as a Rust
//! literal. Back ends take [`Verified`], which only [`verify`](fn@verify) makes, and never
//! fail on it for a reason `verify` could have named.

mod balance;
mod binomial;
mod block;
pub mod bounds;
pub mod budget;
mod check;
pub mod cost;
pub mod diff;
mod figure;
mod flops;
mod kept;
mod memory;
mod model;
mod params;
mod quantity;
mod ranks;
mod recompute;
mod shown;
mod site;
pub mod table;
mod tensors;
pub mod text;
mod train;
mod verify;
mod violation;
mod walk;

pub use balance::Balance;
pub use binomial::{binomial, binomials};
pub use block::*;
pub use bounds::Bounds;
pub use budget::{Comparison, Conditions, Rule, Target};
pub use check::Check;
pub use figure::{Figure, Unit};
pub use flops::*;
pub use kept::Kept;
pub use model::{Layer, Loop, Model, Rms, Stack, Tokens};
pub use params::{Init, Param};
pub use quantity::{ParseQuantityError, Quantity, counted, grouped};
pub use ranks::{EXCHANGED, Shard};
pub use recompute::Recompute;
pub use shown::{first_digits, short};
pub use site::Site;
pub use tensors::Tensors;
pub use train::*;
pub use verify::{Verified, verify, verify_attention, verify_ffn, verify_head, verify_loops, verify_train};
pub use violation::{Place, Violation, ViolationKind};
pub use walk::{Sink, walk};

/// The version of every JSON document this workspace writes.
///
/// It changes when a field changes its meaning or goes away, never when one is added.
pub const SCHEMA: &str = "coec/1";
