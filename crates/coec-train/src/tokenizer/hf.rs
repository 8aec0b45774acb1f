//! Tokenizers of the `tokenizers` crate, made harmless.
//!
//! A `tokenizer.json` is untrusted: its size is bounded before it is read; what
//! would make encoding random or padded is turned off; and where the crate
//! panics on what it was given, an error comes out instead.

use std::panic::{AssertUnwindSafe, catch_unwind};

use coec_store::folder::{Companions, end_tokens};
use tokenizers::Tokenizer;
use tokenizers::decoders::DecoderWrapper;
use tokenizers::models::ModelWrapper;

use super::TokenizerError;

/// Token numbers end below this, so that they fit any integer type on the way to a device.
const MOST_TOKENS: usize = 1 << 24;

/// A loaded tokenizer and what is asked of it often.
#[derive(Debug, Clone)]
pub struct HfTokenizer {
    inner: Tokenizer,
    companions: Companions,
    ends: Vec<u32>,
    vocab_size: usize,
}

/// Runs `work`, turning a panic into an error.
pub(super) fn guard<T>(work: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("the tokenizers library gave up on it".to_owned()),
    }
}

/// Reads a `tokenizer.json`.
pub(super) fn parse(json: &[u8]) -> Result<Tokenizer, String> {
    guard(|| Tokenizer::from_bytes(json))
}

impl HfTokenizer {
    /// Wraps a tokenizer, for encoding that is the same every time.
    pub(super) fn new(json: &str, companions: Companions) -> Result<Self, String> {
        let mut inner = parse(json.as_bytes())?;
        inner.with_padding(None);
        guard(|| inner.with_truncation(None).map(|_| ()))?;
        if let ModelWrapper::BPE(model) = inner.get_model()
            && model.dropout.is_some()
        {
            let mut model = model.clone();
            model.dropout = None;
            inner.with_model(model);
        }
        let vocab = inner.get_vocab(true);
        // Numbers may have holes, so it is the largest that counts.
        let vocab_size = vocab.values().max().map_or(0, |&largest| largest as usize + 1);
        if vocab_size == 0 || vocab_size > MOST_TOKENS {
            return Err(format!("its tokens are numbered up to {vocab_size}, of {MOST_TOKENS}"));
        }
        Ok(Self { inner, ends: end_tokens(json, &companions), companions, vocab_size })
    }

    pub(super) fn to_json(&self) -> Result<String, String> {
        guard(|| self.inner.to_string(true))
    }

    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        guard(|| Ok(self.inner.encode_fast(text, false)?.get_ids().to_vec()))
            .map_err(|reason| TokenizerError::Encode { reason })
    }

    /// The library's tokenizer.
    pub(super) fn inner(&self) -> &Tokenizer {
        &self.inner
    }

    pub(super) fn decoder(&self) -> Option<&DecoderWrapper> {
        self.inner.get_decoder()
    }

    /// The token of a number, if there is one.
    pub(super) fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    pub(super) fn companions(&self) -> &Companions {
        &self.companions
    }

    pub(super) fn ends(&self) -> &[u32] {
        &self.ends
    }

    pub(super) fn vocab_size(&self) -> usize {
        self.vocab_size
    }
}
