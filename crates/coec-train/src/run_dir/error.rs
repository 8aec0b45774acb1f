//! What can be wrong with a run directory.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::RunFile;

/// A run directory that cannot be made, read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
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
    /// A line of metrics that is not one.
    #[error("{}:{line}: not a line of metrics: {reason}", path.display())]
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

impl RunError {
    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "coec::run::exists",
            Self::NotADirectory { .. } => "coec::run::not_a_directory",
            Self::NoRun { .. } => "coec::run::no_run",
            Self::Incomplete { .. } => "coec::run::incomplete",
            Self::Uncreatable { .. } => "coec::run::uncreatable",
            Self::Unreadable { .. } => "coec::run::unreadable",
            Self::Unwritable { .. } => "coec::run::unwritable",
            Self::BadLine { .. } => "coec::run::bad_line",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Exists { .. } => {
                "a run is never overwritten: name another directory, or remove this one".into()
            }
            Self::NotADirectory { .. } => "name a directory".into(),
            Self::NoRun { .. } => "runs stand in runs/NAME-N; `coec train` says where it writes".into(),
            Self::Incomplete { .. } => {
                "the run may still be going on, or have been cut off before it saved".into()
            }
            Self::Uncreatable { source, .. }
            | Self::Unreadable { source, .. }
            | Self::Unwritable { source, .. } => source.to_string(),
            Self::BadLine { .. } => "the file was changed by something else".into(),
        }
    }
}
