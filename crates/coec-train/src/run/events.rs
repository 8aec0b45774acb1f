//! The event files of a run that is to have them.

use super::Job;
use crate::{
    experts::ExpertLine,
    run_dir::{Metrics, RunDir, RunError},
    tensorboard::{FOLDER, Live},
};

/// The event file of a session, if there is to be one.
///
/// It says nothing that the logs do not. Where it cannot be written it is left alone, and made anew from them at
/// the end of the session.
#[derive(Debug)]
pub(super) struct Events {
    wanted: bool,
    live: Option<Live>,
}

impl Events {
    /// For a run that is asked to write them, or has some from before.
    pub fn of(job: &Job<'_>, dir: &RunDir) -> Self {
        Self { wanted: job.tensorboard || dir.path().join(FOLDER).is_dir(), live: None }
    }

    /// Begins a file with what is in the logs, behind which nothing is written yet.
    pub fn begin(&mut self, dir: &RunDir) -> Result<(), RunError> {
        if self.wanted {
            self.live = Some(Live::begin(dir)?);
        }
        Ok(())
    }

    /// Adds a step.
    pub fn step(&mut self, metrics: &Metrics) -> Result<(), RunError> {
        self.add(|live| live.step(metrics))
    }

    /// Adds loads of experts.
    pub fn experts(&mut self, lines: &[ExpertLine]) -> Result<(), RunError> {
        self.add(|live| live.experts(lines))
    }

    fn add(&mut self, add: impl FnOnce(&mut Live) -> Result<(), RunError>) -> Result<(), RunError> {
        let added = self.live.as_mut().map_or(Ok(()), add);
        if added.is_err() {
            self.live = None;
        }
        added
    }

    /// Sees to it that what could not be written is there.
    pub fn complete(&mut self, dir: &RunDir) -> Result<(), RunError> {
        match self.live {
            None => self.begin(dir),
            Some(_) => Ok(()),
        }
    }
}
