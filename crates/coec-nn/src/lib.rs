//! Chain-of-Experts language models as Burn modules.
//!
//! [`LanguageModel`] builds itself from the IR's own structs, through the one
//! [`walk`](coec_ir::walk); there is no second configuration. Backends are
//! chosen at run time by the [`Device`](burn::tensor::Device) it is built on.
//!
//! Shapes in comments: B batch, T tokens, N = B*T, D width, H heads, E experts,
//! K selected, F expert width, C iterations, V vocabulary.

mod attention;
mod build;
mod cache;
pub mod capture;
mod ffn;
mod init;
mod model;
mod norm;
mod parameters;
mod positions;
pub mod reference;

pub use attention::{LatentAttention, MultiHeadAttention};
pub use build::{BuildError, Source};
pub use cache::Cache;
pub use ffn::{Chain, Load, Mlp};
pub use model::{Forward, LanguageModel, cross_entropy};
pub use norm::RmsNorm;
pub use parameters::{Binding, LoadError};
