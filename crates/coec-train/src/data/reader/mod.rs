//! Reading what a spec names: files of any packing, plain text or records, as documents.

mod form;
mod json;
mod open;
mod template;

pub(crate) use form::{BadRecord, Document, Form};
pub(crate) use json::{Fields, NoObject};
pub(crate) use open::{Lines, Pieces, utf8};
