//! The steps of a run, from where it stands to its end or until it is asked to stop.

use std::time::Instant;

use burn::module::Module;

use super::{
    Event, Job,
    control::{Control, Lent},
    prepare::{Prepared, flops_train},
    record::{Record, Standing, Tell},
    start::Begun,
};
use crate::{
    data::Batch,
    error::TrainError,
    fingerprint::Fingerprinter,
    run_dir::{Clock, Metrics, RunDir, State, state::Evaluation},
    step::{self, Held, StepResult, Trainer},
    world::{self, WEIGHTS, World, WorldError},
};

/// Steps in a row without a finite gradient that end a run.
const PATIENCE: usize = 10;

/// Steps before the clock of throughput starts: allocators and caches fill.
const WARM: u64 = 2;

/// A run that is going on.
pub(super) struct Session<'a, 'j> {
    job: &'a Job<'j>,
    world: &'a dyn World,
    data: &'a mut Prepared,
    tell: Tell<'a>,
    control: &'a Control,
    trainer: Trainer,
    state: State,
    /// Of the first rank.
    record: Option<Record>,
    /// The clock as the session found it, and the session's own time.
    before: Clock,
    time: Time,
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
    /// Of the first rank.
    pub dir: Option<RunDir>,
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
        tell: Tell<'a>,
        control: &'a Control,
    ) -> Self {
        let Begun { dir, trainer, state, clock, committed } = begun;
        Self {
            record: dir.map(|dir| Record::new(job, dir, &state, committed)),
            before: Clock { gemm_peak, ..clock },
            time: Time::default(),
            steps: job.steps(),
            flops_train: flops_train(job),
            world: job.world,
            job,
            data,
            tell,
            control,
            trainer,
            state,
        }
    }

    /// Trains. What is asked of the disk on the way may fail, and does not end the run.
    ///
    /// # Errors
    ///
    /// Divergence, data that cannot be read, another rank that fails: after the last state is saved.
    pub fn run(mut self) -> Result<Ended, TrainError> {
        if let Some(record) = &mut self.record {
            record.open(self.tell);
        }
        while !world::any(self.world, self.control.is_stopping()).map_err(|error| self.left(error))? {
            if let Some(metrics) = self.state.unevaluated.take() {
                self.finish_step(metrics).map_err(|error| self.left(error))?;
            } else if self.state.step < self.steps {
                // Where the data is gone, what was learnt from it is not.
                let batch = self.data.batches.batch(self.state.step).map_err(TrainError::from);
                let batch = world::together(self.world, batch).map_err(|error| self.left(error))?;
                let gradients = self.begin_step(&batch).map_err(|error| self.left(error))?;
                self = self.end_step(&batch, gradients);
            } else {
                break;
            }
            let gives_up = self.state.skipped_in_a_row >= PATIENCE;
            if gives_up {
                return Err(self.left(TrainError::Diverged { steps: PATIENCE }));
            }
            self.commit_if_due();
        }
        if let Some(record) = &mut self.record {
            record.close(self.tell);
        }
        let unsaved = self.commit_last().err();
        self.control.saved();
        let clock = self.clock();
        // The peak of the rank that needed most.
        let memory = world::numbers(self.world, &[clock.memory as f64])?;
        let memory = memory.into_iter().flatten().fold(0.0, f64::max) as u64;
        let (Self { trainer, state, record, .. }, clock) = (self, Clock { memory, ..clock });
        Ok(Ended { dir: record.map(|record| record.dir), trainer, state, clock, unsaved })
    }

    /// What ends the run in the middle of it, once the state is saved: if that fails too, this is the error.
    fn left(&mut self, error: impl Into<TrainError>) -> TrainError {
        let error = error.into();
        // Of weights that differ, nobody knows which are right.
        match error {
            TrainError::World(WorldError::Apart { .. }) => error,
            error => self.commit_last().err().unwrap_or(error),
        }
    }

    /// The gradients of a step, and when it began.
    fn begin_step(&mut self, batch: &Batch) -> Result<(Instant, step::Gradients), TrainError> {
        self.lend();
        let start = Instant::now();
        let gradients = self.trainer.gradients(self.job.train, batch, self.world);
        self.control.busy();
        Ok((start, gradients?))
    }

    /// The rest of a step, its evaluation apart.
    fn end_step(mut self, batch: &Batch, (start, gradients): (Instant, step::Gradients)) -> Self {
        let train = self.job.train;
        let lr = train.optimizer.lr * train.schedule.factor(self.state.step, self.steps);
        let result;
        (self.trainer, result) = self.trainer.apply(train, gradients, lr);
        self.control.note_step(start.elapsed());
        let seconds = start.elapsed().as_secs_f64();
        self.count(&result, seconds);

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
    fn count(&mut self, result: &StepResult, seconds: f64) {
        let tokens = (self.job.train.batch * self.job.train.context) as u64;
        let state = &mut self.state;
        state.step += 1;
        state.tokens += tokens;
        state.updates = self.trainer.optimizer.updates();
        state.expert_flops += result.expert_flops;
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
    /// Held-out tokens that cannot be read: the step stays unevaluated. Ranks whose weights differ.
    fn finish_step(&mut self, mut metrics: Metrics) -> Result<(), TrainError> {
        self.state.unevaluated = Some(metrics.clone());
        self.check_weights()?;
        self.lend();
        let model = self.trainer.model.valid();
        let (parts, precision) = (self.job.train.accumulate, self.job.train.precision);
        let go_on = || !self.control.is_stopping();
        let evaluated =
            step::evaluate(&model, self.data.validation.iter(), parts, precision, &go_on, self.world);
        drop(model);
        self.control.busy();
        let Some(Held { loss: val_loss, decisions }) = evaluated? else { return Ok(()) };
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
        if let Some(record) = &mut self.record {
            record.evaluated(&lines, decisions.lines(step), self.tell);
        }
        (self.tell)(Event::Experts(lines));
        let applied = self.state.skipped_in_a_row == 0;
        self.write(metrics, applied);
        Ok(())
    }

    /// Whether all ranks have the same weights: gradients are exchanged and weights never, so that what two
    /// processors round differently would grow unseen.
    fn check_weights(&self) -> Result<(), TrainError> {
        if self.world.size() == 1 {
            return Ok(());
        }
        let mut sum = Fingerprinter::default();
        let Ok(()) = self.trainer.model.each_tensor(|_, values| {
            sum.add(bytemuck::cast_slice(values));
            Ok::<_, std::convert::Infallible>(())
        });
        Ok(world::check_same(self.world, WEIGHTS, sum.finish().xxh3.into_bytes())?)
    }

    fn write(&mut self, metrics: Metrics, applied: bool) {
        if let Some(record) = &mut self.record {
            record.step(&metrics, self.tell);
        }
        (self.tell)(Event::Step { metrics, applied, steps: self.steps });
    }

    /// Puts the state within reach of who may have to save it.
    fn lend(&mut self) {
        let clock = self.clock();
        let Some(record) = &self.record else { return };
        record.note_state(&mut self.state);
        self.control.lend(Lent {
            dir: record.dir.clone(),
            model: self.trainer.model.clone(),
            optimizer: self.trainer.optimizer.clone(),
            state: self.state.clone(),
            clock,
            committed: record.has(self.state.stage()),
        });
    }

    fn clock(&self) -> Clock {
        let (before, time) = (&self.before, &self.time);
        let pool = self.job.device.memory_pool_usage();
        // A pool keeps what it once needed.
        let memory = pool.map_or_else(|| self.job.memory.peak(), |pool| pool.bytes_reserved);
        let took = self.record.as_ref().and_then(Record::took);
        Clock {
            seconds: before.seconds + time.seconds,
            tokens: before.tokens + time.tokens,
            all_seconds: before.all_seconds + time.all_seconds,
            memory: if time.steps > 0 { memory.max(before.memory) } else { before.memory },
            gemm_peak: before.gemm_peak,
            saving: took.map_or(before.saving, |took| took.as_secs_f64()),
        }
    }

    /// Commits the state if it is time to. Where that fails the last commit stands, and the next is not far.
    fn commit_if_due(&mut self) {
        let best = self
            .state
            .val_loss_here()
            .is_some_and(|loss| self.state.evaluation.and_then(|evaluation| evaluation.best) == Some(loss));
        let is_due = self.state.unevaluated.is_none()
            && self.record.as_ref().is_some_and(|record| record.is_due(self.state.step, best));
        if is_due && let Err(error) = self.recorded(Record::commit) {
            (self.tell)(Event::Warning(error));
        }
    }

    /// Commits the state that nothing comes after.
    fn commit_last(&mut self) -> Result<(), TrainError> {
        self.recorded(Record::commit_last)
    }

    /// Hands what stands to the record, where there is one.
    fn recorded(
        &mut self,
        commit: impl FnOnce(&mut Record, &mut Standing<'_>, &Control, Tell<'_>) -> Result<(), TrainError>,
    ) -> Result<(), TrainError> {
        let clock = self.clock();
        let Self { record: Some(record), trainer, state, .. } = self else { return Ok(()) };
        let Trainer { model, optimizer, .. } = trainer;
        commit(record, &mut Standing { model, optimizer, state, clock }, self.control, self.tell)
    }
}
