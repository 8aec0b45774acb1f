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

/// What `path` leads to if it is a link, or a link to one: it may be absent, or something that is open.
/// Each link is read as the system reads it, so `..` in it is the folder above the one that is really there.
pub(crate) fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST {
        match fs::symlink_metadata(&path) {
            Ok(about) if about.is_symlink() && !is_descriptor(&path) => {
                path = folder(&path).join(fs::read_link(&path)?)
            }
            Ok(_) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(path),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many links in a row"))
}

/// Whether `path` names something by the number under which it is open, as `/dev/fd/3` does. Read as a
/// link it gives a name that may have gone to another file since.
pub(crate) fn is_descriptor(path: &Path) -> bool {
    let is_open = |folder: PathBuf| {
        folder.ends_with("fd") && ["/proc", "/dev"].into_iter().any(|home| folder.starts_with(home))
    };
    fs::canonicalize(folder(path)).is_ok_and(is_open)
}
