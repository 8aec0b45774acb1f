//! Files: written whole or not at all ([`atomic`]), through one small trait ([`disk`]), where a path that
//! somebody named leads to ([`output`]); tensors in them ([`weights`]); and Hugging Face folders of both
//! ([`folder`]). What can be made again has a folder of its own ([`cache_folder`]).
//!
//! No framework is needed to read or write weights, so this crate knows none: the compiler alone
//! imports and exports.

pub mod atomic;
mod cache;
pub mod disk;
pub mod folder;
pub mod output;
mod path;
pub mod weights;

pub use cache::cache_folder;
