//! Runs as processes of their own: `coec train`, one a run, so many at once.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use coec_train::run_dir::RunDir;

use super::interrupt::Interrupt;
use super::progress::Progress;
use crate::failure::Failure;

/// Between two looks at what is running.
const TICK: Duration = Duration::from_millis(100);

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

    fn command(&self, backend: &str, threads: usize) -> io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("train");
        match self.dir.exists() {
            true => command.arg("--resume").arg(&self.dir),
            false => {
                let sets = self.sets.iter().flat_map(|set| [OsString::from("--set"), set.into()]);
                command.arg(&self.spec).args(sets).arg("--out").arg(&self.dir)
            }
        };
        command.args(["--backend", backend]).env("RAYON_NUM_THREADS", threads.to_string());
        command.stdin(Stdio::null());
        Ok(command)
    }

    fn start(&self, backend: &str, threads: usize) -> io::Result<Child> {
        if let Some(folder) = self.dir.parent() {
            fs::create_dir_all(folder)?;
        }
        let log = File::options().create(true).append(true).open(self.log())?;
        let mut command = self.command(backend, threads)?;
        command.stdout(log.try_clone()?).stderr(log);
        super::interrupt::of_ours(&mut command);
        command.spawn()
    }

    /// Why it ended, where it did not end well: the last lines that it said.
    fn failure(&self, status: ExitStatus) -> Failure {
        let said = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        let last = lines[lines.len().saturating_sub(MOST_LINES)..].join("\n  ");
        Failure::environment(
            "coec::compare::run",
            format!("{} ended with {status}; the last it said:\n  {last}", self.title),
            format!("{} has all it said; mend it, and run the same command again", self.log().display()),
        )
    }
}

/// Lines of a failed run that are shown.
const MOST_LINES: usize = 12;

/// How runs are trained.
pub struct Jobs<'a> {
    pub backend: &'a str,
    /// So many at once.
    pub side_by_side: usize,
    /// Threads of each.
    pub threads: usize,
}

/// How a set of runs ended.
pub enum Ended {
    /// All are done.
    Done,
    /// A signal came; what ran is saved.
    Interrupted(i32),
}

impl Jobs<'_> {
    /// Trains the runs that are not done.
    ///
    /// # Errors
    ///
    /// The first run that fails; those beside it are stopped, and saved.
    pub fn train(
        &self,
        runs: &[Run],
        interrupt: &Interrupt,
        progress: &mut Progress,
    ) -> Result<Ended, Failure> {
        let mut waiting: VecDeque<&Run> = runs.iter().filter(|run| !run.is_done()).collect();
        progress.begin(runs.len(), runs.len() - waiting.len());
        let mut running: Vec<(&Run, Child)> = Vec::new();
        let mut failed = None;
        loop {
            let signal = interrupt.signal();
            let goes_on = signal.is_none() && failed.is_none();
            while goes_on && running.len() < self.side_by_side {
                let Some(run) = waiting.pop_front() else { break };
                let child =
                    run.start(self.backend, self.threads).map_err(|error| unstartable(run, &error))?;
                running.push((run, child));
            }
            if running.is_empty() {
                break;
            }
            thread::sleep(TICK);
            let mut left = Vec::new();
            for (run, mut child) in running {
                match child.try_wait() {
                    Ok(None) => left.push((run, child)),
                    Ok(Some(status)) if run.is_done() => progress.done(run, status),
                    Ok(Some(_)) if signal.is_some() || failed.is_some() => {}
                    Ok(Some(status)) => failed = Some(run.failure(status)),
                    Err(error) => failed = Some(unstartable(run, &error)),
                }
            }
            running = left;
            if let Some(signal) = interrupt.signal().or(failed.as_ref().map(|_| super::interrupt::STOP)) {
                running.iter_mut().for_each(|(run, child)| interrupt.pass_on(signal, &run.dir, child));
            }
            progress.show(running.iter().map(|(run, _)| *run));
        }
        progress.finish();
        match (failed, interrupt.signal()) {
            (Some(failure), _) => Err(failure),
            (None, Some(signal)) => Ok(Ended::Interrupted(signal)),
            (None, None) => Ok(Ended::Done),
        }
    }
}

fn unstartable(run: &Run, error: &io::Error) -> Failure {
    Failure::environment(
        "coec::compare::start",
        format!("cannot start {}: {error}", run.title),
        "check the folder, its permissions and the room on the disk",
    )
}
