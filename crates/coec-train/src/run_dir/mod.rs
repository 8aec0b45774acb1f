//! The directory of a run: its name, its files, and how they are written.

mod error;
mod lines;
mod metrics;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use error::RunError;
pub use lines::Lines;
pub use metrics::Metrics;

use crate::atomic;

/// A file of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunFile {
    /// The explicit model, and how it is trained.
    Spec,
    /// The tokenizer.
    Tokenizer,
    /// One line a step.
    Metrics,
    /// Expert load.
    Experts,
    /// Counts and verdicts.
    Budget,
    /// The weights.
    Model,
    /// The optimizer's moments, to go on with.
    Optimizer,
}

impl RunFile {
    /// Its name in the directory.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spec => "spec.coe",
            Self::Tokenizer => "tokenizer.json",
            Self::Metrics => "metrics.jsonl",
            Self::Experts => "experts.jsonl",
            Self::Budget => "budget.json",
            Self::Model => "model.safetensors",
            Self::Optimizer => "optimizer.safetensors",
        }
    }
}

/// A run's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Makes `parent/NAME-N`, N being the first free number from 1 on.
    ///
    /// Two runs that start at once get two numbers.
    pub fn create_next(parent: &Path, name: &str) -> Result<Self, RunError> {
        let uncreatable = |path: &Path, source| RunError::Uncreatable { path: path.to_owned(), source };
        fs::create_dir_all(parent).map_err(|source| uncreatable(parent, source))?;
        let name = plain(name);
        let mut number = 1u64;
        loop {
            let path = parent.join(format!("{name}-{number}"));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(uncreatable(&path, error)),
            }
        }
    }

    /// Makes the directory `path`, or takes it if it is empty.
    pub fn create_at(path: &Path) -> Result<Self, RunError> {
        let path = path.to_owned();
        match fs::metadata(&path) {
            Ok(about) if !about.is_dir() => return Err(RunError::NotADirectory { path }),
            Ok(_) => {
                let entries = fs::read_dir(&path);
                match entries.map(|mut entries| entries.next().is_some()) {
                    Ok(false) => {}
                    Ok(true) => return Err(RunError::Exists { path }),
                    Err(source) => return Err(RunError::Unreadable { path, source }),
                }
            }
            Err(_) => {
                if let Err(source) = fs::create_dir_all(&path) {
                    return Err(RunError::Uncreatable { path, source });
                }
            }
        }
        Ok(Self { path })
    }

    /// Opens the directory of a finished run, which has a spec, a tokenizer and weights.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        let path = path.to_owned();
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(RunError::NoRun { path }),
            Err(source) => return Err(RunError::Unreadable { path, source }),
            Ok(about) if !about.is_dir() => return Err(RunError::NotADirectory { path }),
            Ok(_) => {}
        }
        let run = Self { path };
        let needed = [RunFile::Spec, RunFile::Tokenizer, RunFile::Model];
        let missing: Vec<_> = needed.into_iter().filter(|&file| !run.file(file).is_file()).collect();
        match missing.is_empty() {
            true => Ok(run),
            false => Err(RunError::Incomplete { path: run.path, missing }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a file of it is.
    pub fn file(&self, file: RunFile) -> PathBuf {
        self.path.join(file.name())
    }

    /// Writes a file, whole or not at all.
    pub fn write(&self, file: RunFile, bytes: &[u8]) -> Result<(), RunError> {
        let path = self.file(file);
        atomic::write(&path, bytes).map_err(|source| RunError::Unwritable { path, source })
    }

    /// Reads a text file.
    pub fn read(&self, file: RunFile) -> Result<String, RunError> {
        let path = self.file(file);
        fs::read_to_string(&path).map_err(|source| RunError::Unreadable { path, source })
    }

    /// Opens the metrics for appending.
    pub fn metrics(&self) -> Result<Lines<Metrics>, RunError> {
        Lines::append(&self.file(RunFile::Metrics))
    }

    /// Opens the file of expert loads for appending.
    pub fn experts<T: serde::Serialize>(&self) -> Result<Lines<T>, RunError> {
        Lines::append(&self.file(RunFile::Experts))
    }

    /// The metrics written so far.
    pub fn read_metrics(&self) -> Result<Vec<Metrics>, RunError> {
        lines::read(&self.file(RunFile::Metrics))
    }
}

/// A model's name as a file name: letters, digits, `_`, `.` and `-`; `run` if nothing is left.
fn plain(name: &str) -> String {
    let keep = |char: char| if char.is_ascii_alphanumeric() || "_.".contains(char) { char } else { '-' };
    let plain: String = name.chars().map(keep).collect();
    let words: Vec<&str> = plain.split('-').filter(|word| !word.is_empty()).collect();
    let plain = words.join("-");
    let plain = plain.trim_start_matches(['.', '-']);
    if plain.is_empty() { "run".to_owned() } else { plain.to_owned() }
}
