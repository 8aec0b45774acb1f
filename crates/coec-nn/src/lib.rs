//! Chain-of-Experts language models as Burn modules.
//!
//! [`LanguageModel`] builds itself from the IR's own structs, through the one
//! [`walk`](coec_ir::walk); there is no second configuration. Backends are
//! chosen at run time by the [`Device`](burn::tensor::Device) it is built on.
//!
//! Every block is a module of its own, in a file of its own, that builds itself from its IR
//! struct with a [`Maker`] and takes part in a [`Pass`]. A generated crate puts the same files
//! together without [`LanguageModel`], which is any model, in favour of the one it is.
//!
//! Shapes in comments: B batch, T tokens, N = B*T, D width, H heads, E experts,
//! K selected, F expert width, C iterations, V vocabulary.

mod attention;
mod bindings;
mod build;
mod cache;
pub mod capture;
pub mod counting;
mod embedding;
mod ffn;
mod init;
mod maker;
mod model;
mod norm;
mod pass;
mod positions;
pub mod random;
mod recompute;

pub use attention::*;
pub use bindings::{Binding, Bindings, LoadError};
pub use build::BuildError;
pub use cache::Cache;
pub use coec_kernels::Precision;
pub use embedding::{Embedding, Head, Logits};
pub use ffn::*;
pub use init::values as initial_values;
pub use maker::{Maker, Source};
pub use model::{LanguageModel, Manner, factors};
pub use norm::RmsNorm;
pub use pass::{Forward, Load, Pass, Route, Selections, cross_entropy, token_losses, weighted_cross_entropy};
pub use recompute::recompute;
