//! Files and folders that are there whole or not at all.
//!
//! They are written under a scratch name beside their own, flushed to the disk,
//! and renamed; then the folder they are in is flushed. A reader, or a machine that loses
//! power, finds the old file or the new one.
//!
//! A folder that is there already and empty is filled, as it may be somebody's current one or the root
//! of a file system: what was written inside it under a scratch name is moved up.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::disk::{Disk, DiskFile, Lock, System};
use crate::path::followed;

pub use crate::path::folder;

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

    /// Where it is until then.
    pub(crate) fn scratch(&self) -> &Path {
        &self.scratch
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

/// A folder in the making, under a scratch name beside its place or inside it. Dropped without
/// [`AtomicFolder::commit`], it leaves nothing.
#[derive(Debug)]
pub struct AtomicFolder {
    scratch: PathBuf,
    path: PathBuf,
    /// Whether the place is a folder already, and empty.
    is_inside: bool,
    lock: Option<Lock>,
    committed: bool,
}

impl AtomicFolder {
    /// Begins the folder that will be `path`, which must be absent or an empty folder: nothing is
    /// ever replaced. Folders above it are made.
    pub fn create(path: &Path) -> io::Result<Self> {
        let exists = || io::Error::from(io::ErrorKind::AlreadyExists);
        match is_empty(path) {
            Ok(true) => Self::inside(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::beside(path),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
            Ok(false) | Err(_) => Err(exists()),
        }
    }

    /// Begins a folder that is to take the place of `path`, with [`AtomicFolder::replace`] if something
    /// is there. Folders above it are made; a link is followed.
    pub fn beside(path: &Path) -> io::Result<Self> {
        let path = followed(path)?;
        path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::AlreadyExists))?;
        fs::create_dir_all(folder(&path))?;
        let (scratch, lock) = begin_folder(&System, &path)?;
        Ok(Self { scratch, path, is_inside: false, lock: Some(lock), committed: false })
    }

    /// Begins what an empty folder will hold.
    fn inside(path: &Path) -> io::Result<Self> {
        let (scratch, lock) = begin_folder(&System, &path.join("coec"))?;
        Ok(Self { scratch, path: path.to_owned(), is_inside: true, lock: Some(lock), committed: false })
    }

    /// Where its files are written.
    pub fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// Gives the folder its name.
    pub fn commit(mut self) -> io::Result<()> {
        self.close()?;
        if self.is_inside {
            move_up(&self.scratch, &self.path)?;
            return System.sync_dir(&self.path);
        }
        // An empty folder of that name gives way; one with files in it does not.
        fs::rename(&self.scratch, &self.path)?;
        self.committed = true;
        System.sync_dir(folder(&self.path))
    }

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

/// Moves what `from` holds into `to`, all of it or nothing, where none of its names is taken.
fn move_up(from: &Path, to: &Path) -> io::Result<()> {
    let names = System.names(from)?;
    if names.iter().any(|name| to.join(name).symlink_metadata().is_ok()) {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    for (count, name) in names.iter().enumerate() {
        if let Err(error) = fs::rename(from.join(name), to.join(name)) {
            for name in &names[..count] {
                let _ = fs::rename(to.join(name), from.join(name));
            }
            return Err(error);
        }
    }
    Ok(())
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

/// Whether a folder holds nothing but what killed processes began there, which is removed.
pub fn is_empty(folder: &Path) -> io::Result<bool> {
    fs::read_dir(folder)?;
    sweep(&System, folder);
    Ok(fs::read_dir(folder)?.next().is_none())
}

/// Removes folders that killed processes began in `folder`: those whose locks nobody holds any more.
fn sweep(disk: &dyn Disk, folder: &Path) {
    for name in disk.names(folder).unwrap_or_default().iter().filter(|name| scratch_of(name).is_some()) {
        let litter = folder.join(name);
        let lock = litter.join(LOCK);
        if lock.is_file()
            && let Ok(Some(_lock)) = disk.lock(&lock)
            && let Ok(gone) = scratch(&litter, unique())
        {
            // First its name goes, so that nobody begins a folder of that name while it is removed. It
            // is in nobody's way: what fails here is not worth an error.
            if disk.rename(&litter, &gone).is_ok() {
                let _ = disk.remove_dir(&gone);
            }
        }
    }
}

/// Begins a folder beside `path`, under a scratch name and locked. Others that killed processes began
/// beside it are removed.
pub fn begin_folder(disk: &dyn Disk, path: &Path) -> io::Result<(PathBuf, Lock)> {
    sweep(disk, folder(path));
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
    scratch.push(base(name));
    scratch.push(format!(".{number}{SCRATCH}"));
    Ok(path.with_file_name(scratch))
}

/// Bytes of a name beyond which its scratch name is made of a part of it.
const LONG: usize = 64;

/// What a scratch name has of the name that it stands for: all of it, or of a long one its beginning and
/// a hash, so that the scratch name is never the longer one and the file system allows it.
fn base(name: &OsStr) -> OsString {
    if name.len() <= LONG {
        return name.to_owned();
    }
    let text = name.to_string_lossy();
    let cut = text.floor_char_boundary(LONG / 4);
    let mut hash = DefaultHasher::new();
    name.hash(&mut hash);
    format!("{}~{:016x}", &text[..cut], hash.finish()).into()
}

/// Whether `found` is a scratch name of `name`.
pub fn is_scratch_of(found: &OsStr, name: &OsStr) -> bool {
    scratch_of(found).is_some_and(|found| base(name) == found)
}

/// How scratch names end.
const SCRATCH: &str = ".tmp";

/// A number that nobody else takes for a scratch name.
fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    (u64::from(std::process::id()) << 32) + NEXT.fetch_add(1, Relaxed)
}

/// The name that a scratch name stands for, if that is short; `None` if it is none of ours.
pub fn scratch_of(name: &OsStr) -> Option<&str> {
    let (base, number) = name.to_str()?.strip_prefix('.')?.strip_suffix(SCRATCH)?.rsplit_once('.')?;
    number.parse::<u64>().is_ok().then_some(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest name that common file systems allow.
    fn longest() -> String {
        "n".repeat(255)
    }

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

    #[test]
    fn the_longest_names_have_scratch_names_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (longest(), format!("{}m", &longest()[1..]));
        for name in [&one, &other] {
            let path = folder.path().join(name);
            let begun = AtomicFile::create(&path).unwrap();
            let found = names(folder.path()).into_iter().find(|found| scratch_of(found).is_some()).unwrap();
            assert!(is_scratch_of(&found, OsStr::new(name)), "{found:?}");
            assert!(found.len() <= LONG, "{found:?}");
            begun.commit().unwrap();
        }
        assert!(!is_scratch_of(scratch(Path::new(&one), 0).unwrap().as_os_str(), OsStr::new(&other)));
        let made = AtomicFolder::create(&folder.path().join("d").join(longest())).unwrap();
        made.commit().unwrap();
    }

    #[test]
    fn an_empty_folder_is_filled_and_stays_the_folder_it_is() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a");
        fs::create_dir(&path).unwrap();
        // Of a process that was killed in there.
        fs::create_dir(path.join(".coec.0.tmp")).unwrap();
        fs::write(path.join(".coec.0.tmp").join(LOCK), "").unwrap();
        let open = fs::File::open(&path).unwrap();
        let folder = AtomicFolder::create(&path).unwrap();
        write(&folder.scratch().join("b"), b"x").unwrap();
        fs::create_dir(folder.scratch().join("c")).unwrap();
        assert!(AtomicFolder::create(&path).is_err(), "somebody is filling it");
        folder.commit().unwrap();
        assert_eq!(names(&path), ["b", "c"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            assert_eq!(open.metadata().unwrap().ino(), fs::metadata(&path).unwrap().ino());
        }
        drop(open);
    }

    #[test]
    fn a_folder_is_not_filled_where_a_name_is_taken_meanwhile() {
        let parent = tempfile::tempdir().unwrap();
        let folder = AtomicFolder::create(parent.path()).unwrap();
        write(&folder.scratch().join("a"), b"ours").unwrap();
        write(&folder.scratch().join("b"), b"ours").unwrap();
        fs::write(parent.path().join("b"), "theirs").unwrap();
        folder.commit().unwrap_err();
        assert_eq!(names(parent.path()), ["b"]);
    }
}
