//! A run of an experiment: `coec train` in a process of its own.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use coec_train::run_dir::RunDir;

use super::interrupt;
use crate::{cli::DeviceArgs, failure::Failure};

/// A run that is to be trained.
#[derive(Debug, Clone)]
pub struct Run {
    /// How it is called: `chain, seed 42`.
    pub title: String,
    /// The spec it is of.
    pub spec: PathBuf,
    /// Its directory.
    pub dir: PathBuf,
    /// Settings beside the spec's.
    pub sets: Vec<String>,
    /// Its length.
    pub steps: usize,
}

impl Run {
    /// Whether all its steps are done, and saved.
    pub fn is_done(&self) -> bool {
        let newest = RunDir::read_only(&self.dir).and_then(|dir| dir.newest());
        newest.is_ok_and(|found| {
            let state = found.newest.map(|commit| commit.state);
            state.is_some_and(|state| state.step >= self.steps && state.unevaluated.is_none())
        })
    }

    /// Where what it says goes.
    fn log(&self) -> PathBuf {
        self.dir.with_extension("log")
    }

    fn command(&self, at: DeviceArgs, threads: usize) -> io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("train");
        match self.dir.exists() {
            true => command.arg("--resume").arg(&self.dir),
            false => {
                let sets = self.sets.iter().flat_map(|set| [OsString::from("--set"), set.into()]);
                command.arg(&self.spec).args(sets).arg("--out").arg(&self.dir)
            }
        };
        command.args(["--backend", at.backend.name(), "--device", &at.number().to_string()]);
        command.env("RAYON_NUM_THREADS", threads.to_string());
        command.stdin(Stdio::null());
        Ok(command)
    }

    pub fn start(&self, at: DeviceArgs, threads: usize) -> io::Result<Child> {
        if let Some(folder) = self.dir.parent() {
            fs::create_dir_all(folder)?;
        }
        let log = File::options().create(true).append(true).open(self.log())?;
        let mut command = self.command(at, threads)?;
        command.stdout(log.try_clone()?).stderr(log);
        interrupt::of_ours(&mut command);
        command.spawn()
    }

    /// Why it ended, where it did not end well: the last lines that it said.
    pub fn failure(&self, status: ExitStatus) -> Failure {
        let said = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        let last = lines[lines.len().saturating_sub(MOST_LINES)..].join("\n  ");
        Failure::environment(
            "coec::experiment::run",
            format!("{} ended with {status}; the last it said:\n  {last}", self.title),
            format!("{} has all it said; mend it, and run the same command again", self.log().display()),
        )
    }
}

/// Lines of a failed run that are shown.
const MOST_LINES: usize = 12;
