//! The file operations of a run, behind one small trait: tests make each of them fail, or lose
//! what was never flushed.

mod system;

use std::ffi::OsString;
use std::fmt::Debug;
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;

pub use system::System;

/// Files and folders.
///
/// Names last only once their folder is flushed ([`Disk::sync_dir`]), bytes only once their file
/// is ([`DiskFile::sync`]).
pub trait Disk: Debug + Send + Sync {
    /// Begins a file, which must not exist.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens a file to read it.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens a file to read and write it; begins it where there is none.
    fn open_or_create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Makes a folder, which must not exist.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Gives a file or folder another name. A file of that name is replaced, and an empty folder.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file a second name, which must be free.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes a folder and all it holds.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// The names in a folder, sorted.
    fn names(&self, path: &Path) -> io::Result<Vec<OsString>>;
    /// Makes the names in a folder last.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Bytes that are free where `path` is; `None` where the system does not say.
    fn free(&self, path: &Path) -> io::Result<Option<u64>>;
    /// Takes the lock `path`, a file, until the result is dropped or the process ends however it
    /// ends; `None` if somebody else has it.
    fn lock(&self, path: &Path) -> io::Result<Option<Lock>>;
}

/// An open file.
pub trait DiskFile: Debug + Read + Write + Seek + Send {
    /// Makes its bytes last.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts it to, or fills it up to, so many bytes.
    fn set_len(&mut self, bytes: u64) -> io::Result<()>;
}

/// A lock that is held.
pub type Lock = Box<dyn Debug + Send + Sync>;

/// The disk of the machine.
pub fn system() -> Arc<dyn Disk> {
    Arc::new(System)
}
