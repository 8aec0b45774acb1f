//! Text that a command writes where `--out` says.

use std::io::{self, Write};
use std::path::Path;

use coec_store::output::Output;

use crate::failure::{Failure, is_closed_pipe};

/// Writes a text where `path` leads to; whether that is a file, of which there is something to tell.
///
/// # Errors
///
/// Under `code`: what the system says.
pub fn written(path: &Path, text: &str, code: &str) -> Result<bool, Failure> {
    write(path, text).map_err(|error| {
        if is_closed_pipe(&error) {
            return Failure::Closed;
        }
        let message = format!("cannot write {}: {error}", path.display());
        Failure::environment(code, message, "check the folder and its permissions")
    })
}

fn write(path: &Path, text: &str) -> io::Result<bool> {
    let mut output = Output::create(path)?;
    let is_file = output.is_file();
    output.write_all(text.as_bytes())?;
    output.commit()?;
    Ok(is_file)
}
