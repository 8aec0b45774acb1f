//! What can be wrong with a run directory.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::files::RunFile;
use crate::weights::WeightsError;

/// A commit that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Its folder.
    pub commit: PathBuf,
    /// The file that is damaged.
    pub file: PathBuf,
    /// What is wrong with it.
    pub reason: String,
    /// The name it was given, out of the way of the others.
    pub aside: Option<PathBuf>,
}

/// A run directory that cannot be made, read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// A file of tensors.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A directory asked for that holds something already.
    #[error("{} exists and is not empty", path.display())]
    Exists {
        /// Its path.
        path: PathBuf,
    },
    /// A directory asked for that is a file.
    #[error("{} is not a directory", path.display())]
    NotADirectory {
        /// Its path.
        path: PathBuf,
    },
    /// No directory of that name.
    #[error("there is no run at {}", path.display())]
    NoRun {
        /// Its path.
        path: PathBuf,
    },
    /// A directory without the files of a run.
    #[error("{} is not a finished run: it has no {}", path.display(), list(missing))]
    Incomplete {
        /// Its path.
        path: PathBuf,
        /// What it lacks.
        missing: Vec<RunFile>,
    },
    /// A directory that another process is working in.
    #[error(
        "another process{} is working in {}: it holds {}",
        process.as_ref().map_or(String::new(), |process| format!(", number {process},")),
        path.display(),
        lock.display()
    )]
    Locked {
        /// The directory.
        path: PathBuf,
        /// The lock.
        lock: PathBuf,
        /// The number of the process, if it could be read.
        process: Option<String>,
    },
    /// Commits, and none that could be used.
    #[error("no commit in {} can be used: {}", path.display(), reasons(damaged))]
    Damaged {
        /// Their folder.
        path: PathBuf,
        /// What is wrong with each.
        damaged: Vec<Damage>,
    },
    /// A run of an earlier version of coec.
    #[error("{} was written by an earlier version of coec, which kept nothing to go on from", path.display())]
    Earlier {
        /// Its path.
        path: PathBuf,
    },
    /// What a run is of is not what it was.
    #[error("{} is not the run it was: {}", path.display(), changes.join("; "))]
    Changed {
        /// Its path.
        path: PathBuf,
        /// What changed, from what to what.
        changes: Vec<String>,
        /// Whether the spec is among it, rather than files that it names alone.
        spec: bool,
    },
    /// A disk without room for the commits to come.
    #[error(
        "{} has {free} bytes free, and three commits of this model take {needed}",
        path.display()
    )]
    NoRoom {
        /// A folder on the disk.
        path: PathBuf,
        /// Bytes that are free.
        free: u64,
        /// Bytes that are needed.
        needed: u64,
    },
    /// The system refuses to create a directory.
    #[error("cannot create {}", path.display())]
    Uncreatable {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system refuses to read a file.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system refuses to write a file.
    #[error("cannot write {}", path.display())]
    Unwritable {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line of a log, or of a document, that is not one.
    #[error("{}:{line}: not what a run writes there: {reason}", path.display())]
    BadLine {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

fn list(files: &[RunFile]) -> String {
    files.iter().map(|file| file.name()).collect::<Vec<_>>().join(", ")
}

fn reasons(damaged: &[Damage]) -> String {
    let reason = |damage: &Damage| format!("{}: {}", damage.file.display(), damage.reason);
    damaged.iter().map(reason).collect::<Vec<_>>().join("; ")
}

impl RunError {
    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Weights(error) => error.code(),
            Self::Exists { .. } => "coec::run::exists",
            Self::NotADirectory { .. } => "coec::run::not_a_directory",
            Self::NoRun { .. } => "coec::run::no_run",
            Self::Incomplete { .. } => "coec::run::incomplete",
            Self::Locked { .. } => "coec::run::locked",
            Self::Damaged { .. } => "coec::run::damaged",
            Self::Earlier { .. } => "coec::run::earlier",
            Self::Changed { .. } => "coec::run::changed",
            Self::NoRoom { .. } => "coec::run::no_room",
            Self::Uncreatable { .. } => "coec::run::uncreatable",
            Self::Unreadable { .. } => "coec::run::unreadable",
            Self::Unwritable { .. } => "coec::run::unwritable",
            Self::BadLine { .. } => "coec::run::bad_line",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Weights(error) => error.help(),
            Self::Exists { .. } => {
                "a run is never overwritten: name another directory, or remove this one".into()
            }
            Self::NotADirectory { .. } => "name a directory".into(),
            Self::NoRun { .. } => "runs stand in runs/NAME-N; `coec train` says where it writes".into(),
            Self::Incomplete { path, missing } if missing.as_slice() == [RunFile::Model] => format!(
                "nothing is committed yet; if nothing is running, start it with: coec train --resume {}",
                path.display()
            ),
            Self::Incomplete { .. } => "name the directory of a run, or of an import".into(),
            Self::Locked { .. } => "wait for it to end, or end it; a run has one process at a time".into(),
            Self::Damaged { .. } => {
                "copy the run from a backup, or start anew; nothing was changed or removed".into()
            }
            Self::Earlier { path } => format!(
                "it generates and exports; to train on from its weights: coec train {0}/spec.coe --weights \
                 {0}/model.safetensors",
                path.display()
            ),
            Self::Changed { .. } => {
                "undo the change, or start a new run; a run may only change its length and what it keeps: \
                 --set train.steps=N, and --data tells where its data is now"
                    .into()
            }
            Self::NoRoom { .. } => {
                "make room, or name a directory on another disk with --out; a commit is the weights and two \
                 moments, 12 bytes a parameter"
                    .into()
            }
            Self::Unreadable { .. } => "check that it is there, and its permissions".into(),
            Self::Uncreatable { .. } | Self::Unwritable { .. } => {
                "check the permissions and the free space; what was committed is intact".into()
            }
            Self::BadLine { .. } => "the file was changed by something else".into(),
        }
    }

    /// Whether it is a disk without space.
    pub fn is_full_disk(&self) -> bool {
        let (Self::Unwritable { source, .. } | Self::Weights(WeightsError::Unwritable { source, .. })) = self
        else {
            return false;
        };
        matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}
