//! Commits: the whole state of a run, on the disk or not at all.
//!
//! A commit is a folder `commits/step-N`: `model.safetensors`, `optimizer.safetensors`,
//! `state.json`, `clock.json`, and `manifest.json` with the length and sum of each. It is written
//! under a scratch name, every file flushed, the manifest last; then the folder is flushed and
//! given its name, and the folder above is flushed. At no moment is there half a commit under a
//! commit's name.

mod file;
mod latest;
mod manifest;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use latest::Latest;
pub use manifest::{FileSum, Manifest};
pub use read::{Commit, Found};
pub use write::{Contents, bytes_of};

use super::error::RunError;
use super::state::Stage;
use coec_store::atomic;

use crate::disk::Disk;

/// The weights.
pub const MODEL: &str = "model.safetensors";
/// The optimizer's moments.
pub const OPTIMIZER: &str = "optimizer.safetensors";
/// What is the same in every run of one spec.
pub const STATE: &str = "state.json";
/// What depends on the clock.
pub const CLOCK: &str = "clock.json";
/// The list of the others.
pub const MANIFEST: &str = "manifest.json";

/// The commits of a run.
#[derive(Debug, Clone)]
pub struct Commits {
    disk: Arc<dyn Disk>,
    path: PathBuf,
}

/// A commit's place, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    stage: Stage,
    path: PathBuf,
}

impl Commits {
    /// Those in the folder `path`, which need not exist.
    pub fn new(disk: Arc<dyn Disk>, path: PathBuf) -> Self {
        Self { disk, path }
    }

    /// Where they are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the commit of a stage is, or would be.
    pub fn place(&self, stage: Stage) -> PathBuf {
        self.path.join(stage.name())
    }

    /// Whether there are any, sound or not.
    pub fn is_empty(&self) -> Result<bool, RunError> {
        self.entries().map(|entries| entries.is_empty())
    }

    /// The names in their folder, none where there is no folder yet.
    fn names(&self) -> Result<Vec<std::ffi::OsString>, RunError> {
        match self.disk.names(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            names => names.map_err(|source| RunError::Unreadable { path: self.path.clone(), source }),
        }
    }

    /// Those there are, the newest last.
    fn entries(&self) -> Result<Vec<Entry>, RunError> {
        let names = self.names()?;
        let entry = |name: &std::ffi::OsString| {
            Some(Entry { stage: Stage::of_name(name)?, path: self.path.join(name) })
        };
        let mut entries: Vec<Entry> = names.iter().filter_map(entry).collect();
        entries.sort_by_key(|entry| entry.stage);
        Ok(entries)
    }

    /// Removes what killed processes left half-written or half-removed. Only who holds the run's
    /// lock may.
    pub fn sweep(&self) -> Result<(), RunError> {
        let names = self.names()?;
        let is_ours = |name: &&std::ffi::OsString| {
            atomic::scratch_of(name).is_some_and(|base| Stage::of_name(OsStr::new(base)).is_some())
        };
        for path in names.iter().filter(is_ours).map(|name| self.path.join(name)) {
            self.disk.remove_dir(&path).map_err(|source| RunError::Unwritable { path, source })?;
        }
        Ok(())
    }

    /// Removes all but the newest `keep` and the best by validation loss, the earliest of equals.
    pub fn prune(&self, keep: usize) -> Result<(), RunError> {
        let mut entries = self.entries()?;
        // What was committed before an evaluation gives way to what was after it.
        let twice = |entry: &Entry| {
            let evaluated = Stage { evaluated: true, ..entry.stage };
            !entry.stage.evaluated && self.place(evaluated).exists()
        };
        for entry in entries.extract_if(.., |entry| twice(entry)) {
            self.remove(&entry).map_err(|source| RunError::Unwritable { path: entry.path, source })?;
        }
        let old = &entries[..entries.len().saturating_sub(keep)];
        if old.is_empty() {
            return Ok(());
        }
        let loss = |entry: &Entry| self.manifest(&entry.path).ok().and_then(|manifest| manifest.val_loss());
        let losses = entries.iter().filter_map(|entry| Some((loss(entry)?, entry.stage)));
        let best = losses.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))).map(|(_, stage)| stage);
        for entry in old.iter().filter(|entry| Some(entry.stage) != best) {
            self.remove(entry).map_err(|source| RunError::Unwritable { path: entry.path.clone(), source })?;
        }
        Ok(())
    }

    /// First its name goes, then its files: a reader never finds half of it under its name.
    fn remove(&self, entry: &Entry) -> io::Result<()> {
        let scratch = atomic::scratch(&entry.path, 0)?;
        self.disk.rename(&entry.path, &scratch)?;
        self.disk.sync_dir(&self.path)?;
        self.disk.remove_dir(&scratch)
    }
}
