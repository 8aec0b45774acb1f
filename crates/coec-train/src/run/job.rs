//! What a run is told, and what it tells.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use coec_ir::{Model, Train, Verified, cost::Setting};
use coec_nn::capture;
use serde::Serialize;

use crate::{
    data::Progress,
    device::Agreement,
    error::TrainError,
    experts::ExpertLine,
    generate::Generator,
    report::{Judge, ReportCard},
    run_dir::{Commit, Damage, Metrics, Place, RunDir},
    tokenizer::Lost,
    world::World,
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
    /// Threads it computes with.
    pub threads: usize,
    /// The ranks that train it together.
    pub world: &'a dyn World,
    /// The CPU that the device is checked against; none for a CPU.
    pub reference: Option<Device>,
    /// Side of the largest square matrices whose product may be the peak.
    pub gemm_most: usize,
    /// The declared budgets.
    pub judge: &'a Judge<'a>,
    /// The explicit spec, kept in the run directory.
    pub spec: &'a str,
    /// Data that is nowhere else, for the run directory to keep: the spec there names it so.
    pub input: Option<&'a Path>,
    /// The version of coec.
    pub version: &'a str,
    /// What it starts from.
    pub start: Start<'a>,
    /// Whether event files for TensorBoard are written. A run that has some goes on with them.
    pub tensorboard: bool,
    /// Peak memory, of a backend that has no pool of its own.
    pub memory: &'a dyn MemoryMeter,
}

/// What a run starts from.
#[derive(Debug)]
pub enum Start<'a> {
    /// Initial values from the seed.
    Fresh(Place),
    /// The weights of a file, and an optimizer that knows nothing yet.
    Weights(Place, &'a Path),
    /// The run that is in the directory, from its newest commit or, without one, from the start. Ranks behind the
    /// first only read there.
    Resume(RunDir, Option<Box<Commit>>),
}

impl Job<'_> {
    /// What its figures are computed for.
    pub fn setting(&self) -> Setting {
        Setting { ranks: self.world.size(), ..self.train.setting() }
    }

    /// Optimizer steps of the whole run.
    pub fn steps(&self) -> usize {
        self.train.length(self.model)
    }
}

/// Reads the peak memory of the process.
pub trait MemoryMeter {
    /// Forgets the peak.
    fn reset(&self);
    /// Most bytes held since, beyond what other things than training hold.
    fn peak(&self) -> u64;
}

/// What a run tells while it goes on.
#[derive(Debug)]
pub enum Event {
    /// The counts agree.
    Counted(capture::Counts),
    /// Data is read; this often comes, and says how far that is.
    Reading(Progress),
    /// How much of the text the tokenizer has no tokens for.
    Lost(Lost),
    /// The text is tokenised.
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
    /// The device agrees with the CPU.
    Checked(Agreement),
    /// The peak was measured, FLOP/s.
    Peak(f64),
    /// The run has a directory, and everything a first step needs.
    Begins {
        /// The directory.
        path: PathBuf,
        /// Steps done before.
        step: usize,
    },
    /// Something about a resumed run that its owner should know.
    Note(String),
    /// How often each expert was selected since this last came. The step that it belongs to comes next.
    Experts(Vec<ExpertLine>),
    /// A step is done.
    Step {
        /// Its line in the metrics.
        metrics: Metrics,
        /// Whether it moved the weights.
        applied: bool,
        /// Steps of the whole run.
        steps: usize,
    },
    /// The state is committed.
    Saved {
        /// Steps done.
        step: usize,
        /// Bytes written.
        bytes: u64,
        /// Seconds it took.
        seconds: f64,
        /// Seconds until the next by the clock, where that is more than the spec says.
        stretched: Option<f64>,
    },
    /// Something failed that need not end the run.
    Warning(TrainError),
}

impl Event {
    /// A damaged commit, in words.
    pub fn damage(damage: &Damage) -> Self {
        let aside = damage.aside.as_ref().and_then(|aside| aside.file_name());
        let aside = aside.map_or("passed over".into(), |aside| format!("set aside as {}", aside.display()));
        Self::Note(format!("{} is damaged: {}; {aside}", damage.file.display(), damage.reason))
    }
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

/// A run that ended, and what can still be done with it.
pub struct Outcome {
    /// How it ended.
    pub summary: Summary,
    /// Its directory.
    pub dir: RunDir,
    /// The model, ready to continue text.
    pub generator: Generator,
    /// How some held-out documents begin.
    pub openings: Vec<String>,
    /// Why the state at its end is not on the disk, where it is not: the last commit is.
    pub unsaved: Option<TrainError>,
}
