//! Where the cache is, and what it is made of.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use crate::data::DataError;

pub(in crate::data) use coec_store::cache_folder as folder;

/// Tokens, a folder for each key.
pub(in crate::data) const TOKENS: &str = "tokens";
/// What was found out about data, a file for each key.
pub(in crate::data) const SURVEYS: &str = "surveys";
/// Data that came through a pipe, a file for each.
pub(in crate::data) const INPUT: &str = "input";

/// What an entry of tokens says of itself.
pub(in crate::data) const ABOUT: &str = "entry.json";

/// A file of the cache that cannot be written.
pub(in crate::data) fn unwritable(path: &Path, source: io::Error) -> DataError {
    DataError::Cache { path: path.to_owned(), source }
}

/// Writes down that a file was used now, which decides what goes first; a cache that cannot be written needs
/// no order.
pub(in crate::data) fn note_use(path: &Path) {
    let _ = File::options().append(true).open(path).and_then(|file| file.set_modified(SystemTime::now()));
}
