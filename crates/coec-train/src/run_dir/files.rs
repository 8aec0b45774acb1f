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
    /// Counts and verdicts.
    Budget,
    /// The weights of the newest commit.
    Model,
    /// Data that came from standard input.
    Input,
}

impl RunFile {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Spec,
        Self::Tokenizer,
        Self::Companion(COMPANIONS[0]),
        Self::Companion(COMPANIONS[1]),
        Self::Companion(COMPANIONS[2]),
        Self::Companion(COMPANIONS[3]),
        Self::Companion(COMPANIONS[4]),
        Self::Metrics,
        Self::Experts,
        Self::Budget,
        Self::Model,
        Self::Input,
    ];

    /// Its name in the directory.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spec => "spec.coe",
            Self::Tokenizer => "tokenizer.json",
            Self::Companion(name) => name,
            Self::Metrics => "metrics.jsonl",
            Self::Experts => "experts.jsonl",
            Self::Budget => "budget.json",
            Self::Model => "model.safetensors",
            Self::Input => "input",
        }
    }
}
