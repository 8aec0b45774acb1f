//! What a report is made of: plain values, already read.

use coec_ir::{Model, Train, Verified};

/// Everything on a page.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The version of coec that writes it.
    pub version: String,
    /// What was trained, each with its runs.
    pub arms: Vec<Arm>,
    /// The verdicts of a comparison; none where runs merely stand beside each other.
    pub pairs: Vec<Pair>,
}

/// A spec, and the runs of it, which differ in their seed.
#[derive(Debug, Clone, Default)]
pub struct Arm {
    /// What it is called on the page.
    pub name: String,
    /// What was trained, and how; absent where the spec cannot be read.
    pub spec: Option<Spec>,
    /// The runs.
    pub runs: Vec<Run>,
    /// The last validation losses over the seeds, as the comparison has them.
    pub val_loss: Option<Spread>,
}

/// A spec that was read.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The model.
    pub model: Verified<Model>,
    /// How it was trained.
    pub train: Train,
    /// All of it as text, every value explicit.
    pub text: String,
}

/// A mean over seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The standard deviation, where there is one.
    pub std: Option<f64>,
}

/// Two arms held against each other.
#[derive(Debug, Clone, Default)]
pub struct Pair {
    /// The name of the one.
    pub a: String,
    /// The name of the other.
    pub b: String,
    /// What is said of them.
    pub sentence: Option<String>,
    /// Last validation loss of `a` less that of `b`.
    pub difference: Option<Difference>,
    /// The same where both have spent as much.
    pub at_equal: Vec<AtEqual>,
    /// What the seeds say of the claim that the loss of `a` is lower.
    pub verdict: Option<Verdict>,
    /// Whether both had the same compute.
    pub fair: bool,
    /// In which figures they differ, and by how much `a` has more: `flops.forward +11.0%`.
    pub differs: Vec<String>,
}

/// A difference and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The best estimate.
    pub mean: f64,
    /// The interval it is in, of several seeds.
    pub interval: Option<(f64, f64)>,
    /// The share of such intervals that hold the true value.
    pub confidence: Option<f64>,
}

/// A difference where both arms have spent as much.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AtEqual {
    /// What they spent: `tokens`.
    pub axis: String,
    /// How much of it.
    pub spent: f64,
    /// The difference there.
    pub difference: Option<Difference>,
}

/// What seeds say about a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is there.
    Established,
    /// It may be chance.
    NotEstablished,
    /// It is there, and the other way round.
    Reversed,
    /// A word that this version does not know.
    Other(String),
}

/// A run and what it left. What it did not record is `None`.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// The path it was named by.
    pub name: String,
    /// The root of its random streams.
    pub seed: Option<u64>,
    /// One for each step that was done.
    pub steps: Option<Vec<Step>>,
    /// Expert load, one for each routing and evaluation.
    pub loads: Option<Vec<Load>>,
    /// What the routers decided on held-out text, one for each routing and evaluation.
    pub routings: Option<Vec<Routing>>,
    /// How far each tensor moved.
    pub moved: Option<Moved>,
    /// Figures and budgets.
    pub card: Option<Card>,
    /// Continuations of held-out text.
    pub samples: Option<Vec<Sample>>,
}

/// A step of a run. What is not a number is unknown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Steps done.
    pub step: u64,
    /// Tokens learned from.
    pub tokens: u64,
    /// Seconds spent in steps.
    pub seconds: f64,
    /// Nats a token on what was learned from.
    pub loss: f64,
    /// Nats a token on held-out text, where it was measured.
    pub val_loss: Option<f64>,
}

/// How often each expert was selected in training, since the entry before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// Steps done.
    pub step: u64,
    /// Layer, from 0.
    pub layer: usize,
    /// How often it had run before: 0 but for one in a loop.
    pub pass: usize,
    /// Iteration, from 0.
    pub iteration: usize,
    /// Selections per expert.
    pub counts: Vec<u64>,
}

/// What one routing decided for the held-out text.
#[derive(Debug, Clone, PartialEq)]
pub struct Routing {
    /// Steps done.
    pub step: u64,
    /// Layer, from 0.
    pub layer: usize,
    /// How often it had run before: 0 but for one in a loop.
    pub pass: usize,
    /// Iteration, from 0.
    pub iteration: usize,
    /// Tokens that were routed.
    pub tokens: u64,
    /// Mean entropy of the scores of a token, nats.
    pub entropy: f64,
    /// Selections per expert.
    pub counts: Vec<u64>,
    /// An expert of the iteration before, one of this, and how many times a token selected both, the most
    /// frequent first; not all of them where there are many experts.
    pub follows: Option<Vec<(u32, u32, u64)>>,
}

/// How far each tensor moved.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    /// Steps done.
    pub step: u64,
    /// Every named tensor.
    pub tensors: Vec<Distance>,
}

/// How far one tensor is from where it began.
#[derive(Debug, Clone, PartialEq)]
pub struct Distance {
    /// Its name.
    pub name: String,
    /// The norm it began with.
    pub start: f64,
    /// The norm of the difference.
    pub change: f64,
}

/// The budget report card of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Card {
    /// What the figures are for: `16 x 128 tokens, f32, on cpu`.
    pub setting: String,
    /// Figures, each counted in every way there is.
    pub rows: Vec<CardRow>,
    /// Declared budgets.
    pub budgets: Vec<Budget>,
    /// Tensors that no gradient ever moved, dead experts apart.
    pub unmoved: Vec<String>,
}

/// A figure, ready to be shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CardRow {
    /// Its name.
    pub figure: String,
    /// From the spec.
    pub closed_form: String,
    /// From the recorded operations.
    pub captured: String,
    /// From the run.
    pub measured: String,
    /// How they compare.
    pub verdict: String,
    /// Whether counts that must agree do not.
    pub fails: bool,
}

/// A declared budget, ready to be shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Budget {
    /// The rule as specs write it.
    pub rule: String,
    /// What it came to.
    pub value: String,
    /// How it came out.
    pub verdict: String,
    /// Whether it fails.
    pub fails: bool,
}

/// A continuation, and what it continues.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sample {
    /// What it continues.
    pub prompt: String,
    /// The continuation.
    pub text: String,
}
