//! Text from a trained model.

mod stops;

use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use coec_ir::{Model, Precision, Verified};
use coec_nn::LanguageModel;
use serde::Serialize;

use crate::{
    data::{Purpose, Stream},
    error::TrainError,
    load::load_model,
    run_dir::{Damage, RunDir, RunFile},
    sample::Sampler,
    tokenizer::{Piece, Tokenizer},
};

use self::stops::{Passed, Stops};

/// A trained model, ready to continue text.
pub struct Generator {
    model: LanguageModel,
    tokenizer: Tokenizer,
    context: usize,
}

/// How to continue text.
#[derive(Debug, Clone)]
pub struct Options {
    /// Most tokens to add.
    pub tokens: usize,
    /// How they are drawn.
    pub sampler: Sampler,
    /// Seed of the draws.
    pub seed: u64,
    /// Texts at which to end, none of them empty; they are not part of what is generated.
    pub stops: Vec<String>,
    /// What products multiply in.
    pub precision: Precision,
}

/// What continues a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Its text, which stands behind the prompt's.
    pub text: String,
    /// Tokens added.
    pub tokens: usize,
    /// Why there are no more.
    pub ended: Ended,
}

/// Why a continuation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// The model ended the text.
    End,
    /// A stop was found.
    Stop,
    /// As many tokens as were asked for.
    Length,
    /// Whoever reads it wants no more.
    Enough,
}

impl Generator {
    /// A model without a tape, whose tokens are those of `tokenizer` and whose cache holds `context`
    /// of them.
    pub fn new(model: LanguageModel, tokenizer: Tokenizer, context: usize) -> Self {
        Self { model, tokenizer, context }
    }

    /// The model of a run, or of an import, as its newest sound commit has it, and what is damaged.
    pub fn open(
        run: &RunDir,
        model: &Verified<Model>,
        device: &Device,
    ) -> Result<(Self, Vec<Damage>), TrainError> {
        let tokenizer = Tokenizer::load(&run.file(RunFile::Tokenizer))?;
        let (weights, damaged) = run.weights()?;
        Ok((Self::new(load_model(model, &weights, device)?.valid(), tokenizer, model.context), damaged))
    }

    /// Continues `prompt` until the text ends, a stop is found, the tokens are spent, or `write` has
    /// enough.
    ///
    /// `write` is handed the prompt and what continues it as it comes, decoded as one text.
    ///
    /// The cache holds the model's context; beyond it the oldest half is
    /// forgotten and the rest is read again.
    pub fn generate(
        &self,
        prompt: &str,
        options: &Options,
        write: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generated, TrainError> {
        let device = self.model.device();
        let mut ids = self.tokenizer.encode(prompt)?;
        let mut continuation = self.tokenizer.continuation(&ids)?;
        // An empty prompt is the start of a document.
        if ids.is_empty() {
            ids.push(self.tokenizer.separator().unwrap_or(0));
        }
        let mut output = Output::new(&options.stops, write);
        output.write(continuation.opening());
        let mut tokens = 0;
        let mut cache = self.model.cache_in(options.precision);
        let mut unread = ids.split_off(ids.len().saturating_sub(self.context));
        ids.clear();
        while tokens < options.tokens && !output.is_full() {
            if cache.seen() + unread.len() > self.context {
                let keep = (self.context / 2).max(1);
                unread = [ids.as_slice(), unread.as_slice()].concat();
                unread = unread.split_off(unread.len().saturating_sub(keep));
                (cache, ids) = (self.model.cache_in(options.precision), Vec::new());
            }
            let row: Vec<i32> = unread.iter().map(|&id| id as i32).collect();
            let count = row.len();
            let row = Tensor::<2, Int>::from_data(TensorData::new(row, [1, count]), &device);
            let logits = self.model.extend(row, &mut cache).narrow(1, count - 1, 1);
            ids.append(&mut unread);

            let logits: Vec<f32> = logits.into_data().iter::<f32>().collect();
            let known = self.tokenizer.vocab_size().min(logits.len());
            let mut stream = Stream::new(options.seed, tokens as u64, Purpose::Sample);
            let next = options.sampler.sample(&logits[..known], &mut stream)?;
            if self.tokenizer.ends().contains(&next) {
                output.ended = Ended::End;
                break;
            }
            tokens += 1;
            output.give(continuation.push(next)?);
            unread.push(next);
        }
        if !output.is_full() {
            output.give(continuation.finish()?);
        }
        Ok(output.finish(tokens))
    }
}

/// Where the text of a continuation goes.
struct Output<'a> {
    stops: Stops<'a>,
    write: &'a mut dyn FnMut(&str) -> ControlFlow<()>,
    text: String,
    ended: Ended,
}

impl<'a> Output<'a> {
    fn new(stops: &'a [String], write: &'a mut dyn FnMut(&str) -> ControlFlow<()>) -> Self {
        Self { stops: Stops::new(stops), write, text: String::new(), ended: Ended::Length }
    }

    /// Whether nothing more is to come.
    fn is_full(&self) -> bool {
        matches!(self.ended, Ended::Stop | Ended::Enough)
    }

    fn write(&mut self, text: &str) {
        if (self.write)(text).is_break() {
            self.ended = Ended::Enough;
        }
    }

    fn give(&mut self, piece: Piece) {
        self.write(&piece.prompt);
        let text = match self.stops.push(&piece.text) {
            Passed::On(text) => text,
            Passed::Stopped(text) => {
                self.ended = Ended::Stop;
                text
            }
        };
        self.write(&text);
        self.text += &text;
    }

    fn finish(mut self, tokens: usize) -> Generated {
        if !self.is_full() {
            let rest = std::mem::replace(&mut self.stops, Stops::new(&[])).finish();
            self.write(&rest);
            self.text += &rest;
        }
        Generated { text: self.text, tokens, ended: self.ended }
    }
}
