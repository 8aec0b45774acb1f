//! Text to learn from: where it comes from, what is held out, and how it is cut into sequences.
//!
//! [`Texts`] are the sources that a spec names, read as streams and never held: surveyed once, so that what
//! is broken is said before anything is begun, then tokenised into the cache, where they are found again
//! by their content. [`TrainBatches`] and [`ValidationBatches`] read windows of tokens from there, any batch a
//! function of (seed, step) alone.

mod arithmetic;
mod batch;
mod cache;
mod error;
mod files;
mod input;
mod kind;
mod order;
mod packed;
mod progress;
mod reader;
mod sequences;
mod source;
mod split;
mod store;
mod stream;
mod texts;

pub use arithmetic::{Problem, problem, problems};
pub use batch::Batch;
pub use cache::Cache;
pub use error::{DataError, Part};
pub use files::absolute;
pub use input::{kept, kept_file};
pub use kind::{FileKind, kind_of};
pub use packed::{TrainBatches, ValidationBatches};
pub use progress::Progress;
pub use sequences::Sequences;
pub use source::{Source, Survey};
pub use split::is_held_out;
pub use store::Tokens;
pub use stream::{Purpose, Stream};
pub use texts::Texts;

/// The names of the built-in data sets.
pub const BUILTINS: &[&str] = &["arithmetic"];
