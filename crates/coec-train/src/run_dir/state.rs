//! Everything a run is, beside its tensors.
//!
//! [`State`] is the same in every run of one spec: a run that was killed and resumed has, at every
//! step, the state of one that was not. What depends on the clock is in [`Clock`].

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::sync::Arc;

use coec_ir::{Model, Train};
use serde::{Deserialize, Serialize};

use super::{files::RunFile, metrics::Metrics};
use crate::{experts::ExpertCounts, fingerprint::Fingerprint};

/// What a run has come to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The version of the format.
    pub schema: String,
    /// What the run is of.
    pub identity: Arc<Identity>,
    /// What it began with; unknown of a run of an earlier version.
    #[serde(default)]
    pub origin: Option<Origin>,
    /// Steps done: the data cursor, since a batch is a function of seed and step.
    pub step: usize,
    /// Tokens learned from.
    pub tokens: u64,
    /// Steps that moved the weights, as the optimizer counts them.
    pub updates: i32,
    /// Steps left out because something was not finite.
    pub skipped: usize,
    /// Those of them since the last step that was applied.
    pub skipped_in_a_row: usize,
    /// FLOPs of the expert products of all steps that recomputed as the last did, as the kernels counted
    /// them.
    pub expert_flops: u64,
    /// Tokens of the steps before those.
    #[serde(default)]
    pub uncounted: u64,
    /// How often each expert was selected.
    pub experts: ExpertCounts,
    /// The last evaluation.
    pub evaluation: Option<Evaluation>,
    /// A step that is done, but whose evaluation is not, and its line in the metrics therefore neither.
    pub unevaluated: Option<Metrics>,
    /// The logs.
    pub logs: Logs,
}

/// An evaluation on held-out text.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Steps done before.
    pub step: usize,
    /// Mean cross-entropy, nats a token; none if it is not a number.
    pub val_loss: Option<f64>,
    /// The lowest so far.
    pub best: Option<f64>,
}

/// The weights that a run began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Drawn from the seed.
    Seed,
    /// Given, and kept in the directory.
    Weights,
}

/// How far the logs are written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Logs {
    /// `metrics.jsonl`.
    pub metrics: LogState,
    /// `experts.jsonl`.
    pub experts: LogState,
    /// `routing.jsonl`.
    #[serde(default)]
    pub routing: LogState,
}

/// How far one log is written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LogState {
    /// Lines in the file.
    pub lines: u64,
    /// Lines that could not be written yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<String>,
}

/// What a run is of: the same from its first step to its last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The version of coec that began or resumed it.
    pub version: String,
    /// The model.
    pub model: Model,
    /// How it is trained, seed included.
    pub train: Train,
    /// The documents.
    pub data: Fingerprint,
    /// `tokenizer.json`.
    pub tokenizer: Fingerprint,
    /// Bytes that a held-out token stands for on average.
    pub bytes_per_token: f64,
    /// The backend.
    pub backend: String,
    /// Threads it computes with.
    pub threads: usize,
}

impl Identity {
    /// What processes that train one model must agree on, by what it is called.
    pub(crate) fn parts(&self) -> [(&'static str, Vec<u8>); 7] {
        let json = |value: Result<Vec<u8>, serde_json::Error>| value.unwrap_or_default();
        [
            ("the version of coec", self.version.clone().into_bytes()),
            ("the model", json(serde_json::to_vec(&self.model))),
            ("the training", json(serde_json::to_vec(&self.train))),
            ("the data", json(serde_json::to_vec(&self.data))),
            ("the tokenizer", json(serde_json::to_vec(&self.tokenizer))),
            ("the backend", self.backend.clone().into_bytes()),
            ("the number of threads", self.threads.to_string().into_bytes()),
        ]
    }
}

/// The training of a run as the run keeps it: a tokenizer from a file is a file of its own, wherever it
/// came from. So what goes on is what it was.
pub fn train_of(train: &Train) -> Train {
    let mut train = train.clone();
    if let coec_ir::Tokenizer::File { path } = &mut train.tokenizer {
        *path = RunFile::Tokenizer.name().into();
    }
    train
}

/// What depends on the machine and the clock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Clock {
    /// Seconds in steps, evaluation and saving apart, without the first steps of each session.
    pub seconds: f64,
    /// Tokens of those steps.
    pub tokens: u64,
    /// Seconds in all steps.
    pub all_seconds: f64,
    /// Most bytes that training held at once.
    pub memory: u64,
    /// FLOP/s of the best matrix product, as measured at the last start.
    pub gemm_peak: f64,
    /// Seconds that the commit before took; 0 without one.
    #[serde(default)]
    pub saving: f64,
}

impl State {
    /// A run before its first step.
    pub fn new(identity: Identity, origin: Origin) -> Self {
        Self {
            schema: coec_ir::SCHEMA.into(),
            identity: Arc::new(identity),
            origin: Some(origin),
            step: 0,
            tokens: 0,
            updates: 0,
            skipped: 0,
            skipped_in_a_row: 0,
            expert_flops: 0,
            uncounted: 0,
            experts: ExpertCounts(BTreeMap::new()),
            evaluation: None,
            unevaluated: None,
            logs: Logs::default(),
        }
    }

    /// The validation loss after the last step, if it was evaluated.
    pub fn val_loss_here(&self) -> Option<f64> {
        let here = self.evaluation.filter(|evaluation| evaluation.step == self.step)?;
        here.val_loss
    }

    /// The last validation loss, nats a token.
    pub fn val_loss(&self) -> Option<f64> {
        self.evaluation.map(|evaluation| evaluation.val_loss.unwrap_or(f64::NAN))
    }

    /// How far it has come.
    pub fn stage(&self) -> Stage {
        Stage { step: self.step, evaluated: self.unevaluated.is_none() }
    }
}

/// How far a run has come, as the name of its commit says it. A step that is due for evaluation has
/// two stages, in this order, so that no commit ever takes the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stage {
    /// Steps done.
    pub step: usize,
    /// Whether all that belongs to the last of them is done.
    pub evaluated: bool,
}

impl Stage {
    /// The name of its commit.
    pub(super) fn name(self) -> String {
        let Self { step, evaluated } = self;
        format!("step-{step:08}{}", if evaluated { "" } else { UNEVALUATED })
    }

    pub(super) fn of_name(name: &OsStr) -> Option<Self> {
        let name = name.to_str()?;
        let rest = name.strip_prefix("step-")?;
        let digits = rest.strip_suffix(UNEVALUATED).unwrap_or(rest);
        let stage = Self { step: digits.parse().ok()?, evaluated: digits.len() == rest.len() };
        (stage.name() == name).then_some(stage)
    }
}

/// How the name of a commit ends that was made before the evaluation of its step.
const UNEVALUATED: &str = "-unevaluated";
