//! How well a model predicts a text.

use std::path::Path;

use coec_nn::LanguageModel;
use serde::Serialize;

use crate::{
    data::{self, Sequences},
    error::TrainError,
    step::evaluate,
    tokenizer::Tokenizer,
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
}

/// A text, ready to be measured on.
pub struct Text {
    sequences: Sequences,
    documents: usize,
    bytes: usize,
}

impl Text {
    /// All of the data that a spec names, nothing held out, as sequences of `context` tokens, `batch` of
    /// them at once. Documents stand one behind the other with a separator between them; a file of
    /// plain text is one document.
    pub fn load(
        data: &coec_ir::Data,
        base: &Path,
        tokenizer: &Tokenizer,
        context: usize,
        batch: usize,
    ) -> Result<Self, TrainError> {
        let documents = data::documents(data, base)?;
        let (mut tokens, mut bytes) = (Vec::new(), 0);
        for (index, ids) in tokenizer.encode_all(&documents)?.into_iter().enumerate() {
            if index > 0 {
                tokens.extend(tokenizer.separator());
                bytes += usize::from(tokenizer.separator().is_some());
            }
            bytes += documents[index].len();
            tokens.extend(ids);
        }
        let sequences = Sequences::new(tokens, context, batch)?;
        Ok(Self { sequences, documents: documents.len(), bytes })
    }

    /// Batches there are.
    pub fn batches(&self) -> usize {
        self.sequences.batches()
    }

    /// What `model`, which has no tape, makes of it. Each token but the first is predicted once, from
    /// those before it in its sequence. `tell` hears of each batch.
    pub fn measure(&self, model: &LanguageModel, mut tell: impl FnMut()) -> Evaluation {
        let batches = self.sequences.iter().inspect(|_| tell());
        let loss = evaluate(model, batches, 1, &|| true).unwrap_or(f64::NAN);
        let tokens = self.sequences.tokens();
        let nats_per_byte = loss * tokens as f64 / self.bytes.max(1) as f64;
        Evaluation { documents: self.documents, tokens, bytes: self.bytes, loss, nats_per_byte }
    }
}
