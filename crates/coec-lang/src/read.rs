//! From a path to text.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::diagnostic::{Diagnostics, Found, finish};
use crate::error::ReadError;
use crate::loader::Loader;
use crate::source::{Sources, Span};

/// Bytes a spec may have.
pub const MAX_SOURCE: usize = 1 << 20;

/// The text of the file at a path, as a load would read it.
///
/// Fails where a load would: there is no such file, it cannot be read, is too large, or no text.
pub fn read(path: &str, loader: &dyn Loader) -> Result<String, Diagnostics> {
    let (mut sources, mut found) = (Sources::default(), Found::default());
    let argument = sources.add("argument", path, Path::new(""));
    let text = text(loader.read(Path::new(path)), path.to_string(), sources.whole(argument));
    let text = text.map_err(|error| found.push(error)).ok();
    finish(text, found, &Arc::new(sources))
}

/// What a loader gave, as text; `at` is where the file is named.
pub(crate) fn text(bytes: io::Result<Vec<u8>>, path: String, at: Span) -> Result<String, ReadError> {
    match bytes {
        Ok(bytes) if bytes.len() > MAX_SOURCE => Err(ReadError::TooLarge { path, limit: MAX_SOURCE, at }),
        Ok(bytes) => String::from_utf8(bytes).map_err(|error| {
            let offset = error.utf8_error().valid_up_to();
            let byte = error.as_bytes().get(offset).copied().unwrap_or_default();
            ReadError::NotUtf8 { path, offset, byte, at }
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ReadError::NotFound { path, at }),
        Err(error) => Err(ReadError::Unreadable { path, reason: error.to_string(), at }),
    }
}
