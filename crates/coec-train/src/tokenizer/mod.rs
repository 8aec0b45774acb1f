//! Text to tokens and back.

mod bytes;
mod decode;
mod encoder;
mod error;
mod hf;
mod learn;
mod lost;
mod of_weights;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use coec_store::folder::{Companions, end_tokens};

use crate::fingerprint::{Fingerprint, Fingerprinter};

pub use decode::{Continuation, Decoder, Piece};
pub use encoder::Encoder;
pub use error::TokenizerError;
pub use hf::HfTokenizer;
pub use lost::Lost;
pub use of_weights::{beside, check_is};

/// The separator of tokenizers trained here.
pub const SEPARATOR: &str = "<|endoftext|>";

/// The byte that separates documents where bytes are tokens.
const BYTE_SEPARATOR: u32 = 0;

/// Largest `tokenizer.json` that is read.
pub const LARGEST_FILE: u64 = 64 << 20;

/// How text becomes tokens.
///
/// The text of a special token is that token wherever it stands, as in all
/// tools that read a `tokenizer.json`; encoding adds none of its own.
#[derive(Debug, Clone)]
pub enum Tokenizer {
    /// One token a byte; byte 0 separates documents.
    Bytes,
    /// A Hugging Face tokenizer, trained here or loaded.
    Hf(Box<HfTokenizer>),
}

impl Tokenizer {
    /// Learns byte-level BPE with at most `vocab` tokens from `texts`.
    pub fn train_bpe(
        vocab: usize,
        texts: impl IntoIterator<Item = impl AsRef<str> + Send, IntoIter: Send>,
    ) -> Result<Self, TokenizerError> {
        learn::byte_level_bpe(vocab, texts.into_iter()).map(|tokenizer| Self::Hf(Box::new(tokenizer)))
    }

    /// Loads a `tokenizer.json`, and what the settings beside it say.
    pub fn load(path: &Path) -> Result<Self, TokenizerError> {
        let unreadable = |source| TokenizerError::Unreadable { path: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        let bytes = file.metadata().map_err(unreadable)?.len();
        let too_large =
            |bytes| TokenizerError::TooLarge { path: path.to_owned(), bytes, limit: LARGEST_FILE };
        if bytes > LARGEST_FILE {
            return Err(too_large(bytes));
        }
        let mut json = Vec::new();
        // One byte more than allowed tells a file that grew, or never ends.
        let read = file.take(LARGEST_FILE + 1).read_to_end(&mut json).map_err(unreadable)?;
        if read as u64 > LARGEST_FILE {
            return Err(too_large(read as u64));
        }
        let companions = Companions::of(path)?;
        Self::from_json(&json, companions)
            .map_err(|reason| TokenizerError::Invalid { path: path.to_owned(), reason })
    }

    /// One that was learnt elsewhere, from its `tokenizer.json`.
    pub fn learnt(json: &[u8]) -> Result<Self, TokenizerError> {
        let path = PathBuf::from("tokenizer.json");
        Self::from_json(json, Companions::default())
            .map_err(|reason| TokenizerError::Invalid { path, reason })
    }

    fn from_json(json: &[u8], companions: Companions) -> Result<Self, String> {
        let json = std::str::from_utf8(json).map_err(|error| error.to_string())?;
        let tokenizer = hf::parse(json.as_bytes())?;
        match bytes::is_bytes(&tokenizer) && end_tokens(json, &companions) == [BYTE_SEPARATOR] {
            true => Ok(Self::Bytes),
            false => HfTokenizer::new(json, companions).map(|tokenizer| Self::Hf(Box::new(tokenizer))),
        }
    }

    /// A `tokenizer.json` that [`Tokenizer::load`] and Hugging Face's libraries read.
    pub fn to_json(&self) -> Result<String, TokenizerError> {
        match self {
            Self::Bytes => Ok(bytes::to_json()),
            Self::Hf(tokenizer) => {
                let path = PathBuf::from("tokenizer.json");
                tokenizer.to_json().map_err(|reason| TokenizerError::Invalid { path, reason })
            }
        }
    }

    /// The files beside `tokenizer.json` that say more of it, by their names.
    pub fn companions(&self) -> BTreeMap<&'static str, String> {
        match self {
            Self::Bytes => BTreeMap::new(),
            Self::Hf(tokenizer) => tokenizer.companions().files(),
        }
    }

    /// What it is in a few bytes, given its `tokenizer.json`: what ends a text is part of it where
    /// another file says so.
    pub fn fingerprint(&self, json: &str) -> Fingerprint {
        let mut made = Fingerprinter::default();
        made.add(json.as_bytes());
        if !self.companions().is_empty() {
            self.ends().iter().for_each(|&id| made.mark(id as usize));
        }
        made.finish()
    }

    /// The tokens of a text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        match self {
            Self::Bytes => Ok(text.bytes().map(u32::from).collect()),
            Self::Hf(tokenizer) => tokenizer.encode(text),
        }
    }

    /// Turns many texts into tokens, and says how much of them no token stands for.
    ///
    /// # Errors
    ///
    /// A tokenizer whose unknown token cannot be told from others.
    pub fn encoder(&self) -> Result<Encoder<'_>, TokenizerError> {
        Encoder::new(self)
    }

    /// The text of tokens, special ones included; numbers without a token give nothing.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        let mut decoder = self.decoder();
        let mut text = String::new();
        for &id in ids {
            text += &decoder.push(id)?;
        }
        Ok(text + &decoder.finish()?)
    }

    /// Turns tokens into text one at a time.
    pub fn decoder(&self) -> Decoder<'_> {
        Decoder::new(self)
    }

    /// Turns the tokens behind those of a prompt into text one at a time.
    pub fn continuation(&self, prompt: &[u32]) -> Result<Continuation<'_>, TokenizerError> {
        Continuation::new(self, prompt)
    }

    /// One more than the largest token.
    pub fn vocab_size(&self) -> usize {
        match self {
            Self::Bytes => 256,
            Self::Hf(tokenizer) => tokenizer.vocab_size(),
        }
    }

    /// The token between documents, if there is one.
    pub fn separator(&self) -> Option<u32> {
        self.ends().first().copied()
    }

    /// The tokens that end a text.
    pub fn ends(&self) -> &[u32] {
        match self {
            Self::Bytes => &[BYTE_SEPARATOR],
            Self::Hf(tokenizer) => tokenizer.ends(),
        }
    }

    /// Whether every token is in a model's vocabulary.
    pub fn check_fits(&self, vocab: usize) -> Result<(), TokenizerError> {
        match self.vocab_size() {
            tokens if tokens > vocab => Err(TokenizerError::DoesNotFit { tokens, vocab }),
            _ => Ok(()),
        }
    }
}
