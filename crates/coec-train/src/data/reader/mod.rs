//! Reading what a spec names: files of any packing, plain text or records, as documents.

mod form;
mod json;
mod open;
mod record;
mod template;

pub(crate) use form::Form;
pub(crate) use json::{Fields, NoObject};
pub(crate) use open::{Lines, Pieces, utf8};
pub(crate) use record::{BadRecord, Document};
