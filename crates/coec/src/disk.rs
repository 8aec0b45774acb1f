//! Specs from the disk, and the one that is built in.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use coec_lang::{Loader, MAX_SOURCE};

/// The path under which the built-in quickstart is found.
pub const QUICKSTART: &str = "quickstart.coe (built in)";
const QUICKSTART_TEXT: &str = include_str!("../../../specs/quickstart.coe");

/// Reads files, never more of one than a spec may have.
pub struct Disk;

impl Loader for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path == Path::new(QUICKSTART) {
            return Ok(QUICKSTART_TEXT.into());
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_SOURCE as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
