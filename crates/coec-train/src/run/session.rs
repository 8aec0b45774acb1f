//! The steps of a run, from where it stands to its end or until it is asked to stop.

use std::thread;
use std::time::{Duration, Instant};

use burn::module::Module;
use coec_kernels::flops;
use coec_nn::Route;

use super::{
    Event, Job,
    control::{Control, Lent},
    events::Events,
    prepare::{Prepared, flops_train},
    saver::Saver,
    start::Begun,
};
use crate::{
    data::{Batch, DataError},
    error::TrainError,
    experts::ExpertLine,
    routing::{Decisions, RoutingLine},
    run_dir::{Clock, Contents, Log, Metrics, RunDir, RunError, Stage, State, state::Evaluation},
    step::{self, StepResult, Trainer},
};

/// Steps in a row without a finite gradient that end a run.
const PATIENCE: usize = 10;

/// Steps before the clock of throughput starts: allocators and caches fill.
const WARM: u64 = 2;

/// Pauses before the last commit is tried again, where it fails.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// A run that is going on.
pub(super) struct Session<'a, 'j> {
    job: &'a Job<'j>,
    data: &'a mut Prepared,
    tell: &'a mut dyn FnMut(Event),
    control: &'a Control,
    dir: RunDir,
    trainer: Trainer,
    state: State,
    metrics: Log<Metrics>,
    experts: Log<ExpertLine>,
    routing: Log<RoutingLine>,
    events: Events,
    saver: Saver,
    /// The stage of the newest commit.
    committed: Option<Stage>,
    /// The clock as the session found it, and the session's own time.
    before: Clock,
    time: Time,
    /// Whether a log could not be written the last time.
    log_fails: bool,
    /// Steps of the whole run.
    steps: usize,
    flops_train: f64,
}

/// Time spent in the steps of a session.
#[derive(Default)]
struct Time {
    steps: u64,
    /// Without the first steps, where there are more.
    seconds: f64,
    tokens: u64,
    all_seconds: f64,
}

/// What is left of a session.
pub(super) struct Ended {
    pub dir: RunDir,
    pub trainer: Trainer,
    pub state: State,
    pub clock: Clock,
    /// Why the state at the end is not on the disk, where it is not.
    pub unsaved: Option<TrainError>,
}

impl<'a, 'j> Session<'a, 'j> {
    pub fn new(
        job: &'a Job<'j>,
        data: &'a mut Prepared,
        begun: Begun,
        gemm_peak: f64,
        tell: &'a mut dyn FnMut(Event),
        control: &'a Control,
    ) -> Self {
        let Begun { dir, trainer, state, clock, committed } = begun;
        Self {
            metrics: dir.metrics(state.logs.metrics.clone()),
            experts: dir.experts(state.logs.experts.clone()),
            routing: dir.routing(state.logs.routing.clone()),
            events: Events::of(job, &dir),
            saver: Saver::new(job.train.save),
            before: Clock { gemm_peak, ..clock },
            time: Time::default(),
            log_fails: false,
            steps: job.steps(),
            flops_train: flops_train(job),
            job,
            data,
            tell,
            control,
            dir,
            trainer,
            state,
            committed,
        }
    }

    /// Trains. What is asked of the disk on the way may fail, and does not end the run.
    ///
    /// # Errors
    ///
    /// Divergence, after the last state is saved.
    pub fn run(mut self) -> Result<Ended, TrainError> {
        let opened = self.write_waiting();
        self.note_logs(opened);
        for (log, missing) in [
            ("metrics", self.metrics.missing()),
            ("experts", self.experts.missing()),
            ("routing", self.routing.missing()),
        ] {
            if missing > 0 {
                (self.tell)(Event::Note(format!(
                    "{log}.jsonl lacks {missing} lines that it had when the run was committed; it goes on without"
                )));
            }
        }
        let begun = self.events.begin(&self.dir);
        self.warn(begun);
        while !self.control.is_stopping() {
            if let Some(metrics) = self.state.unevaluated.take() {
                if let Err(error) = self.finish_step(metrics) {
                    self.commit_last()?;
                    return Err(error.into());
                }
            } else if self.state.step < self.steps {
                match self.data.batches.batch(self.state.step) {
                    Ok(batch) => self = self.step(&batch),
                    // The data is gone; what was learnt from it is not.
                    Err(error) => {
                        self.commit_last()?;
                        return Err(error.into());
                    }
                }
            } else {
                break;
            }
            let gives_up = self.state.skipped_in_a_row >= PATIENCE;
            let best = self.state.val_loss_here().is_some_and(|loss| {
                self.state.evaluation.and_then(|evaluation| evaluation.best) == Some(loss)
            });
            if !gives_up && self.state.unevaluated.is_none() && self.saver.is_due(self.state.step, best) {
                // The last commit stands, and the next is not far.
                if let Err(error) = self.commit() {
                    (self.tell)(Event::Warning(error));
                }
            }
            if gives_up {
                self.commit_last()?;
                return Err(TrainError::Diverged { steps: PATIENCE });
            }
        }
        let written = self.write_waiting();
        self.note_logs(written);
        let completed = self.events.complete(&self.dir);
        self.warn(completed);
        let unsaved = self.commit_last().err();
        self.control.saved();
        let clock = self.clock();
        Ok(Ended { dir: self.dir, trainer: self.trainer, state: self.state, clock, unsaved })
    }

    /// One step, its evaluation apart.
    fn step(mut self, batch: &Batch) -> Self {
        let train = self.job.train;
        let lr = train.optimizer.lr * train.schedule.factor(self.state.step, self.steps);
        self.lend();
        let (start, performed) = (Instant::now(), flops::performed());
        let gradients = self.trainer.gradients(train, batch);
        self.control.busy();
        let result;
        (self.trainer, result) = self.trainer.apply(train, gradients, lr);
        self.control.note_step(start.elapsed());
        let seconds = start.elapsed().as_secs_f64();
        self.count(&result, seconds, flops::performed() - performed);

        let tokens = batch.inputs.len() as f64;
        let mut metrics = Metrics::new(self.state.step as u64, self.state.tokens);
        metrics.loss = result.loss;
        metrics.aux_loss = result.aux_loss;
        metrics.lr = lr;
        metrics.grad_norm = result.grad_norm;
        metrics.tokens_per_s = tokens / seconds;
        metrics.mfu = metrics.tokens_per_s * self.flops_train / self.before.gemm_peak;
        metrics.seconds = self.before.all_seconds + self.time.all_seconds;
        let step = self.state.step;
        if step.is_multiple_of(train.eval.every) || step == self.steps {
            self.state.unevaluated = Some(metrics);
        } else {
            self.write(metrics, result.applied);
        }
        self
    }

    /// Counts a step that is done.
    fn count(&mut self, result: &StepResult, seconds: f64, expert_flops: u64) {
        let tokens = (self.job.train.batch * self.job.train.context) as u64;
        let state = &mut self.state;
        state.step += 1;
        state.tokens += tokens;
        state.updates = self.trainer.optimizer.updates();
        state.expert_flops += expert_flops;
        state.experts.add(&result.selected);
        state.skipped += usize::from(!result.applied);
        state.skipped_in_a_row = if result.applied { 0 } else { state.skipped_in_a_row + 1 };

        let time = &mut self.time;
        time.steps += 1;
        if time.steps == WARM + 1 {
            (time.seconds, time.tokens) = (0.0, 0);
        }
        time.seconds += seconds;
        time.tokens += tokens;
        time.all_seconds += seconds;
    }

    /// Evaluates after a step and writes its line; if it is asked to stop, the evaluation is left for
    /// when the run goes on.
    ///
    /// # Errors
    ///
    /// Held-out tokens that cannot be read: the step stays unevaluated.
    fn finish_step(&mut self, mut metrics: Metrics) -> Result<(), DataError> {
        self.state.unevaluated = Some(metrics.clone());
        self.lend();
        let model = self.trainer.model.valid();
        let (parts, precision) = (self.job.train.accumulate, self.job.train.precision);
        let go_on = || !self.control.is_stopping();
        let mut decisions = Decisions::default();
        let look = &mut |routes: &[Route]| decisions.add(routes);
        let evaluated = step::evaluate(&model, self.data.validation.iter(), parts, precision, &go_on, look);
        drop(model);
        self.control.busy();
        let Some(val_loss) = evaluated? else { return Ok(()) };
        self.state.unevaluated = None;
        let best = self.state.evaluation.and_then(|evaluation| evaluation.best);
        let finite = Some(val_loss).filter(|loss| loss.is_finite());
        let best = match (best, finite) {
            (Some(best), Some(loss)) => Some(best.min(loss)),
            (best, loss) => best.or(loss),
        };
        let step = self.state.step;
        self.state.evaluation = Some(Evaluation { step, val_loss: finite, best });
        metrics.val_loss = Some(val_loss);
        let lines = self.state.experts.take_lines(step);
        for line in &lines {
            let pushed = self.experts.push(line);
            self.note_logs(pushed);
        }
        for line in decisions.lines(step) {
            let pushed = self.routing.push(&line);
            self.note_logs(pushed);
        }
        let added = self.events.experts(&lines);
        self.warn(added);
        (self.tell)(Event::Experts(lines));
        let applied = self.state.skipped_in_a_row == 0;
        self.write(metrics, applied);
        Ok(())
    }

    fn write(&mut self, metrics: Metrics, applied: bool) {
        let pushed = self.metrics.push(&metrics);
        self.note_logs(pushed);
        let added = self.events.step(&metrics);
        self.warn(added);
        (self.tell)(Event::Step { metrics, applied, steps: self.steps });
    }

    /// Writes the lines of logs that wait.
    fn write_waiting(&mut self) -> Result<(), RunError> {
        self.metrics.write_waiting().and(self.experts.write_waiting()).and(self.routing.write_waiting())
    }

    /// Says what failed and need not end the run.
    fn warn(&mut self, done: Result<(), RunError>) {
        if let Err(error) = done {
            (self.tell)(Event::Warning(error.into()));
        }
    }

    /// Says once that a log cannot be written: its lines wait.
    fn note_logs(&mut self, written: Result<(), RunError>) {
        let failed = written.is_err();
        if let Err(error) = written
            && !self.log_fails
        {
            (self.tell)(Event::Warning(error.into()));
        }
        self.log_fails = failed;
    }

    /// Puts the state within reach of who may have to save it.
    fn lend(&mut self) {
        self.note_log_state();
        self.control.lend(Lent {
            dir: self.dir.clone(),
            model: self.trainer.model.clone(),
            optimizer: self.trainer.optimizer.clone(),
            state: self.state.clone(),
            clock: self.clock(),
            committed: self.committed == Some(self.state.stage()),
        });
    }

    fn note_log_state(&mut self) {
        self.state.logs.metrics = self.metrics.state().clone();
        self.state.logs.experts = self.experts.state().clone();
        self.state.logs.routing = self.routing.state().clone();
    }

    fn clock(&self) -> Clock {
        let (before, time) = (&self.before, &self.time);
        let pool = self.job.device.memory_pool_usage();
        // A pool keeps what it once needed.
        let memory = pool.map_or_else(|| self.job.memory.peak(), |pool| pool.bytes_reserved);
        Clock {
            seconds: before.seconds + time.seconds,
            tokens: before.tokens + time.tokens,
            all_seconds: before.all_seconds + time.all_seconds,
            memory: if time.steps > 0 { memory.max(before.memory) } else { before.memory },
            gemm_peak: before.gemm_peak,
            saving: self.saver.took().map_or(before.saving, |took| took.as_secs_f64()),
        }
    }

    /// Commits the state, if it is not on the disk already.
    fn commit(&mut self) -> Result<(), TrainError> {
        let stage = self.state.stage();
        if self.committed == Some(stage) {
            return Ok(());
        }
        self.control.busy();
        self.note_log_state();
        let clock = self.clock();
        let start = Instant::now();
        let synced = self.dir.sync_logs();
        self.note_logs(synced);
        let contents = Contents {
            model: &self.trainer.model,
            optimizer: &self.trainer.optimizer,
            state: &self.state,
            clock: &clock,
        };
        let written = self.dir.commit(contents);
        let took = start.elapsed();
        match written {
            Ok(bytes) => {
                self.saver.note(took);
                self.control.note_saving(took);
                self.committed = Some(stage);
                let stretched = self.saver.stretched().map(|interval| interval.as_secs_f64());
                let (step, seconds) = (self.state.step, took.as_secs_f64());
                (self.tell)(Event::Saved { step, bytes, seconds, stretched });
                // The commit stands whatever becomes of these.
                for done in [self.dir.show_commit(stage), self.dir.commits().prune(self.job.train.keep)] {
                    if let Err(error) = done {
                        (self.tell)(Event::Warning(error.into()));
                    }
                }
                Ok(())
            }
            Err(error) => {
                self.saver.note_failure();
                Err(error.into())
            }
        }
    }

    /// Commits the state that nothing comes after, and tries more than once.
    fn commit_last(&mut self) -> Result<(), TrainError> {
        let mut result = self.commit();
        for pause in PAUSES {
            let Err(error) = result else { break };
            (self.tell)(Event::Warning(error));
            thread::sleep(pause);
            result = self.commit();
        }
        result
    }
}
