//! Specs from the disk, from standard input, and the one that is built in.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use coec_lang::{Loader, MAX_SOURCE};

/// The path under which the built-in quickstart is found.
pub const QUICKSTART: &str = "quickstart.coe (built in)";
const QUICKSTART_TEXT: &str = include_str!("../../../specs/quickstart.coe");

/// The path under which standard input is found once it is read, and what messages call it. As it has
/// no folder, paths in it start at the current one.
pub const STDIN: &str = "standard input";

/// Standard input, or why it cannot be read. It comes once, and a command may load it twice.
static INPUT: OnceLock<Result<Vec<u8>, (io::ErrorKind, String)>> = OnceLock::new();

/// Reads standard input, to be found under [`STDIN`].
pub fn take_input() {
    INPUT.get_or_init(|| limited(io::stdin().lock()).map_err(|error| (error.kind(), error.to_string())));
}

/// Whether standard input was read as a spec.
#[cfg(feature = "train")]
pub fn is_input_taken() -> bool {
    INPUT.get().is_some()
}

/// Reads files, never more of one than a spec may have.
pub struct Disk;

impl Loader for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path == Path::new(QUICKSTART) {
            return Ok(QUICKSTART_TEXT.into());
        }
        match INPUT.get() {
            Some(input) if path == Path::new(STDIN) => {
                input.clone().map_err(|(kind, reason)| io::Error::new(kind, reason))
            }
            _ => limited(File::open(path)?),
        }
    }

    /// The folder as the system knows it, and the name in it: relative paths start where the name
    /// stands, also where it is a link.
    fn canonical(&self, path: &Path) -> PathBuf {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = fs::canonicalize(folder.unwrap_or(Path::new(".")));
        match (folder, path.file_name()) {
            (Ok(folder), Some(name)) => folder.join(name),
            _ => path.to_owned(),
        }
    }
}

/// The bytes of a spec, and one more where there are too many.
fn limited(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_SOURCE as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
