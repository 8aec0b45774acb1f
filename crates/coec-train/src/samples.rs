//! What a run had to say at its end.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// `samples.json`: continuations of held-out text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    /// The version of the format.
    pub schema: Cow<'static, str>,
    /// Steps done.
    pub step: usize,
    /// One for each opening.
    pub samples: Vec<Sample>,
}

/// A continuation, and what it continues.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// What it continues.
    pub prompt: String,
    /// The continuation alone.
    pub text: String,
    /// Both, as the tokenizer decodes them together.
    pub decoded: String,
}
