//! What a run leaves on the disk while it goes on: logs, event files, commits. Of several ranks the first keeps it.

use std::thread;
use std::time::{Duration, Instant};

use coec_nn::LanguageModel;

use super::{Control, Event, Job, events::Events, saver::Saver};
use crate::{
    error::TrainError,
    experts::ExpertLine,
    optimizer::AdamW,
    routing::RoutingLine,
    run_dir::{Clock, Contents, Log, Metrics, RunDir, RunError, Stage, State},
};

/// Pauses before the last commit is tried again, where it fails.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// The directory of a run that is going on.
pub(super) struct Record {
    pub dir: RunDir,
    metrics: Log<Metrics>,
    experts: Log<ExpertLine>,
    routing: Log<RoutingLine>,
    events: Events,
    saver: Saver,
    /// Commits that are kept.
    keep: usize,
    /// The stage of the newest commit.
    committed: Option<Stage>,
    /// Whether a log could not be written the last time.
    log_fails: bool,
}

/// Who hears what a record has to say.
pub(super) type Tell<'a> = &'a mut dyn FnMut(Event);

/// What a commit is made of, but for what the record itself knows.
pub(super) struct Standing<'a> {
    pub model: &'a LanguageModel,
    pub optimizer: &'a AdamW,
    pub state: &'a mut State,
    pub clock: Clock,
}

impl Record {
    pub fn new(job: &Job<'_>, dir: RunDir, state: &State, committed: Option<Stage>) -> Self {
        Self {
            metrics: dir.metrics(state.logs.metrics.clone()),
            experts: dir.experts(state.logs.experts.clone()),
            routing: dir.routing(state.logs.routing.clone()),
            events: Events::of(job, &dir),
            saver: Saver::new(job.train.save),
            keep: job.train.keep,
            committed,
            log_fails: false,
            dir,
        }
    }

    /// Writes what could not be written before, and begins the event files.
    pub fn open(&mut self, tell: Tell<'_>) {
        let opened = self.write_waiting();
        self.note_logs(opened, tell);
        for (log, missing) in [
            ("metrics", self.metrics.missing()),
            ("experts", self.experts.missing()),
            ("routing", self.routing.missing()),
        ] {
            if missing > 0 {
                tell(Event::Note(format!(
                    "{log}.jsonl lacks {missing} lines that it had when the run was committed; it goes on without"
                )));
            }
        }
        warn(self.events.begin(&self.dir), tell);
    }

    /// Adds a step.
    pub fn step(&mut self, metrics: &Metrics, tell: Tell<'_>) {
        let pushed = self.metrics.push(metrics);
        self.note_logs(pushed, tell);
        warn(self.events.step(metrics), tell);
    }

    /// Adds what an evaluation has of experts and routers.
    pub fn evaluated(
        &mut self,
        experts: &[ExpertLine],
        routing: impl Iterator<Item = RoutingLine>,
        tell: Tell<'_>,
    ) {
        for line in experts {
            let pushed = self.experts.push(line);
            self.note_logs(pushed, tell);
        }
        for line in routing {
            let pushed = self.routing.push(&line);
            self.note_logs(pushed, tell);
        }
        warn(self.events.experts(experts), tell);
    }

    /// Writes what waits, behind the last step.
    pub fn close(&mut self, tell: Tell<'_>) {
        let written = self.write_waiting();
        self.note_logs(written, tell);
        warn(self.events.complete(&self.dir), tell);
    }

    /// Writes the lines of logs that wait.
    fn write_waiting(&mut self) -> Result<(), RunError> {
        self.metrics.write_waiting().and(self.experts.write_waiting()).and(self.routing.write_waiting())
    }

    /// Says once that a log cannot be written: its lines wait.
    fn note_logs(&mut self, written: Result<(), RunError>, tell: Tell<'_>) {
        let failed = written.is_err();
        if let Err(error) = written
            && !self.log_fails
        {
            tell(Event::Warning(error.into()));
        }
        self.log_fails = failed;
    }

    /// Leaves in `state` where the logs stand.
    pub fn note_state(&self, state: &mut State) {
        state.logs.metrics = self.metrics.state().clone();
        state.logs.experts = self.experts.state().clone();
        state.logs.routing = self.routing.state().clone();
    }

    /// Whether `stage` is the newest commit's.
    pub fn has(&self, stage: Stage) -> bool {
        self.committed == Some(stage)
    }

    /// Whether a commit is due after `step` steps, see [`Saver::is_due`].
    pub fn is_due(&self, step: usize, best: bool) -> bool {
        self.saver.is_due(step, best)
    }

    /// How long the last commit of this session took.
    pub fn took(&self) -> Option<Duration> {
        self.saver.took()
    }

    /// Commits what stands, if it is not on the disk already.
    pub fn commit(
        &mut self,
        standing: &mut Standing<'_>,
        control: &Control,
        tell: Tell<'_>,
    ) -> Result<(), TrainError> {
        let stage = standing.state.stage();
        if self.has(stage) {
            return Ok(());
        }
        control.busy();
        self.note_state(standing.state);
        let start = Instant::now();
        let synced = self.dir.sync_logs();
        self.note_logs(synced, tell);
        let Standing { model, optimizer, state, clock } = standing;
        let written = self.dir.commit(Contents { model, optimizer, state, clock });
        let took = start.elapsed();
        match written {
            Ok(bytes) => {
                self.saver.note(took);
                control.note_saving(took);
                self.committed = Some(stage);
                let stretched = self.saver.stretched().map(|interval| interval.as_secs_f64());
                tell(Event::Saved { step: state.step, bytes, seconds: took.as_secs_f64(), stretched });
                // The commit stands whatever becomes of these.
                warn(self.dir.show_commit(stage), tell);
                warn(self.dir.commits().prune(self.keep), tell);
                Ok(())
            }
            Err(error) => {
                self.saver.note_failure();
                Err(error.into())
            }
        }
    }

    /// Commits what nothing comes after, and tries more than once.
    pub fn commit_last(
        &mut self,
        standing: &mut Standing<'_>,
        control: &Control,
        tell: Tell<'_>,
    ) -> Result<(), TrainError> {
        let mut result = self.commit(standing, control, tell);
        for pause in PAUSES {
            let Err(error) = result else { break };
            tell(Event::Warning(error));
            thread::sleep(pause);
            result = self.commit(standing, control, tell);
        }
        result
    }
}

/// Says what failed and need not end the run.
fn warn(done: Result<(), RunError>, tell: Tell<'_>) {
    if let Err(error) = done {
        tell(Event::Warning(error.into()));
    }
}
