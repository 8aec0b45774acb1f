//! Reading what a spec names: files of any packing, plain text or records, as documents.

mod form;
mod json;
mod open;
mod record;
mod rows;
mod template;
mod utf16;

pub(crate) use form::Form;
pub(crate) use json::{Fields, NoObject};
pub(crate) use open::{Lines, Pieces, utf8};
pub(crate) use record::{BadRecord, Document};
pub(crate) use rows::{Rows, is_parquet};
