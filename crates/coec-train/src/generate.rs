//! Text from a trained model.

use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use coec_ir::{Model, Verified};
use coec_nn::LanguageModel;

use crate::{
    data::{Purpose, Stream},
    error::TrainError,
    load::load_model,
    run_dir::{Damage, RunDir, RunFile},
    sample::Sampler,
    tokenizer::Tokenizer,
};

/// A trained model, ready to continue text.
pub struct Generator {
    model: LanguageModel,
    tokenizer: Tokenizer,
    context: usize,
}

/// How to continue text.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Most tokens to add.
    pub tokens: usize,
    /// How they are drawn.
    pub sampler: Sampler,
    /// Seed of the draws.
    pub seed: u64,
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

    /// Continues `prompt`, handing over text as it comes, until the tokens are spent, the
    /// document ends, or `write` has enough. Returns the number of tokens added.
    ///
    /// The cache holds the model's context; beyond it the oldest half is
    /// forgotten and the rest is read again.
    pub fn generate(
        &self,
        prompt: &str,
        options: Options,
        write: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<usize, TrainError> {
        let device = self.model.device();
        let separator = self.tokenizer.separator();
        let mut ids = self.tokenizer.encode(prompt)?;
        // An empty prompt is the start of a document.
        if ids.is_empty() {
            ids.push(separator.unwrap_or(0));
        }
        let mut decoder = self.tokenizer.decoder();
        let mut cache = self.model.cache();
        let mut unread = ids.split_off(ids.len().saturating_sub(self.context));
        ids.clear();
        for position in 0..options.tokens {
            if cache.seen() + unread.len() > self.context {
                let keep = (self.context / 2).max(1);
                unread = [ids.as_slice(), unread.as_slice()].concat();
                unread = unread.split_off(unread.len().saturating_sub(keep));
                (cache, ids) = (self.model.cache(), Vec::new());
            }
            let row: Vec<i32> = unread.iter().map(|&id| id as i32).collect();
            let count = row.len();
            let row = Tensor::<2, Int>::from_data(TensorData::new(row, [1, count]), &device);
            let logits = self.model.extend(row, &mut cache).narrow(1, count - 1, 1);
            ids.append(&mut unread);

            let logits: Vec<f32> = logits.into_data().iter::<f32>().collect();
            let known = self.tokenizer.vocab_size().min(logits.len());
            let mut stream = Stream::new(options.seed, position as u64, Purpose::Sample);
            let next = options.sampler.sample(&logits[..known], &mut stream)?;
            if Some(next) == separator {
                let _ = write(&decoder.finish()?);
                return Ok(position);
            }
            if write(&decoder.push(next)?).is_break() {
                return Ok(position + 1);
            }
            unread.push(next);
        }
        let _ = write(&decoder.finish()?);
        Ok(options.tokens)
    }
}
