//! Runs as processes of their own: `coec train`, one a run, so many at once.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::process::Child;
use std::thread;
use std::time::Duration;

use super::interrupt::Interrupt;
use super::progress::Progress;
use super::run::Run;
use crate::{cli::DeviceArgs, failure::Failure};

/// Between two looks at what is running.
const TICK: Duration = Duration::from_millis(100);

/// How runs are trained.
pub struct Jobs {
    pub at: DeviceArgs,
    /// So many at once.
    pub side_by_side: usize,
    /// Threads of each.
    pub threads: usize,
    /// Whether a run that fails leaves the others to go on.
    pub keeps_going: bool,
}

/// How a set of runs ended.
pub enum Ended {
    /// All are done, but for those that failed, each with why.
    Done(Vec<(PathBuf, Failure)>),
    /// A signal came; what ran is saved.
    Interrupted(i32),
}

impl Jobs {
    /// Trains the runs that are not done.
    ///
    /// # Errors
    ///
    /// The first run that fails, unless the others are to go on; those beside it are stopped, and saved.
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
        let mut failures = Vec::new();
        loop {
            let signal = interrupt.signal();
            let goes_on = signal.is_none() && failed.is_none();
            while goes_on && running.len() < self.side_by_side {
                let Some(run) = waiting.pop_front() else { break };
                let child = run.start(self.at, self.threads).map_err(|error| unstartable(run, &error))?;
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
                    Ok(Some(status)) if self.keeps_going => {
                        progress.failed(run);
                        failures.push((run.dir.clone(), run.failure(status)));
                    }
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
            (None, None) => Ok(Ended::Done(failures)),
        }
    }
}

fn unstartable(run: &Run, error: &io::Error) -> Failure {
    Failure::environment(
        "coec::experiment::start",
        format!("cannot start {}: {error}", run.title),
        "check the folder, its permissions and the room on the disk",
    )
}
