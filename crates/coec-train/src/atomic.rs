//! Files that are there whole or not at all.
//!
//! A file is written under a scratch name beside its own, flushed to the disk,
//! and renamed; then its folder is flushed. A reader, or a machine that loses
//! power, finds the old file or the new one.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A file in the making. Dropped without [`AtomicFile::commit`], it leaves nothing.
#[derive(Debug)]
pub struct AtomicFile {
    file: File,
    scratch: PathBuf,
    path: PathBuf,
    committed: bool,
}

impl AtomicFile {
    /// Begins the file that will be `path`.
    pub fn create(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
        for number in 0u64.. {
            let mut scratch = OsString::from(".");
            scratch.push(name);
            scratch.push(format!(".{number}.tmp"));
            let scratch = path.with_file_name(scratch);
            match OpenOptions::new().write(true).create_new(true).open(&scratch) {
                Ok(file) => return Ok(Self { file, scratch, path: path.to_owned(), committed: false }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::from(io::ErrorKind::AlreadyExists))
    }

    /// Gives the file its name.
    pub fn commit(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.scratch, &self.path)?;
        self.committed = true;
        sync_folder(&self.path)
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for AtomicFile {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if !self.committed {
            // There is nobody left to tell; a scratch file is never read.
            let _ = fs::remove_file(&self.scratch);
        }
    }
}

/// A folder in the making, beside its place and under a scratch name. Dropped without
/// [`AtomicFolder::commit`], it leaves nothing.
#[derive(Debug)]
pub struct AtomicFolder {
    scratch: PathBuf,
    path: PathBuf,
    committed: bool,
}

impl AtomicFolder {
    /// Begins the folder that will be `path`, which must be absent or an empty folder: nothing is
    /// ever replaced. Folders above it are made.
    pub fn create(path: &Path) -> io::Result<Self> {
        let exists = || io::Error::from(io::ErrorKind::AlreadyExists);
        match fs::read_dir(path).map(|mut entries| entries.next().is_some()) {
            Ok(true) => return Err(exists()),
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => return Err(exists()),
        }
        Self::beside(path)
    }

    /// Begins a folder that is to take the place of `path`. What is there, other than an empty
    /// folder, must be moved away before the commit, which does not replace it. Folders above it
    /// are made.
    pub fn beside(path: &Path) -> io::Result<Self> {
        let exists = || io::Error::from(io::ErrorKind::AlreadyExists);
        let name = path.file_name().ok_or_else(exists)?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(parent)?;
        for number in 0u64.. {
            let mut scratch = OsString::from(".");
            scratch.push(name);
            scratch.push(format!(".{number}.tmp"));
            let scratch = parent.join(scratch);
            match fs::create_dir(&scratch) {
                Ok(()) => return Ok(Self { scratch, path: path.to_owned(), committed: false }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(exists())
    }

    /// Where its files are written.
    pub fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// Gives the folder its name.
    pub fn commit(mut self) -> io::Result<()> {
        sync_folder(&self.scratch.join("."))?;
        // An empty folder of that name gives way; one with files in it does not.
        fs::rename(&self.scratch, &self.path)?;
        self.committed = true;
        sync_folder(&self.path)
    }
}

impl Drop for AtomicFolder {
    fn drop(&mut self) {
        if !self.committed {
            let _ = fs::remove_dir_all(&self.scratch);
        }
    }
}

/// Writes all of `path`, or nothing.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes)?;
    file.commit()
}

/// Makes the names in the folder of `path` last.
fn sync_folder(path: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened, and renaming is durable or cannot be made so.
    if cfg!(unix) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<OsString> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_committed_file_replaces_the_old_one_and_leaves_no_scratch() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "old").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn a_dropped_file_leaves_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        drop(file);
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn a_scratch_left_by_another_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".a.0.tmp"), "theirs").unwrap();
        write(&folder.path().join("a"), b"ours").unwrap();
        assert_eq!(fs::read(folder.path().join(".a.0.tmp")).unwrap(), b"theirs");
    }

    #[test]
    fn a_folder_appears_whole_and_replaces_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("above/a");
        let folder = AtomicFolder::create(&path).unwrap();
        write(&folder.scratch().join("b"), b"x").unwrap();
        assert!(!path.exists());
        folder.commit().unwrap();
        assert_eq!(fs::read(path.join("b")).unwrap(), b"x");
        assert!(AtomicFolder::create(&path).is_err());
        drop(AtomicFolder::create(&parent.path().join("c")).unwrap());
        assert_eq!(names(parent.path()), ["above"]);
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write(&folder.path().join("no/a"), b"x").is_err());
    }
}
