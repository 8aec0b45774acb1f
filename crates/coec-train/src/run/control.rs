//! Asking a run to stop, and saving it when it does not get round to it.
//!
//! A run looks between its steps whether it was asked to stop. A step may take longer than there is
//! time: so before each step, and each evaluation, the run lends its state as it is then, which
//! costs nothing, since tensors are shared until somebody changes them; before the weights change,
//! it takes it back. Another thread can save what is lent.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use coec_nn::LanguageModel;

use crate::{
    optimizer::AdamW,
    run_dir::{Clock, Contents, RunDir, RunError, State},
};

/// What is shared between a run and those who may end it.
#[derive(Debug, Default)]
pub struct Control {
    stop: AtomicBool,
    /// Microseconds that the last commit took, and the last step.
    saving: AtomicU64,
    stepping: AtomicU64,
    phase: Mutex<Phase>,
}

/// Where a run is.
#[derive(Debug, Default)]
enum Phase {
    /// Before its first step: nothing would be lost.
    #[default]
    Preparing,
    /// Somewhere where its state cannot be taken: it is being changed, or saved.
    Busy,
    /// In a step or an evaluation.
    Lent(Box<Lent>),
    /// Behind its last commit: nothing would be lost.
    Saved,
}

/// The state of a run before what it is doing.
#[derive(Debug)]
pub(super) struct Lent {
    pub dir: RunDir,
    pub model: LanguageModel,
    pub optimizer: AdamW,
    pub state: State,
    pub clock: Clock,
    /// Whether that state is on the disk already.
    pub committed: bool,
}

/// What [`Control::rescue`] could do.
#[derive(Debug)]
pub enum Rescue {
    /// The run has not begun: nothing is lost.
    NothingYet,
    /// Everything is on the disk.
    NothingMore,
    /// The state before the step or the evaluation in progress is on the disk.
    Saved {
        /// Steps done in that state.
        step: usize,
        /// The run's directory.
        path: PathBuf,
    },
    /// The run is at it, and needs more time.
    Busy,
    /// It could not be saved. The last commit is still there.
    Failed(RunError),
}

impl Control {
    /// Asks for an end after the step in progress.
    pub fn stop(&self) {
        self.stop.store(true, Relaxed);
    }

    /// Whether an end was asked for.
    pub fn is_stopping(&self) -> bool {
        self.stop.load(Relaxed)
    }

    /// How long a commit takes: the last one, or before there was one what it may take at most on an
    /// ordinary disk.
    pub fn saving_takes(&self) -> Duration {
        Duration::from_micros(self.saving.load(Relaxed))
    }

    /// Saves the state before the step in progress, for somebody who then ends the process. Should the
    /// run get on in the meantime, nothing is harmed: what it writes is of a later state.
    ///
    /// Unless it `is_late`, a step in progress is left to end by itself.
    pub fn rescue(&self, is_late: bool) -> Rescue {
        let mut phase = self.phase();
        match &*phase {
            Phase::Preparing => Rescue::NothingYet,
            Phase::Saved => Rescue::NothingMore,
            Phase::Busy => Rescue::Busy,
            Phase::Lent(_) if !is_late => Rescue::Busy,
            Phase::Lent(lent) if lent.committed => Rescue::NothingMore,
            Phase::Lent(lent) => {
                let (step, path) = (lent.state.step, lent.dir.path().to_owned());
                // The state matters more than a line that may be lost with the machine's power.
                let _ = lent.dir.sync_logs();
                // The run waits for this lock when it comes back for its state.
                match lent.dir.commit(lent.contents()) {
                    Ok(_) => {
                        let _ = lent.dir.show_commit(lent.state.stage());
                        *phase = Phase::Saved;
                        Rescue::Saved { step, path }
                    }
                    Err(error) => Rescue::Failed(error),
                }
            }
        }
    }

    pub(super) fn lend(&self, lent: Lent) {
        *self.phase() = Phase::Lent(Box::new(lent));
    }

    /// Takes back what was lent.
    pub(super) fn busy(&self) {
        *self.phase() = Phase::Busy;
    }

    pub(super) fn saved(&self) {
        *self.phase() = Phase::Saved;
    }

    /// How long the last step took; zero if there was none.
    pub fn step_takes(&self) -> Duration {
        Duration::from_micros(self.stepping.load(Relaxed))
    }

    pub(super) fn note_step(&self, took: Duration) {
        self.stepping.store(took.as_micros() as u64, Relaxed);
    }

    pub(super) fn note_saving(&self, took: Duration) {
        self.saving.store(took.as_micros() as u64, Relaxed);
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lent {
    fn contents(&self) -> Contents<'_> {
        let Self { model, optimizer, state, clock, .. } = self;
        Contents { model, optimizer, state, clock }
    }
}
