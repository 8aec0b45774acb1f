//! A training run, from a verified model to a directory one can sample from.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use burn::tensor::{Device, Tensor};
use coec_ir::{
    Figure, Model, Precision, Train, Verified,
    cost::{Cost, Setting},
};
use coec_nn::{LanguageModel, Source, capture};
use serde::Serialize;

use crate::{
    checkpoint,
    data::{self, Tokens, TrainBatches, ValidationBatches},
    error::TrainError,
    gemm,
    optimizer::AdamW,
    report::{Judge, Measured, ReportCard},
    run_dir::{Metrics, RunDir, RunFile},
    step::Trainer,
    tokenizer::Tokenizer,
    weights::Weights,
};

/// Where relative paths of the training block start.
#[derive(Debug, Clone, Copy)]
pub struct Bases<'a> {
    /// Of `data`.
    pub data: &'a Path,
    /// Of `tokenizer`.
    pub tokenizer: &'a Path,
}

/// Everything a run needs to know.
pub struct Job<'a> {
    /// The model.
    pub model: &'a Verified<Model>,
    /// How it is trained.
    pub train: &'a Train,
    /// Where its relative paths start.
    pub bases: Bases<'a>,
    /// The device, without the tape.
    pub device: Device,
    /// The name of the backend.
    pub backend: &'a str,
    /// Side of the square matrices whose product is the peak.
    pub gemm_size: usize,
    /// The declared budgets.
    pub judge: &'a Judge<'a>,
    /// The explicit spec, kept in the run directory.
    pub spec: &'a str,
    /// The directory.
    pub dir: &'a RunDir,
    /// What it starts from.
    pub start: Start<'a>,
    /// Peak memory, of a backend that has no pool of its own.
    pub memory: &'a dyn MemoryMeter,
}

/// What a run starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start<'a> {
    /// Initial values from the seed.
    Fresh,
    /// The weights of a file, and an optimizer that knows nothing yet.
    Weights(&'a Path),
    /// The run that is in the directory.
    Resume,
}

/// Reads the peak memory of the process.
pub trait MemoryMeter {
    /// Forgets the peak.
    fn reset(&self);
    /// Most bytes held since, beyond what other things than training hold.
    fn peak(&self) -> u64;
}

/// What a run tells while it goes on.
#[derive(Debug, Clone)]
pub enum Event {
    /// The text is read and tokenised.
    Data {
        /// Tokens to learn from.
        train: usize,
        /// Tokens held out.
        validation: usize,
        /// Times the training text is seen.
        epochs: f64,
        /// Tokens of the tokenizer.
        vocab: usize,
    },
    /// The counts agree.
    Counted(capture::Counts),
    /// The peak was measured, FLOP/s.
    Peak(f64),
    /// A step is done.
    Step {
        /// Its line in the metrics.
        metrics: Metrics,
        /// Whether it moved the weights.
        applied: bool,
        /// Steps of the whole run.
        steps: usize,
    },
}

/// How a run ended.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Steps done.
    pub steps: usize,
    /// Steps left out because something was not finite.
    pub skipped: usize,
    /// Whether it was asked to stop.
    pub interrupted: bool,
    /// The last validation loss, nats a token.
    pub val_loss: Option<f64>,
    /// The same in nats a byte.
    pub val_loss_per_byte: Option<f64>,
    /// Seconds spent in steps.
    pub seconds: f64,
    /// The report card.
    pub card: ReportCard,
}

/// A line of `experts.jsonl`: how often each expert was selected since the line before.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExpertLine {
    /// The version of the format.
    pub schema: &'static str,
    /// Steps done.
    pub step: usize,
    /// Layer, from 0.
    pub layer: usize,
    /// Iteration, from 0.
    pub iteration: usize,
    /// Selections per expert.
    pub counts: Vec<u64>,
}

/// Steps in a row without a finite gradient that end a run.
const PATIENCE: usize = 10;

/// Steps before the clock of throughput starts: allocators and caches fill.
const WARM: usize = 2;

/// Trains. `stop` asks for an end after the step in progress.
///
/// # Errors
///
/// Before anything is written: data, tokenizer and counts. Later: the disk, and divergence, after
/// the last good state is saved.
pub fn run(job: &Job<'_>, tell: &mut dyn FnMut(Event), stop: &AtomicBool) -> Result<Summary, TrainError> {
    let (model, train) = (job.model, job.train);
    if train.precision != Precision::F32 {
        let precision = train.precision.word();
        return Err(TrainError::Precision { precision, backend: job.backend.into() });
    }
    // The counts first: they need no data, and a wrong module must not train.
    let part = train.batch / train.accumulate;
    let setting = Setting { context: train.context, batch: part, precision: train.precision };
    let counts = capture::check_built(model, setting)?;
    tell(Event::Counted(counts));

    let (tokenizer, mut batches, validation) = prepare(job)?;
    tell(Event::Data {
        train: batches.tokens().len(),
        validation: validation.tokens().len(),
        epochs: batches.epochs(train.steps),
        vocab: tokenizer.vocab_size(),
    });
    let peak = gemm::peak(&job.device, job.gemm_size);
    tell(Event::Peak(peak));

    job.memory.reset();
    let device = job.device.clone().autodiff();
    let (mut trainer, first) = match job.start {
        Start::Resume => resume(job, &device)?,
        Start::Fresh => {
            (trainer(job, LanguageModel::new(job.model, &device, Source::Seed(train.seed))?, &device), 0)
        }
        Start::Weights(path) => {
            (trainer(job, checkpoint::load_model(job.model, &Weights::open(path)?, &device)?, &device), 0)
        }
    };
    if job.start != Start::Resume {
        job.dir.write(RunFile::Spec, job.spec.as_bytes())?;
        tokenizer.save(&job.dir.file(RunFile::Tokenizer))?;
    }
    let mut metrics_file = job.dir.metrics()?;
    let mut experts_file = job.dir.experts::<ExpertLine>()?;

    let flops_train = figure(model, setting, Figure::FlopsTrain);
    let tokens_per_step = (train.batch * train.context) as u64;
    let mut expert_counts = ExpertCounts::default();
    let (mut skipped, mut in_a_row, mut done) = (0, 0, first);
    let (mut seconds, mut timed_tokens) = (0.0, 0u64);
    let mut val_loss = None;
    let performed = coec_kernels::flops::performed();
    let mut stepped = 0u64;
    let mut eval_flops = 0;
    while done < train.steps && !stop.load(Relaxed) {
        let lr = train.optimizer.lr * train.schedule.factor(done, train.steps);
        let start = Instant::now();
        let result;
        (trainer, result) = trainer.step(train, &batches.batch(done), lr);
        let elapsed = start.elapsed().as_secs_f64();
        done += 1;
        stepped += 1;
        // The whole run counts, less the first steps where there are more.
        if stepped == WARM as u64 + 1 {
            (seconds, timed_tokens) = (0.0, 0);
        }
        seconds += elapsed;
        timed_tokens += tokens_per_step;
        expert_counts.add(&result.loads);

        in_a_row = if result.applied { 0 } else { in_a_row + 1 };
        skipped += usize::from(!result.applied);
        let mut metrics = Metrics::new(done as u64, done as u64 * tokens_per_step);
        metrics.loss = result.loss;
        metrics.aux_loss = result.aux_loss;
        metrics.lr = lr;
        metrics.grad_norm = result.grad_norm;
        metrics.tokens_per_s = tokens_per_step as f64 / elapsed;
        metrics.mfu = metrics.tokens_per_s * flops_train / peak;
        if done.is_multiple_of(train.eval.every) || done == train.steps {
            let before = coec_kernels::flops::performed();
            metrics.val_loss = Some(trainer.evaluate(validation.iter()));
            eval_flops += coec_kernels::flops::performed() - before;
            val_loss = metrics.val_loss;
            for line in expert_counts.take(done) {
                experts_file.push(&line)?;
            }
        }
        metrics_file.push(&metrics)?;
        tell(Event::Step { metrics, applied: result.applied, steps: train.steps });
        if in_a_row == PATIENCE {
            save(job, &trainer, done)?;
            return Err(TrainError::Diverged { steps: PATIENCE });
        }
    }
    let memory = peak_memory(job);
    metrics_file.sync()?;
    experts_file.sync()?;
    save(job, &trainer, done)?;

    let measured = (timed_tokens > 0).then(|| {
        let throughput = timed_tokens as f64 / seconds;
        let experts = coec_kernels::flops::performed() - performed - eval_flops;
        let others = 3.0 * (figure(model, setting, Figure::FlopsExecuted) - product_flops(model));
        Measured {
            flops: experts as f64 / (stepped * tokens_per_step) as f64 + others,
            memory,
            throughput,
            mfu: throughput * flops_train / peak,
            gemm_peak: peak,
        }
    });
    let budgets = (job.judge)(measured.as_ref());
    let card = ReportCard::new(model, setting, job.backend, &counts, measured, budgets);
    let json = serde_json::to_string_pretty(&card).unwrap_or_default();
    job.dir.write(RunFile::Budget, json.as_bytes())?;
    Ok(Summary {
        steps: done,
        skipped,
        interrupted: done < train.steps,
        val_loss,
        val_loss_per_byte: val_loss.map(|loss| loss / validation.tokens().bytes_per_token()),
        seconds,
        card,
    })
}

fn prepare(job: &Job<'_>) -> Result<(Tokenizer, TrainBatches, ValidationBatches), TrainError> {
    let train = job.train;
    let corpus = data::load(&train.data, job.bases.data)?;
    let tokenizer = match job.start {
        Start::Resume => Tokenizer::load(&job.dir.file(RunFile::Tokenizer))?,
        Start::Fresh | Start::Weights(_) => {
            Tokenizer::prepare(&train.tokenizer, job.bases.tokenizer, &corpus.train)?
        }
    };
    tokenizer.check_fits(job.model.vocab)?;
    let learned = Tokens::encode(&corpus.train, &tokenizer)?;
    let held_out = Tokens::encode(&corpus.validation, &tokenizer)?;
    let batches = TrainBatches::new(learned, train.seed, train.batch, train.context)?;
    let part = train.batch / train.accumulate;
    let validation = ValidationBatches::new(held_out, part, train.context, train.eval.batches)?;
    Ok((tokenizer, batches, validation))
}

fn trainer(job: &Job<'_>, model: LanguageModel, device: &Device) -> Trainer {
    Trainer { model, optimizer: AdamW::new(job.train.optimizer), device: device.clone() }
}

fn resume(job: &Job<'_>, device: &Device) -> Result<(Trainer, usize), TrainError> {
    let weights = Weights::open(&job.dir.file(RunFile::Model))?;
    let model = checkpoint::load_model(job.model, &weights, device)?;
    let optimizer = job.dir.file(RunFile::Optimizer);
    let (optimizer, step) = checkpoint::load_optimizer(job.train.optimizer, &model, &optimizer)?;
    if weights.metadata().get("step") != Some(&step.to_string()) {
        let reason = "the weights and the optimizer were saved at different steps".into();
        return Err(TrainError::Resume { reason });
    }
    if step >= job.train.steps {
        let reason = format!("the run is finished: {step} of {} steps are done", job.train.steps);
        return Err(TrainError::Resume { reason });
    }
    Ok((Trainer { model, optimizer, device: device.clone() }, step))
}

fn save(job: &Job<'_>, trainer: &Trainer, step: usize) -> Result<(), TrainError> {
    checkpoint::save_model(&trainer.model, &job.dir.file(RunFile::Model), step)?;
    checkpoint::save_optimizer(&trainer.optimizer, &trainer.model, &job.dir.file(RunFile::Optimizer), step)
}

/// A figure as f64; figures of a verified model are far below 2^1023.
fn figure(model: &Verified<Model>, setting: Setting, figure: Figure) -> f64 {
    let value = Cost::of(model, setting).figure(figure).unwrap_or_default();
    value.to_string().parse().unwrap_or(f64::INFINITY)
}

/// FLOPs a token of the expert products, which the kernels count themselves.
fn product_flops(model: &Verified<Model>) -> f64 {
    let kinds = model.layers.counted();
    kinds.map(|(layer, count)| (count as u128 * layer.ffn.product_flops(model.dim)) as f64).sum()
}

fn peak_memory(job: &Job<'_>) -> u64 {
    match job.device.memory_pool_usage() {
        // A pool keeps what it once needed.
        Some(pool) => pool.bytes_reserved,
        None => job.memory.peak(),
    }
}

/// Selections per expert, summed on the device until somebody asks.
#[derive(Default)]
struct ExpertCounts(BTreeMap<(usize, usize), Tensor<1>>);

impl ExpertCounts {
    fn add(&mut self, loads: &[coec_nn::Load]) {
        for load in loads {
            let counts = load.counts.clone();
            let key = (load.layer, load.iteration);
            let sum = match self.0.remove(&key) {
                Some(sum) => sum + counts,
                None => counts,
            };
            self.0.insert(key, sum);
        }
    }

    fn take(&mut self, step: usize) -> Vec<ExpertLine> {
        let counts = std::mem::take(&mut self.0).into_iter();
        counts
            .map(|((layer, iteration), counts)| ExpertLine {
                schema: coec_ir::SCHEMA,
                step,
                layer,
                iteration,
                counts: counts.into_data().iter::<f64>().map(|count| count as u64).collect(),
            })
            .collect()
    }
}
