//! Files and folders that are there whole or not at all.
//!
//! They are written under a scratch name beside their own, flushed to the disk,
//! and renamed; then the folder they are in is flushed. A reader, or a machine that loses
//! power, finds the old file or the new one.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::disk::{Disk, DiskFile, Lock, System};

/// A file in the making. Dropped without [`AtomicFile::commit`], it leaves nothing.
#[derive(Debug)]
pub struct AtomicFile<'d> {
    disk: &'d dyn Disk,
    file: Box<dyn DiskFile>,
    scratch: PathBuf,
    path: PathBuf,
    committed: bool,
}

impl<'d> AtomicFile<'d> {
    /// Begins the file that will be `path`.
    pub fn create(path: &Path) -> io::Result<AtomicFile<'static>> {
        AtomicFile::create_on(&System, path)
    }

    /// The same on `disk`.
    pub fn create_on(disk: &'d dyn Disk, path: &Path) -> io::Result<Self> {
        let mut number = 0;
        loop {
            let scratch = scratch(path, number)?;
            match disk.create(&scratch) {
                Ok(file) => return Ok(Self { disk, file, scratch, path: path.to_owned(), committed: false }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives the file its name.
    pub fn commit(mut self) -> io::Result<()> {
        self.file.sync()?;
        self.disk.rename(&self.scratch, &self.path)?;
        self.committed = true;
        self.disk.sync_dir(folder(&self.path))
    }
}

impl Write for AtomicFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for AtomicFile<'_> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

impl Drop for AtomicFile<'_> {
    fn drop(&mut self) {
        if !self.committed {
            // There is nobody left to tell; a scratch file is never read.
            let _ = self.disk.remove_file(&self.scratch);
        }
    }
}

/// A folder in the making, beside its place and under a scratch name. Dropped without
/// [`AtomicFolder::commit`], it leaves nothing.
#[derive(Debug)]
pub struct AtomicFolder {
    scratch: PathBuf,
    path: PathBuf,
    lock: Option<Lock>,
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

    /// Begins a folder that is to take the place of `path`, with [`AtomicFolder::replace`] if something
    /// is there. Folders above it are made.
    pub fn beside(path: &Path) -> io::Result<Self> {
        path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::AlreadyExists))?;
        fs::create_dir_all(folder(path))?;
        let (scratch, lock) = begin_folder(&System, path)?;
        Ok(Self { scratch, path: path.to_owned(), lock: Some(lock), committed: false })
    }

    /// Where its files are written.
    pub fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// Gives the folder its name.
    pub fn commit(mut self) -> io::Result<()> {
        self.close()?;
        // An empty folder of that name gives way; one with files in it does not.
        fs::rename(&self.scratch, &self.path)?;
        self.committed = true;
        System.sync_dir(folder(&self.path))
    }
}

impl AtomicFolder {
    /// Gives the folder the name of one that is there, which takes the scratch name: at no moment
    /// is there neither, where the system can exchange two names at once (Linux and macOS can, on all
    /// common file systems). Where the old folder is now; whoever calls removes it.
    pub fn replace(mut self) -> io::Result<PathBuf> {
        self.close()?;
        exchange(&self.scratch, &self.path)?;
        self.committed = true;
        System.sync_dir(folder(&self.path))?;
        Ok(self.scratch.clone())
    }

    /// Nothing is written any more.
    fn close(&mut self) -> io::Result<()> {
        fs::remove_file(self.scratch.join(LOCK))?;
        self.lock = None;
        System.sync_dir(&self.scratch)
    }
}

/// Exchanges the names of two folders.
fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE) {
            // A file system that cannot.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            exchanged => return Ok(exchanged?),
        }
    }
    let aside = scratch(b, u64::from(std::process::id()))?;
    fs::rename(b, &aside)?;
    if let Err(error) = fs::rename(a, b) {
        fs::rename(&aside, b)?;
        return Err(error);
    }
    fs::rename(&aside, a)
}

impl Drop for AtomicFolder {
    fn drop(&mut self) {
        if !self.committed {
            let _ = fs::remove_dir_all(&self.scratch);
        }
    }
}

/// In a scratch folder, and in a run's: held by the process that writes there.
pub const LOCK: &str = ".lock";

/// Begins a folder beside `path`, under a scratch name and locked. Others that killed processes began
/// beside it, whose locks nobody holds any more, are removed.
pub fn begin_folder(disk: &dyn Disk, path: &Path) -> io::Result<(PathBuf, Lock)> {
    let beside = folder(path);
    for name in disk.names(beside).unwrap_or_default().iter().filter(|name| scratch_of(name).is_some()) {
        let litter = beside.join(name);
        let lock = litter.join(LOCK);
        if lock.is_file()
            && let Ok(Some(_lock)) = disk.lock(&lock)
        {
            // First its name goes, so that nobody begins a folder of that name while it is removed. It
            // is in nobody's way: what fails here is not worth an error.
            let gone = scratch(&litter, unique())?;
            if disk.rename(&litter, &gone).is_ok() {
                let _ = disk.remove_dir(&gone);
            }
        }
    }
    let mut number = 0;
    loop {
        let scratch = scratch(path, number)?;
        let lock = scratch.join(LOCK);
        match disk.create_dir(&scratch) {
            Ok(()) => match disk.lock(&lock) {
                Ok(Some(held)) => return Ok((scratch, held)),
                // Somebody took the folder for litter before it was locked.
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            },
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        number += 1;
    }
}

/// Writes all of `path`, or nothing.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_on(&System, path, bytes)
}

/// The same on `disk`.
pub fn write_on(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create_on(disk, path)?;
    file.write_all(bytes)?;
    file.commit()
}

/// A scratch name beside `path`, one of many.
pub fn scratch(path: &Path, number: u64) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
    let mut scratch = OsString::from(".");
    scratch.push(name);
    scratch.push(format!(".{number}{SCRATCH}"));
    Ok(path.with_file_name(scratch))
}

/// How scratch names end.
const SCRATCH: &str = ".tmp";

/// A number that nobody else takes for a scratch name.
fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    (u64::from(std::process::id()) << 32) + NEXT.fetch_add(1, Relaxed)
}

/// The name that a scratch name stands for; `None` if it is none of ours.
pub fn scratch_of(name: &std::ffi::OsStr) -> Option<&str> {
    let (base, number) = name.to_str()?.strip_prefix('.')?.strip_suffix(SCRATCH)?.rsplit_once('.')?;
    number.parse::<u64>().is_ok().then_some(base)
}

/// The folder that `path` is in.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
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
    fn a_folder_is_replaced_without_a_moment_with_neither() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("which"), "0").unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 1..200 {
                    let folder = AtomicFolder::beside(&path).unwrap();
                    write(&folder.scratch().join("which"), number.to_string().as_bytes()).unwrap();
                    fs::remove_dir_all(folder.replace().unwrap()).unwrap();
                }
                done.store(true, std::sync::atomic::Ordering::Relaxed);
            });
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                assert!(path.is_dir(), "a reader always finds one");
            }
        });
        assert_eq!(fs::read(path.join("which")).unwrap(), b"199");
        assert_eq!(names(parent.path()), ["a"]);
    }

    #[test]
    fn what_a_killed_process_began_disappears_and_what_a_living_one_began_does_not() {
        let parent = tempfile::tempdir().unwrap();
        fs::create_dir(parent.path().join(".a.0.tmp")).unwrap();
        fs::write(parent.path().join(".a.0.tmp").join(LOCK), "").unwrap();
        let alive = AtomicFolder::create(&parent.path().join("b")).unwrap();
        AtomicFolder::create(&parent.path().join("a")).unwrap().commit().unwrap();
        assert_eq!(names(parent.path()), [".b.0.tmp", "a"]);
        assert_eq!(names(&parent.path().join("a")), Vec::<OsString>::new());
        drop(alive);
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write(&folder.path().join("no/a"), b"x").is_err());
    }
}
