//! The folder that a path is in, and where it leads if it is a link.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The folder that `path` is in.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Links in a row that are followed, as systems do.
const MOST: usize = 40;

/// What `path` leads to if it is a link, or a link to one: it may be absent. Each link is read as the
/// system reads it, so `..` in it is the folder above the one that is really there.
pub(crate) fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST {
        match fs::symlink_metadata(&path) {
            Ok(about) if about.is_symlink() => path = folder(&path).join(fs::read_link(&path)?),
            Ok(_) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(path),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many links in a row"))
}
