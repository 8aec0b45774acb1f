//! Hugging Face folders, in and out.
//!
//! [`coec_hf`] knows what the settings and the names mean; this module reads and writes the files.
//! Tensors are copied a piece at a time, from shards and into shards, so that a checkpoint need not
//! fit into memory.

mod companions;
mod conversion;
mod ends;
mod error;
mod export;
mod files;
#[cfg(test)]
mod fp8;
#[cfg(test)]
mod fused;
mod import;
mod precision;
mod settings;
mod shards;
mod source;
#[cfg(test)]
mod tests;
mod tokenizer_files;
mod tokenizer_json;

pub use companions::{COMPANIONS, Companions};
pub use ends::end_tokens;
pub use error::FolderError;
pub use export::{Exported, export};
pub use files::{begin, commit, write};
pub use import::{Imported, import};
pub use precision::precision;
pub use shards::{Tensor, write_shards};
pub use source::Folder;
pub use tokenizer_files::TokenizerFiles;

/// The subfolder of an import that keeps what the spec and the weights do not hold.
const KEPT: &str = "hf";

/// The settings.
const CONFIG: &str = "config.json";

/// The tokenizer.
const TOKENIZER: &str = "tokenizer.json";

/// Tensors the model has no use for, in [`KEPT`].
const CARRIED: &str = "carried.safetensors";

/// How the folder held its tensors, where that is not as it is published, in [`KEPT`].
const LAYOUT: &str = "layout.json";

/// Small files that an import keeps as they are, for the way back.
const BESIDES: &[&str] = &[
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
];
