//! Where a new run goes, and how its directory comes to be.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::RunError;
use super::files::RunFile;
use super::{COMMITS, RunDir, take_lock};
use coec_store::atomic;

use crate::disk::{self, Disk};

/// Where a new run goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Into this directory, which must be absent or empty.
    At(PathBuf),
    /// Into `parent/NAME-N`, N being the first free number from 1 on.
    Next {
        /// The folder of runs.
        parent: PathBuf,
        /// The model's name.
        name: String,
    },
}

impl Place {
    /// Whether a run can go there, long before it does: nothing is made.
    ///
    /// # Errors
    ///
    /// A file, or a directory that is not empty.
    pub fn check(&self) -> Result<(), RunError> {
        let Self::At(path) = self else { return Ok(()) };
        match disk::System.names(path) {
            Ok(names) if is_free(path, &names) => Ok(()),
            Ok(_) => Err(RunError::Exists { path: path.clone() }),
            // A link to nothing is something.
            Err(error) if error.kind() == io::ErrorKind::NotFound => match path.symlink_metadata() {
                Ok(_) => Err(RunError::Exists { path: path.clone() }),
                Err(_) => Ok(()),
            },
            Err(_) if path.exists() && !path.is_dir() => Err(RunError::NotADirectory { path: path.clone() }),
            Err(source) => Err(RunError::Uncreatable { path: path.clone(), source }),
        }
    }

    /// The nearest folder that exists already, to ask for room in.
    pub fn ground(&self) -> &Path {
        let path = match self {
            Self::At(path) => path,
            Self::Next { parent, .. } => parent,
        };
        path.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."))
    }

    /// Makes the directory, locked, with what `fill` writes into it, the spec last: there is no such
    /// directory, or one that holds all of it. Two runs that begin at once get two.
    pub fn begin(&self, disk: Arc<dyn Disk>, fill: Fill<'_>) -> Result<RunDir, RunError> {
        match self {
            Self::At(path) if path.is_dir() => take(disk, path, fill),
            Self::At(path) => match make(&disk, path, fill)? {
                Some(run) => Ok(run),
                None => Err(RunError::Exists { path: path.clone() }),
            },
            Self::Next { parent, name } => {
                let name = plain(name);
                let mut number = 1u64;
                loop {
                    let path = parent.join(format!("{name}-{number}"));
                    if let Some(run) = make(&disk, &path, fill)? {
                        return Ok(run);
                    }
                    number += 1;
                }
            }
        }
    }
}

/// Writes the first files of a run into its directory.
pub type Fill<'a> = &'a mut dyn FnMut(&RunDir) -> Result<(), RunError>;

/// Makes `path` under a scratch name and renames it; `None` if something is there.
fn make(disk: &Arc<dyn Disk>, path: &Path, fill: Fill<'_>) -> Result<Option<RunDir>, RunError> {
    if path.symlink_metadata().is_ok() {
        return Ok(None);
    }
    let uncreatable = |source| RunError::Uncreatable { path: path.to_owned(), source };
    let parent = atomic::folder(path);
    create_dirs(&**disk, parent).map_err(uncreatable)?;
    let (scratch, lock) = atomic::begin_folder(&**disk, path).map_err(uncreatable)?;
    let mut run = RunDir { path: scratch.clone(), disk: disk.clone(), lock: Some(Arc::new(lock)) };
    let named = fill(&run).and_then(|()| {
        let renamed = disk.sync_dir(&scratch).and_then(|()| disk.rename(&scratch, path));
        match renamed.map_err(|error| (error.kind(), error)) {
            Ok(()) => Ok(true),
            // Somebody else's came first.
            Err((io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists, _)) => Ok(false),
            Err((_, error)) => Err(uncreatable(error)),
        }
    });
    if !matches!(named, Ok(true)) {
        let _ = disk.remove_dir(&scratch);
        return named.map(|_| None);
    }
    disk.sync_dir(parent).map_err(uncreatable)?;
    run.path = path.to_owned();
    Ok(Some(run))
}

/// Whether a directory is empty, or holds only what a process began there that was killed before the
/// spec, which comes last.
fn is_free(path: &Path, names: &[OsString]) -> bool {
    let began = || {
        let first = |name: &str| {
            name == atomic::LOCK
                || [RunFile::Tokenizer.name(), RunFile::Model.name(), RunFile::Start.name(), COMMITS]
                    .contains(&name)
        };
        let is_ours = |name: &OsString| match atomic::scratch_of(name) {
            Some(base) => RunFile::ALL.iter().any(|file| file.name() == base),
            None => name.to_str().is_some_and(first),
        };
        path.join(atomic::LOCK).is_file() && names.iter().all(is_ours)
    };
    names.is_empty() || began()
}

/// Takes an empty directory that exists.
fn take(disk: Arc<dyn Disk>, path: &Path, fill: Fill<'_>) -> Result<RunDir, RunError> {
    let lock = take_lock(&*disk, path)?;
    let names = disk.names(path).map_err(|source| RunError::Unreadable { path: path.to_owned(), source })?;
    if !is_free(path, &names) {
        return Err(RunError::Exists { path: path.to_owned() });
    }
    // Of a process that was killed in here.
    for name in names.iter().filter(|name| *name != atomic::LOCK) {
        let left = path.join(name);
        let removed = if left.is_dir() { disk.remove_dir(&left) } else { disk.remove_file(&left) };
        removed.map_err(|source| RunError::Unwritable { path: left, source })?;
    }
    let run = RunDir { path: path.to_owned(), disk, lock: Some(Arc::new(lock)) };
    fill(&run)?;
    Ok(run)
}

/// Makes a folder and those above it.
fn create_dirs(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    create_dirs(disk, atomic::folder(path))?;
    match disk.create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        created => created,
    }
}

/// A model's name as a file name: letters, digits, `_`, `.` and `-`; `run` if nothing is left.
pub(super) fn plain(name: &str) -> String {
    let keep = |char: char| if char.is_ascii_alphanumeric() || "_.".contains(char) { char } else { '-' };
    let plain: String = name.chars().map(keep).collect();
    let words: Vec<&str> = plain.split('-').filter(|word| !word.is_empty()).collect();
    let plain = words.join("-");
    let plain = plain.trim_start_matches(['.', '-']);
    if plain.is_empty() { "run".to_owned() } else { plain.to_owned() }
}
