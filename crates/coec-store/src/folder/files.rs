//! Writing a folder: begun where nothing is, its small files, and its name at the end.

use std::fs;
use std::io;
use std::path::Path;

use super::FolderError;
use crate::atomic::{self, AtomicFolder};

/// Begins a folder where nothing is.
pub fn begin(out: &Path) -> Result<AtomicFolder, FolderError> {
    AtomicFolder::create(out).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => FolderError::Exists { path: out.to_owned() },
        _ => FolderError::Unwritable { path: out.to_owned(), source },
    })
}

/// Gives it its name, with everything in it.
pub fn commit(scratch: AtomicFolder, out: &Path) -> Result<(), FolderError> {
    scratch.commit().map_err(|source| FolderError::Unwritable { path: out.to_owned(), source })
}

/// Writes a small file into it.
pub fn write(scratch: &AtomicFolder, file: &str, bytes: &[u8]) -> Result<(), FolderError> {
    let path = scratch.scratch().join(file);
    atomic::write(&path, bytes).map_err(|source| FolderError::Unwritable { path, source })
}

/// Copies a file, if there is one.
pub(super) fn copy_if_there(from: &Path, to: &Path) -> Result<bool, FolderError> {
    if !from.is_file() {
        return Ok(false);
    }
    let bytes = fs::read(from).map_err(|source| FolderError::Unreadable { path: from.to_owned(), source })?;
    atomic::write(to, &bytes).map_err(|source| FolderError::Unwritable { path: to.to_owned(), source })?;
    Ok(true)
}
