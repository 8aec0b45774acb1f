//! Where files come from: the one door to the outside.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::foreign::{Remark, Translated};

/// Reads files on behalf of a load. The binary reads the disk; tests read a [`MapLoader`].
pub trait Loader {
    /// The bytes of the file at `path`, which is relative to the current folder or absolute.
    ///
    /// An implementation may stop reading after [`MAX_SOURCE`](crate::MAX_SOURCE)` + 1` bytes:
    /// anything longer is refused.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The one form of a path, by which a load knows a file that it has read under another name.
    ///
    /// Where a folder may be a link, `..` behind it is not the folder that its text says, and the
    /// system must be asked.
    fn canonical(&self, path: &Path) -> PathBuf {
        normal(path)
    }

    /// The spec of a text that is a JSON object, read at `path`; or everything that is wrong with it. `None` where
    /// no such texts are read.
    fn translate(&self, path: &Path, text: &str) -> Option<Result<Translated, Vec<Remark>>> {
        let _ = (path, text);
        None
    }
}

/// A path without `.` and, where a folder stands before it, without `..`: the same file, if no folder
/// is a link.
pub(crate) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(normal.components().next_back(), Some(Component::Normal(_))) => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_one_form() {
        assert_eq!(normal(Path::new("a/./b/../c.coe")), Path::new("a/c.coe"));
        assert_eq!(normal(Path::new("../a.coe")), Path::new("../a.coe"));
        assert_eq!(normal(Path::new("../../a/../b.coe")), Path::new("../../b.coe"));
    }
}
