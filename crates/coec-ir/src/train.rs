//! How a model is trained: data, optimizer, schedule.

use num_bigint::BigUint;
use serde::{Deserialize, Serialize};

use crate::cost::{Cost, Setting};
use crate::{Figure, Model, Recompute, Shard, Verified};

/// A training run, every value explicit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Train {
    /// Where the text comes from: one source, or several.
    pub data: Sources,
    /// How much of what is learnt from comes from each source, in proportion; of each as much as it
    /// has, if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<f64>,
    /// Which tokens the loss is over.
    #[serde(default = "Loss::all", skip_serializing_if = "Loss::is_all")]
    pub loss: Loss,
    /// What a broken record does.
    #[serde(default = "OnError::stop", skip_serializing_if = "OnError::is_stop")]
    pub on_error: OnError,
    /// How it becomes tokens.
    pub tokenizer: Tokenizer,
    /// How long: so many optimizer steps. One of this and the next two is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// How long: to the step that reaches so many tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// How long: to the step that reaches so many FLOPs, counted as `flops.train`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flops: Option<f64>,
    /// Sequences per optimizer step.
    pub batch: usize,
    /// Tokens per sequence.
    pub context: usize,
    /// Equal parts a batch is split into, their gradients added up.
    pub accumulate: usize,
    /// The optimizer.
    pub optimizer: AdamW,
    /// Learning rate over the steps.
    pub schedule: Schedule,
    /// Arithmetic of the forward and backward pass.
    pub precision: Precision,
    /// What the backward pass computes again, rather than to keep it.
    #[serde(default, skip_serializing_if = "Recompute::is_none")]
    pub recompute: Recompute,
    /// Root of every random stream.
    pub seed: u64,
    /// How often and how long to evaluate.
    pub eval: Eval,
    /// How often the run is committed to the disk.
    pub save: Save,
    /// Commits that stay, the newest ones; the best by validation loss stays besides.
    pub keep: usize,
}

/// The fields that say how long a training is, of which one is given.
pub const LENGTHS: [&str; 3] = ["steps", "tokens", "flops"];

/// Root of every random stream where a training does not say another.
pub const SEED: u64 = 42;

impl Train {
    /// Tokens of an optimizer step.
    pub fn tokens_a_step(&self) -> u64 {
        self.batch as u64 * self.context as u64
    }

    /// What its figures are computed for: the sequences that are computed at once, a part of its batch.
    pub fn setting(&self) -> Setting {
        Setting {
            context: self.context,
            batch: self.batch / self.accumulate.max(1),
            precision: self.precision,
            recompute: self.recompute,
            ranks: 1,
            shard: Shard::None,
        }
    }

    /// Optimizer steps of a training of `model`: the fewest that reach what is given of
    /// [`LENGTHS`], one at least.
    pub fn length(&self, model: &Verified<Model>) -> usize {
        let tokens = self.tokens_a_step();
        let steps = match (self.steps, self.tokens, self.flops) {
            (Some(steps), ..) => u128::from(steps),
            (_, Some(total), _) => u128::from(total).div_ceil(u128::from(tokens)),
            (.., total) => {
                let token = Cost::of(model, self.setting()).figure(Figure::FlopsTrain).unwrap_or_default();
                let step = (token * tokens).max(BigUint::from(1u32));
                // A float of this size is a whole number, or is followed by one.
                let total = BigUint::from(total.unwrap_or(0.0).ceil() as u128);
                u128::try_from((total + &step - 1u32) / step).unwrap_or(u128::MAX)
            }
        };
        usize::try_from(steps).unwrap_or(usize::MAX).max(1)
    }
}

/// One value, or a list of several: in JSON and in specs one stands alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> From<OneOrMany<T>> for Vec<T> {
    fn from(values: OneOrMany<T>) -> Self {
        match values {
            OneOrMany::One(value) => vec![value],
            OneOrMany::Many(values) => values,
        }
    }
}

impl<T: Clone> From<Vec<T>> for OneOrMany<T> {
    fn from(values: Vec<T>) -> Self {
        match values.as_slice() {
            [one] => Self::One(one.clone()),
            _ => Self::Many(values),
        }
    }
}

/// Where the text comes from; never empty in a verified training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "OneOrMany<Data>", into = "OneOrMany<Data>")]
pub struct Sources(pub Vec<Data>);

/// Files by their names: paths or globs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "OneOrMany<String>", into = "OneOrMany<String>")]
pub struct Globs(pub Vec<String>);

impl From<OneOrMany<Data>> for Sources {
    fn from(values: OneOrMany<Data>) -> Self {
        Self(values.into())
    }
}

impl From<Sources> for OneOrMany<Data> {
    fn from(sources: Sources) -> Self {
        sources.0.into()
    }
}

impl From<OneOrMany<String>> for Globs {
    fn from(values: OneOrMany<String>) -> Self {
        Self(values.into())
    }
}

impl From<Globs> for OneOrMany<String> {
    fn from(globs: Globs) -> Self {
        globs.0.into()
    }
}

/// Which tokens the loss is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Every token.
    All,
    /// What is answered: of a record the part behind the last field that asks, of a conversation what
    /// the assistant says. Prompts are read and not learnt.
    Completion,
}

impl Loss {
    /// Every value, in the order documentation lists them.
    pub const ALL: &[Self] = &[Self::All, Self::Completion];

    /// The word of the language for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Completion => "completion",
        }
    }

    fn all() -> Self {
        Self::All
    }

    fn is_all(&self) -> bool {
        *self == Self::All
    }
}

/// What a broken record of data does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// Nothing is trained; all of them are named.
    Stop,
    /// It is left out and counted.
    Skip,
}

impl OnError {
    /// Every value, in the order documentation lists them.
    pub const ALL: &[Self] = &[Self::Stop, Self::Skip];

    /// The word of the language for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Skip => "skip",
        }
    }

    fn stop() -> Self {
        Self::Stop
    }

    fn is_stop(&self) -> bool {
        *self == Self::Stop
    }
}

/// A source of text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Data {
    /// A generator that comes with coec: `arithmetic`.
    Builtin {
        /// Its name.
        name: String,
    },
    /// Plain text files, each a document.
    Text {
        /// Paths or globs.
        glob: Globs,
    },
    /// One JSON object a line, its fields put into a template.
    Jsonl {
        /// Paths or globs.
        glob: Globs,
        /// Text with `{field}` where a field's value goes; by the names of the fields if there is none.
        template: Option<String>,
    },
    /// Rows of Parquet files, their columns put into a template.
    Parquet {
        /// Paths or globs.
        glob: Globs,
        /// As of JSON Lines, of columns.
        template: Option<String>,
    },
}

impl Data {
    /// The files it is read from, if it is read from files.
    pub fn files(&self) -> Option<&Globs> {
        match self {
            Self::Builtin { .. } => None,
            Self::Text { glob } | Self::Jsonl { glob, .. } | Self::Parquet { glob, .. } => Some(glob),
        }
    }

    /// The same, to be changed.
    pub fn files_mut(&mut self) -> Option<&mut Globs> {
        match self {
            Self::Builtin { .. } => None,
            Self::Text { glob } | Self::Jsonl { glob, .. } | Self::Parquet { glob, .. } => Some(glob),
        }
    }

    /// How its records become text, if it has records and a spec says how.
    pub fn template(&self) -> Option<&str> {
        match self {
            Self::Builtin { .. } | Self::Text { .. } => None,
            Self::Jsonl { template, .. } | Self::Parquet { template, .. } => template.as_deref(),
        }
    }
}

/// How text becomes tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tokenizer {
    /// One token a byte, 256 in all; byte 0 separates documents.
    Bytes,
    /// Byte-level BPE trained on the run's training text.
    Bpe {
        /// Tokens to learn.
        vocab: usize,
    },
    /// A `tokenizer.json` as Hugging Face writes it.
    File {
        /// Its path.
        path: String,
    },
}

/// AdamW with decoupled weight decay and clipping by the global norm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AdamW {
    /// Peak learning rate.
    pub lr: f64,
    /// Decay of the two moments.
    pub betas: [f64; 2],
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Largest global norm of the gradient; 0 for no clipping.
    pub clip: f64,
}

/// The learning rate over the steps, as a factor of the peak.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// What follows the warm-up.
    pub shape: ScheduleShape,
    /// Linear rise from 0, first.
    pub warmup: Amount,
}

/// What follows the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleShape {
    /// The peak, to the end.
    Constant,
    /// Straight down to 0.
    Linear,
    /// Half a cosine down to 0.
    Cosine,
    /// Warm-up, stable, decay: the peak, then straight down to 0 over the last `decay`.
    Wsd {
        /// Length of the final descent.
        decay: Amount,
    },
}

/// A number of steps, absolute or as a share of the run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// So many steps.
    Steps(usize),
    /// This share of all steps, between 0 and 1.
    Share(f64),
}

impl Amount {
    /// In steps of a run of `total`.
    pub fn steps(self, total: usize) -> usize {
        match self {
            Self::Steps(steps) => steps,
            Self::Share(share) => (share * total as f64).round() as usize,
        }
    }
}

impl Schedule {
    /// The factor of the peak learning rate at `step` (from 0) of `total`.
    pub fn factor(&self, step: usize, total: usize) -> f64 {
        let warmup = self.warmup.steps(total);
        if step < warmup {
            return (step + 1) as f64 / warmup as f64;
        }
        let rest = total.saturating_sub(warmup).max(1);
        let done = (step - warmup) as f64 / rest as f64;
        match self.shape {
            ScheduleShape::Constant => 1.0,
            ScheduleShape::Linear => 1.0 - done,
            ScheduleShape::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
            ScheduleShape::Wsd { decay } => {
                let decay = decay.steps(total).max(1);
                ((total.saturating_sub(step)) as f64 / decay as f64).min(1.0)
            }
        }
    }
}

/// Arithmetic of the forward and backward pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// Products of factors in bfloat16, summed in f32; everything else is f32, routing and losses included.
    Bf16,
}

impl Precision {
    /// Every value, in the order documentation lists them.
    pub const ALL: &[Self] = &[Self::F32, Self::Bf16];

    /// The word of the language for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }

    /// Bytes of a number that is kept as a factor of products, or in a cache.
    pub fn bytes(self) -> u128 {
        match self {
            Self::F32 => 4,
            Self::Bf16 => 2,
        }
    }
}

/// How often the state of a run is committed to the disk. It is also committed at the end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Save {
    /// After so many minutes, or fifty times what the last commit took if that is longer.
    Minutes(f64),
    /// After every so many steps.
    Every(usize),
}

/// Evaluation on held-out text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Eval {
    /// Evaluate after every so many steps, and at the end.
    pub every: usize,
    /// Batches per evaluation, always the same ones.
    pub batches: usize,
}
