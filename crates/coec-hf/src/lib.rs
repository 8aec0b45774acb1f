//! What Hugging Face folders of sparse models say.
//!
//! A folder is a `config.json` and tensors with names. This crate turns the settings into a
//! [`Model`](coec_ir::Model) and back, and says which tensor of the folder is which tensor of the
//! model. It opens no file: the caller reads and writes.
//!
//! # Three kinds of settings
//!
//! Each setting of a `config.json` is one of three things, and none is skipped in silence:
//!
//! - **honoured**: it changes the model;
//! - **inert**: it changes no output of the model; [`Family::inert`] lists these by
//!   name, each with its reason, and [`Import::inert`] those that a folder gave;
//! - **refused**: it says what the language cannot, or is a name that the family does not know. The
//!   error names the key, the value, the reason, and what would be accepted.
//!
//! An unknown name is refused because it may change the mathematics. Where its value is `null` or
//! `false` it switches nothing on, and counts as inert. A setting that is left out has the default
//! that the family's own configuration class gives it; where the published code has no default, the
//! setting is required.
//!
//! # What a folder cannot say
//!
//! How the load of the experts is balanced has no name in most families. [`export()`] then writes the
//! terms under [`BALANCE`], which `transformers` keeps and ignores, and [`import()`] prefers them.
//! Models that differ from each other in nothing that can be computed, such as
//! `coe(iter=1, residual=delta)` and `moe`, are one model here: see [`canonical()`].
//!
//! # Tensors
//!
//! A tensor of the folder is one of the model, or holds several: the experts of a layer may be one tensor,
//! gate and up one matrix, and that as its transpose. [`Mapped`] says which numbers are whose, as data: no
//! family has code that moves any. Shared experts are one MLP on both sides. [`tensors()`] lists the folder's
//! tensors in the order of the model, and [`sort()`] holds those that are found against them, in either
//! [`Layout`].

mod canonical;
mod error;
mod export;
mod family;
mod import;
mod inert;
mod json;
mod kept;
mod layout;
mod model_type;
mod name;
mod quantization;
mod read;
mod rope;
mod sort;
mod tensors;
mod write;

pub use canonical::canonical;
pub use error::{Difference, HfError, Obstacle};
pub use export::{export, family_of};
pub use import::{Import, Inert, import};
pub use inert::Reason;
pub use kept::{Kept, converted, pretty};
pub use layout::{Axis, Layout, View};
pub use model_type::Family;
pub use name::model_name;
pub use quantization::Quantization;
pub use read::{BALANCE, Note};
pub use sort::{Carried, Sorted, Why, sort};
pub use tensors::{Mapped, Part, tensors, tensors_as};
