//! How well a model predicts a text.

use std::path::Path;

use coec_ir::Precision;
use coec_nn::LanguageModel;
use serde::Serialize;

use crate::{
    data::{Progress, Sequences, Texts, Tokens},
    error::TrainError,
    step::evaluate,
    tokenizer::{Lost, Tokenizer},
    world::Alone,
};

/// What a model makes of a text.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Evaluation {
    /// Documents.
    pub documents: usize,
    /// Tokens, separators between documents included.
    pub tokens: usize,
    /// Bytes, a separator counting as one.
    pub bytes: usize,
    /// Mean cross-entropy, nats a token, over every token but the first.
    pub loss: f64,
    /// The same in nats a byte, which can be compared between tokenizers.
    pub nats_per_byte: f64,
    /// How much of the text the tokens do not say.
    pub lost: Lost,
}

/// A text, ready to be measured on.
pub struct Text {
    sequences: Sequences,
    documents: usize,
    bytes: usize,
    lost: Lost,
}

impl Text {
    /// All of the data that a spec names, nothing held out, as sequences of `context` tokens, `batch` of
    /// them at once. Documents of a source stand one behind the other with a separator between them; a
    /// file of plain text is one document. `tell` hears how far that is.
    pub fn load(
        train: &coec_ir::Train,
        base: &Path,
        tokenizer: &Tokenizer,
        context: usize,
        batch: usize,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Self, TrainError> {
        let texts = Texts::open(&train.data, train.on_error, base, tell)?;
        let tokens = texts.tokenised(tokenizer, train.loss, true, tell)?;
        let sources: Vec<_> = tokens.into_iter().map(|[whole, _]| whole).collect();
        let lost = sources.iter().map(Tokens::lost).fold(Lost::default(), Lost::and).check()?;
        // Between documents, not behind the last.
        let trailing = usize::from(tokenizer.separator().is_some());
        let bytes: u64 = sources.iter().map(|tokens| tokens.bytes() - trailing as u64).sum();
        let documents = texts.documents() as usize;
        let sequences = Sequences::new(sources, trailing, context, batch)?;
        Ok(Self { sequences, documents, bytes: bytes as usize, lost })
    }

    /// Batches there are.
    pub fn batches(&self) -> usize {
        self.sequences.batches()
    }

    /// What `model`, which has no tape, makes of it in `precision`. Each token but the first is predicted once, from
    /// those before it in its sequence. `tell` hears of each batch.
    ///
    /// # Errors
    ///
    /// Tokens that cannot be read.
    pub fn measure(
        &self,
        model: &LanguageModel,
        precision: Precision,
        mut tell: impl FnMut(),
    ) -> Result<Evaluation, TrainError> {
        let batches = self.sequences.iter().inspect(|_| tell());
        let held = evaluate(model, batches, 1, precision, &|| true, &Alone)?;
        let loss = held.map_or(f64::NAN, |held| held.loss);
        let tokens = self.sequences.tokens();
        let nats_per_byte = loss * tokens as f64 / self.bytes.max(1) as f64;
        let Self { documents, bytes, lost, .. } = *self;
        Ok(Evaluation { documents, tokens, bytes, loss, nats_per_byte, lost })
    }
}
