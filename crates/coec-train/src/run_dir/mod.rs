//! The directory of a run: its name, its files, and how they are written.
//!
//! `spec.coe` and `tokenizer.json` are there from the start, the logs grow, and everything else a
//! run is stands in [`commit`]. `model.safetensors` is the newest commit's.

pub mod commit;
mod error;
#[cfg(test)]
mod faulty;
mod files;
mod holder;
mod log;
pub mod metrics;
mod place;
mod records;
pub mod state;
mod tail;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;

pub use commit::{Commit, Commits, Contents, Found};
pub use error::{Damage, RunError};
pub use files::RunFile;
pub use holder::Holder;
pub use log::Log;
pub use metrics::Metrics;
pub use place::{Fill, Place};
pub use records::Records;
pub use state::{Clock, Identity, Origin, Stage, State, train_of};
pub use tail::{News, Tail};

use self::commit::MODEL;
use self::state::LogState;
use coec_store::atomic;

use crate::{
    disk::{self, Disk, Lock},
    experts::ExpertLine,
    routing::RoutingLine,
    weights::Weights,
};

/// Where the commits are.
const COMMITS: &str = "commits";

/// A run's directory.
#[derive(Debug, Clone)]
pub struct RunDir {
    path: PathBuf,
    disk: Arc<dyn Disk>,
    /// Held by those who write.
    lock: Option<Arc<Lock>>,
}

impl RunDir {
    /// Opens a directory to read what a run, or an import, has: a spec, a tokenizer and weights.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        let run = Self::read_only(path)?;
        match run.commits().is_empty()? {
            true => run.needs(&[RunFile::Spec, RunFile::Tokenizer, RunFile::Model])?,
            // The name in the directory comes after the commit, and is not needed.
            false => run.needs(&[RunFile::Spec, RunFile::Tokenizer])?,
        }
        Ok(run)
    }

    /// Opens the directory of a run to go on with it: locked, and rid of what killed processes left.
    ///
    /// # Errors
    ///
    /// No run; one that another process is working on; one of an earlier version of coec, which
    /// has weights and no commits.
    pub fn resume(path: &Path) -> Result<Self, RunError> {
        Self::resume_on(disk::system(), path)
    }

    /// The same on `disk`.
    pub fn resume_on(disk: Arc<dyn Disk>, path: &Path) -> Result<Self, RunError> {
        let mut run = Self { disk, ..Self::read_only(path)? };
        run.needs(&[RunFile::Spec, RunFile::Tokenizer])?;
        run.lock = Some(Arc::new(take_lock(&*run.disk, path)?));
        if run.file(RunFile::Model).is_file() && run.commits().is_empty()? {
            return Err(RunError::Earlier { path: run.path });
        }
        run.sweep()?;
        Ok(run)
    }

    /// Opens a directory to read what there is of a run, or an import.
    pub fn read_only(path: &Path) -> Result<Self, RunError> {
        let path = path.to_owned();
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(RunError::NoRun { path }),
            Err(source) => Err(RunError::Unreadable { path, source }),
            Ok(about) if !about.is_dir() => Err(RunError::NotADirectory { path }),
            Ok(_) => Ok(Self { path, disk: disk::system(), lock: None }),
        }
    }

    /// Opens the directory of a run that may not have come far.
    pub fn begun(path: &Path) -> Result<Self, RunError> {
        let run = Self::read_only(path)?;
        run.needs(&[RunFile::Spec])?;
        Ok(run)
    }

    fn needs(&self, files: &[RunFile]) -> Result<(), RunError> {
        let missing: Vec<_> = files.iter().copied().filter(|&file| !self.file(file).is_file()).collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(RunError::Incomplete { path: self.path.clone(), missing }),
        }
    }

    /// Removes scratch files of processes that were killed.
    fn sweep(&self) -> Result<(), RunError> {
        let names = self.disk.names(&self.path);
        let names = names.map_err(|source| RunError::Unreadable { path: self.path.clone(), source })?;
        let is_ours = |name: &&std::ffi::OsString| {
            atomic::scratch_of(name).is_some_and(|base| RunFile::ALL.iter().any(|file| file.name() == base))
        };
        for path in names.iter().filter(is_ours).map(|name| self.path.join(name)) {
            self.disk.remove_file(&path).map_err(|source| RunError::Unwritable { path, source })?;
        }
        self.commits().sweep()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it goes through.
    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// Where a file of it is.
    pub fn file(&self, file: RunFile) -> PathBuf {
        self.path.join(file.name())
    }

    /// Writes a file, whole or not at all.
    pub fn write(&self, file: RunFile, bytes: &[u8]) -> Result<(), RunError> {
        let path = self.file(file);
        atomic::write_on(&*self.disk, &path, bytes).map_err(|source| RunError::Unwritable { path, source })
    }

    /// Copies a file here.
    pub fn copy(&self, file: RunFile, from: &Path) -> Result<(), RunError> {
        let path = self.file(file);
        let copied = std::fs::copy(from, &path).and_then(|_| std::fs::File::open(&path)?.sync_all());
        copied.map_err(|source| RunError::Unwritable { path, source })
    }

    /// Reads a text file.
    pub fn read(&self, file: RunFile) -> Result<String, RunError> {
        let path = self.file(file);
        let mut text = String::new();
        let read = self.disk.open(&path).and_then(|mut file| file.read_to_string(&mut text));
        read.map_err(|source| RunError::Unreadable { path, source })?;
        Ok(text)
    }

    /// The metrics, to be appended to.
    pub fn metrics(&self, state: LogState) -> Log<Metrics> {
        Log::new(self.disk.clone(), self.file(RunFile::Metrics), state)
    }

    /// The expert loads, to be appended to.
    pub fn experts(&self, state: LogState) -> Log<ExpertLine> {
        Log::new(self.disk.clone(), self.file(RunFile::Experts), state)
    }

    /// The decisions of the routers, to be appended to.
    pub fn routing(&self, state: LogState) -> Log<RoutingLine> {
        Log::new(self.disk.clone(), self.file(RunFile::Routing), state)
    }

    /// Writes the lines of logs that could not be written when `state` was committed.
    pub fn write_waiting(&self, state: &State) -> Result<(), RunError> {
        let logs = &state.logs;
        self.metrics(logs.metrics.clone()).write_waiting()?;
        self.experts(logs.experts.clone()).write_waiting()?;
        self.routing(logs.routing.clone()).write_waiting()
    }

    /// The metrics written so far.
    pub fn read_metrics(&self) -> Result<Vec<Metrics>, RunError> {
        self.read_log(RunFile::Metrics)
    }

    /// The lines of a log.
    fn read_log<T: DeserializeOwned>(&self, log: RunFile) -> Result<Vec<T>, RunError> {
        log::read(&*self.disk, &self.file(log))
    }

    /// The expert loads written so far.
    pub fn read_experts(&self) -> Result<Vec<ExpertLine>, RunError> {
        log::read(&*self.disk, &self.file(RunFile::Experts))
    }

    /// The metrics, to be read while they grow.
    pub fn follow_metrics(&self) -> Tail<Metrics> {
        Tail::new(self.disk.clone(), self.file(RunFile::Metrics))
    }

    /// The expert loads, to be read while they grow.
    pub fn follow_experts(&self) -> Tail<ExpertLine> {
        Tail::new(self.disk.clone(), self.file(RunFile::Experts))
    }

    /// Who works on it.
    pub fn holder(&self) -> Holder {
        holder::holder(&self.path.join(atomic::LOCK))
    }

    /// The commits.
    pub fn commits(&self) -> Commits {
        Commits::new(self.disk.clone(), self.path.join(COMMITS))
    }

    /// The newest commit to go on from, see [`Commits::newest`].
    pub fn newest(&self) -> Result<Found<Commit>, RunError> {
        self.commits().newest()
    }

    /// The newest weights: those of the newest sound commit, with what is damaged; of an import or
    /// a run without commits the file in the directory.
    pub fn weights(&self) -> Result<(Weights, Vec<Damage>), RunError> {
        let found = self.commits().newest_weights()?;
        match found.newest {
            Some(weights) => Ok((weights, found.damaged)),
            None => Ok((Weights::open_on(&*self.disk, &self.file(RunFile::Model))?, found.damaged)),
        }
    }

    /// Makes the lines of the logs last, which a state counts that is about to be committed.
    pub fn sync_logs(&self) -> Result<(), RunError> {
        for log in [RunFile::Metrics, RunFile::Experts, RunFile::Routing] {
            let path = self.file(log);
            if path.is_file() {
                let synced = self.disk.open(&path).and_then(|mut file| file.sync());
                synced.map_err(|source| RunError::Unwritable { path, source })?;
            }
        }
        // A log may have been begun since the last time: its name must last too.
        let synced = self.disk.sync_dir(&self.path);
        synced.map_err(|source| RunError::Unwritable { path: self.path.clone(), source })
    }

    /// Commits `contents`; the bytes written.
    ///
    /// A disk that is full for want of space is given some first: of the commits there are, the newest
    /// and the best stay, and it is tried once more.
    pub fn commit(&self, contents: Contents<'_>) -> Result<u64, RunError> {
        let commits = self.commits();
        match commits.write(contents) {
            Err(error) if error.is_full_disk() => {
                commits.prune(1)?;
                commits.write(contents)
            }
            written => written,
        }
    }

    /// Makes `model.safetensors` the weights committed at `stage`. The commit is one without it.
    pub fn show_commit(&self, stage: Stage) -> Result<(), RunError> {
        self.show(&self.commits().place(stage))
    }

    /// Makes `model.safetensors` the weights of the commit in `commit`.
    pub fn show(&self, commit: &Path) -> Result<(), RunError> {
        let (from, path) = (commit.join(MODEL), self.file(RunFile::Model));
        self.link(&from, &path).map_err(|source| RunError::Unwritable { path, source })
    }

    /// Keeps the weights committed at `stage` as those the run began with.
    pub fn keep_start(&self, stage: Stage) -> Result<(), RunError> {
        let (from, path) = (self.commits().place(stage).join(MODEL), self.file(RunFile::Start));
        self.link(&from, &path).map_err(|source| RunError::Unwritable { path, source })
    }

    /// The weights that the run began with, where they were given.
    pub fn start(&self) -> Result<Weights, RunError> {
        Ok(Weights::open_on(&*self.disk, &self.file(RunFile::Start))?)
    }

    /// Gives a file a second name in place of what has it.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let scratch = atomic::scratch(to, 0)?;
        if scratch.exists() {
            self.disk.remove_file(&scratch)?;
        }
        let linked = self.disk.link(from, &scratch);
        if linked.is_err() {
            // Not every file system has second names.
            let mut copy = self.disk.create(&scratch)?;
            io::copy(&mut self.disk.open(from)?, &mut copy)?;
            copy.sync()?;
        }
        self.disk.rename(&scratch, to)?;
        self.disk.sync_dir(&self.path)?;
        // Between two names of one file a rename does nothing.
        if scratch.exists() { self.disk.remove_file(&scratch) } else { Ok(()) }
    }
}

/// The lock of the run in `path`.
fn take_lock(disk: &dyn Disk, path: &Path) -> Result<Lock, RunError> {
    let lock = path.join(atomic::LOCK);
    match disk.lock(&lock) {
        Ok(Some(held)) => Ok(held),
        Ok(None) => {
            let process = fs::read_to_string(&lock).ok().map(|text| text.trim().to_owned());
            let process = process.filter(|process| !process.is_empty());
            Err(RunError::Locked { path: path.to_owned(), lock, process })
        }
        Err(source) => Err(RunError::Unwritable { path: lock, source }),
    }
}
