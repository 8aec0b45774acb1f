//! Finding and reading a commit.

use std::ffi::OsString;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::{CLOCK, Commits, Entry, FileSum, MANIFEST, MODEL, Manifest, OPTIMIZER, STATE};
use crate::{
    disk::DiskFile,
    fingerprint::Fingerprinter,
    run_dir::error::{Damage, RunError},
    run_dir::state::{Clock, Stage, State},
    weights::Weights,
};

/// Largest document of a commit that is read.
const LARGEST_DOCUMENT: u64 = 1 << 30;

/// Bytes summed up at once.
const PIECE: usize = 1 << 20;

/// A commit whose files are what its manifest says.
#[derive(Debug)]
pub struct Commit {
    /// Its folder.
    pub path: PathBuf,
    /// Everything beside the tensors.
    pub state: State,
    /// What depends on the clock.
    pub clock: Clock,
}

/// The newest commit that can be used, and those newer ones that cannot.
#[derive(Debug)]
pub struct Found<T> {
    /// The newest sound one; `None` if there is no commit at all.
    pub newest: Option<T>,
    /// Newer ones, the newest first.
    pub damaged: Vec<Damage>,
}

/// Why a file cannot be used: because of what it holds, or because the system will not read it.
enum Unsound {
    Damaged(PathBuf, String),
    Unreadable(RunError),
}

impl Commits {
    /// The newest commit that is sound. Newer ones that are not are renamed, out of the way, if
    /// there is a sound one; if there is none, nothing is touched.
    ///
    /// # Errors
    ///
    /// Commits, and none of them sound; a disk that cannot be read.
    pub fn newest(&self) -> Result<Found<Commit>, RunError> {
        let mut found = self.find(|entry| self.read(entry))?;
        if found.newest.is_some() {
            for damage in &mut found.damaged {
                damage.aside = Some(self.set_aside(&damage.commit)?);
            }
        }
        Ok(found)
    }

    /// Whether there is a sound commit of `stage`. One that is not sound is set aside.
    pub(super) fn holds(&self, stage: Stage) -> Result<bool, RunError> {
        let entry = Entry { stage, path: self.place(stage) };
        if !entry.path.exists() {
            return Ok(false);
        }
        match self.read(&entry) {
            Ok(_) => Ok(true),
            Err(Unsound::Unreadable(error)) => Err(error),
            Err(Unsound::Damaged(..)) => self.set_aside(&entry.path).map(|_| false),
        }
    }

    /// The weights of the newest commit that has sound ones. Nothing is touched.
    pub fn newest_weights(&self) -> Result<Found<Weights>, RunError> {
        // A commit may be removed while it is read, by the run it belongs to: then there are newer ones.
        for _ in 0..5 {
            let found = self.find(|entry| {
                let manifest = self.sound_manifest(&entry.path)?;
                self.check(&entry.path, &manifest, Some(MODEL))?;
                Ok(entry.path.join(MODEL))
            })?;
            let Some(path) = found.newest else { return Ok(Found { newest: None, damaged: found.damaged }) };
            match Weights::open_on(&*self.disk, &path) {
                Ok(weights) => return Ok(Found { newest: Some(weights), damaged: found.damaged }),
                Err(_) if !path.exists() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(RunError::Unreadable { path: self.path.clone(), source: io::ErrorKind::NotFound.into() })
    }

    fn find<T>(&self, mut read: impl FnMut(&Entry) -> Result<T, Unsound>) -> Result<Found<T>, RunError> {
        let mut damaged = Vec::new();
        for entry in self.entries()?.iter().rev() {
            match read(entry) {
                Ok(sound) => return Ok(Found { newest: Some(sound), damaged }),
                // Removed since it was listed.
                Err(_) if !entry.path.exists() => {}
                Err(Unsound::Unreadable(error)) => return Err(error),
                Err(Unsound::Damaged(file, reason)) => {
                    damaged.push(Damage { commit: entry.path.clone(), file, reason, aside: None });
                }
            }
        }
        match damaged.is_empty() {
            true => Ok(Found { newest: None, damaged }),
            false => Err(RunError::Damaged { path: self.path.clone(), damaged }),
        }
    }

    /// The manifest of a commit.
    pub(super) fn manifest(&self, commit: &Path) -> Result<Manifest, RunError> {
        self.sound_manifest(commit).map_err(|unsound| match unsound {
            Unsound::Unreadable(error) => error,
            Unsound::Damaged(path, reason) => {
                RunError::Unreadable { path, source: io::Error::new(io::ErrorKind::InvalidData, reason) }
            }
        })
    }

    fn sound_manifest(&self, commit: &Path) -> Result<Manifest, Unsound> {
        let path = commit.join(MANIFEST);
        Manifest::read(&self.bytes(&path)?).map_err(|reason| Unsound::Damaged(path, reason))
    }

    fn read(&self, entry: &Entry) -> Result<Commit, Unsound> {
        let path = &entry.path;
        let manifest = self.sound_manifest(path)?;
        self.check(path, &manifest, None)?;
        let state: State = self.json(path, STATE)?;
        if state.stage() != entry.stage {
            let reason = format!("it is of step {}", state.step);
            return Err(Unsound::Damaged(path.join(STATE), reason));
        }
        Ok(Commit { path: path.clone(), state, clock: self.json(path, CLOCK)? })
    }

    /// Whether the files are what the manifest says: all of them, or `only` one.
    fn check(&self, commit: &Path, manifest: &Manifest, only: Option<&str>) -> Result<(), Unsound> {
        for needed in [MODEL, OPTIMIZER, STATE, CLOCK] {
            if !manifest.files().iter().any(|file| file.name == needed) {
                return Err(Unsound::Damaged(commit.join(MANIFEST), format!("it does not list {needed}")));
            }
        }
        let mut files = manifest.files().iter().filter(|file| only.is_none_or(|only| file.name == only));
        files.try_for_each(|file| self.check_file(commit, file))
    }

    fn check_file(&self, commit: &Path, expected: &FileSum) -> Result<(), Unsound> {
        let path = commit.join(&expected.name);
        let unreadable = |source| unreadable(&path, source);
        let mut file = self.open(&path)?;
        let other_length = |found| format!("it has {found} bytes, and had {}", expected.sum.bytes);
        let found = file.seek(SeekFrom::End(0)).map_err(unreadable)?;
        if found != expected.sum.bytes {
            return Err(Unsound::Damaged(path, other_length(found)));
        }
        file.rewind().map_err(unreadable)?;
        let mut sum = Fingerprinter::default();
        let mut piece = vec![0; PIECE];
        loop {
            match file.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => sum.add(&piece[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(error)),
            }
        }
        let reason = match sum.finish() {
            found if found == expected.sum => return Ok(()),
            found if found.bytes != expected.sum.bytes => other_length(found.bytes),
            _ => "its bytes were changed".into(),
        };
        Err(Unsound::Damaged(path, reason))
    }

    fn json<T: DeserializeOwned>(&self, commit: &Path, name: &str) -> Result<T, Unsound> {
        let path = commit.join(name);
        serde_json::from_slice(&self.bytes(&path)?)
            .map_err(|error| Unsound::Damaged(path, format!("this version of coec cannot read it: {error}")))
    }

    fn bytes(&self, path: &Path) -> Result<Vec<u8>, Unsound> {
        let mut bytes = Vec::new();
        let read = self.open(path)?.take(LARGEST_DOCUMENT).read_to_end(&mut bytes);
        read.map_err(|source| unreadable(path, source))?;
        Ok(bytes)
    }

    /// Opens a file, which a device or a folder is not.
    fn open(&self, path: &Path) -> Result<Box<dyn DiskFile>, Unsound> {
        if path.exists() && !path.is_file() {
            return Err(Unsound::Damaged(path.to_owned(), "it is no file".into()));
        }
        self.disk.open(path).map_err(|source| unreadable(path, source))
    }

    /// Renames a damaged commit, so that it is no commit any more.
    fn set_aside(&self, commit: &Path) -> Result<PathBuf, RunError> {
        let name = commit.file_name().unwrap_or_default();
        for number in 0.. {
            let mut aside = OsString::from(name);
            aside.push(if number == 0 { ".damaged".into() } else { format!(".damaged-{number}") });
            let aside = commit.with_file_name(aside);
            if !aside.exists() {
                let renamed = self.disk.rename(commit, &aside).and_then(|()| self.disk.sync_dir(&self.path));
                renamed.map_err(|source| RunError::Unwritable { path: commit.to_owned(), source })?;
                return Ok(aside);
            }
        }
        Ok(commit.to_owned())
    }
}

/// A missing file is damage, and so is one that the disk has lost; one that the system will not give
/// may be sound.
fn unreadable(path: &Path, source: io::Error) -> Unsound {
    /// What a bad sector is reported as, on every Unix.
    const EIO: i32 = 5;
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            Unsound::Damaged(path.to_owned(), "it is missing".into())
        }
        _ if cfg!(unix) && source.raw_os_error() == Some(EIO) => {
            Unsound::Damaged(path.to_owned(), source.to_string())
        }
        _ => Unsound::Unreadable(RunError::Unreadable { path: path.to_owned(), source }),
    }
}
