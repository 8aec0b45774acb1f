//! Files: written whole or not at all ([`atomic`]), through one small trait ([`disk`]), where a path that
//! somebody named leads to ([`output`]); tensors in them ([`weights`]); and Hugging Face folders of both
//! ([`folder`]).
//!
//! No framework is needed to read or write weights, so this crate knows none: the compiler alone
//! imports and exports.

pub mod atomic;
pub mod disk;
pub mod folder;
pub mod output;
mod path;
pub mod weights;
