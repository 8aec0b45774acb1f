//! Tokenizers of the `tokenizers` crate, made harmless.
//!
//! A `tokenizer.json` is untrusted: its size is bounded before it is read; what
//! would make encoding random or padded is turned off; and where the crate
//! panics on what it was given, an error comes out instead.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tokenizers::decoders::DecoderWrapper;
use tokenizers::models::ModelWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::PostProcessorWrapper;
use tokenizers::{AddedToken, PreTokenizerWrapper, Tokenizer, TokenizerImpl};

use super::{SEPARATOR, TokenizerError, bytes};

/// What separates documents, by the names tokenizers in use give it.
const SEPARATORS: &[&str] = &[
    SEPARATOR,
    "<|end_of_text|>",
    "<｜end▁of▁sentence｜>",
    "</s>",
    "<eos>",
    "<|eos|>",
    "<|im_end|>",
    "<|eot_id|>",
    "[SEP]",
];

/// Token numbers end below this, so that they fit any integer type on the way to a device.
const MOST_TOKENS: usize = 1 << 24;

/// A loaded tokenizer and what is asked of it often.
#[derive(Debug, Clone)]
pub struct HfTokenizer {
    inner: Tokenizer,
    separator: Option<u32>,
    vocab_size: usize,
    byte_level: bool,
}

/// Runs `work`, turning a panic into an error.
fn guard<T>(work: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
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
    pub(super) fn new(mut inner: Tokenizer) -> Result<Self, String> {
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
        let separator = SEPARATORS.iter().find_map(|&name| inner.token_to_id(name));
        let byte_level = matches!(inner.get_decoder(), Some(DecoderWrapper::ByteLevel(_)));
        Ok(Self { inner, separator, vocab_size, byte_level })
    }

    /// Learns byte-level BPE from `texts`: the same tokens from the same texts.
    pub(super) fn train(
        vocab: usize,
        texts: impl Iterator<Item = impl AsRef<str> + Send> + Send,
    ) -> Result<Self, TokenizerError> {
        let least = 257;
        if vocab < least {
            return Err(TokenizerError::VocabTooSmall { vocab, least });
        }
        let alphabet: HashSet<char> = ByteLevel::alphabet().into_iter().collect();
        let mut trainer = BpeTrainer::builder()
            .vocab_size(vocab)
            .min_frequency(2)
            .show_progress(false)
            .initial_alphabet(alphabet)
            .special_tokens(vec![AddedToken::from(SEPARATOR, true)])
            .build();
        let level = ByteLevel::new(false, true, true);
        let mut tokenizer: TokenizerImpl<
            BPE,
            NormalizerWrapper,
            PreTokenizerWrapper,
            PostProcessorWrapper,
            DecoderWrapper,
        > = TokenizerImpl::new(BPE::default());
        tokenizer.with_pre_tokenizer(Some(level)).with_decoder(Some(level));
        guard(|| tokenizer.train(&mut trainer, texts).map(|_| ()))
            .and_then(|()| guard(|| parse(tokenizer.to_string(false)?.as_bytes()).map_err(Into::into)))
            .and_then(Self::new)
            .map_err(|reason| TokenizerError::Training { reason })
    }

    pub(super) fn to_json(&self) -> Result<String, String> {
        guard(|| self.inner.to_string(true))
    }

    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        guard(|| Ok(self.inner.encode_fast(text, false)?.get_ids().to_vec()))
            .map_err(|reason| TokenizerError::Encode { reason })
    }

    /// Encodes texts on all cores, in order.
    pub(super) fn encode_all(&self, texts: &[String]) -> Result<Vec<Vec<u32>>, TokenizerError> {
        let inputs = texts.iter().map(String::as_str).collect();
        guard(|| self.inner.encode_batch_fast(inputs, false))
            .map(|encodings| encodings.iter().map(|encoding| encoding.get_ids().to_vec()).collect())
            .map_err(|reason| TokenizerError::Encode { reason })
    }

    pub(super) fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        if self.byte_level {
            let bytes: Vec<u8> = ids.iter().flat_map(|&id| self.bytes_of(id)).collect();
            return Ok(String::from_utf8_lossy(&bytes).into_owned());
        }
        guard(|| self.inner.decode(ids, false)).map_err(|reason| TokenizerError::Decode { reason })
    }

    /// The bytes of a token of a byte-level tokenizer; none for a number without a token.
    pub(super) fn bytes_of(&self, id: u32) -> Vec<u8> {
        self.inner.id_to_token(id).map(|token| bytes::of_token(&token)).unwrap_or_default()
    }

    pub(super) fn is_byte_level(&self) -> bool {
        self.byte_level
    }

    pub(super) fn separator(&self) -> Option<u32> {
        self.separator
    }

    pub(super) fn vocab_size(&self) -> usize {
        self.vocab_size
    }
}
