//! Where files come from: the one door to the outside.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Reads files on behalf of a load. The binary reads the disk; tests read a [`MapLoader`].
pub trait Loader {
    /// The bytes of the file at `path`, which is relative to the current folder or absolute.
    ///
    /// An implementation may stop reading after [`MAX_SOURCE`](crate::MAX_SOURCE)` + 1` bytes:
    /// anything longer is refused.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
}

/// Files in memory, by path.
#[derive(Debug, Clone, Default)]
pub struct MapLoader {
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl MapLoader {
    /// A loader without files.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more file.
    pub fn with(mut self, path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.into(), bytes.into());
        self
    }
}

impl Loader for MapLoader {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}
