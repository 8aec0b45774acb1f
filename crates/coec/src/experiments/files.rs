//! Files of an experiment's directory.

use std::path::Path;
use std::{fs, io};

use coec_store::atomic;

/// Writes `text` to `path`, whose folders need not be there.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    atomic::write(path, text.as_bytes())
}
