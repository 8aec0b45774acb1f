//! The files of a run, by name.

use coec_store::folder::COMPANIONS;

/// A file of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunFile {
    /// The explicit model, and how it is trained.
    Spec,
    /// The tokenizer.
    Tokenizer,
    /// One of the [`COMPANIONS`] of the tokenizer, if it came with any.
    Companion(&'static str),
    /// One line a step.
    Metrics,
    /// Expert load.
    Experts,
    /// What the routers decided on held-out text.
    Routing,
    /// Counts and verdicts.
    Budget,
    /// The weights of the newest commit.
    Model,
    /// Data that came from standard input.
    Input,
    /// The weights that it began with, where they were given.
    Start,
    /// How far each tensor moved.
    Moved,
    /// Continuations of held-out text, made at its end.
    Samples,
}

impl RunFile {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Spec,
        Self::Tokenizer,
        Self::Companion(COMPANIONS[0]),
        Self::Companion(COMPANIONS[1]),
        Self::Companion(COMPANIONS[2]),
        Self::Companion(COMPANIONS[3]),
        Self::Companion(COMPANIONS[4]),
        Self::Metrics,
        Self::Experts,
        Self::Routing,
        Self::Budget,
        Self::Model,
        Self::Input,
        Self::Start,
        Self::Moved,
        Self::Samples,
    ];

    /// Its name in the directory.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spec => "spec.coe",
            Self::Tokenizer => "tokenizer.json",
            Self::Companion(name) => name,
            Self::Metrics => "metrics.jsonl",
            Self::Experts => "experts.jsonl",
            Self::Routing => "routing.jsonl",
            Self::Budget => "budget.json",
            Self::Model => "model.safetensors",
            Self::Input => "input",
            Self::Start => "start.safetensors",
            Self::Moved => "moved.json",
            Self::Samples => "samples.json",
        }
    }
}
