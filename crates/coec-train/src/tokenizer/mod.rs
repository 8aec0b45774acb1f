//! Text to tokens and back.

mod bytes;
mod decode;
mod error;
mod hf;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

pub use decode::Decoder;
pub use error::TokenizerError;
pub use hf::HfTokenizer;

/// The separator of tokenizers trained here.
pub const SEPARATOR: &str = "<|endoftext|>";

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
        HfTokenizer::train(vocab, texts.into_iter()).map(|tokenizer| Self::Hf(Box::new(tokenizer)))
    }

    /// Loads a `tokenizer.json`.
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
        Self::from_json(&json).map_err(|reason| TokenizerError::Invalid { path: path.to_owned(), reason })
    }

    fn from_json(json: &[u8]) -> Result<Self, String> {
        let tokenizer = hf::parse(json)?;
        match bytes::is_bytes(&tokenizer) {
            true => Ok(Self::Bytes),
            false => HfTokenizer::new(tokenizer).map(|tokenizer| Self::Hf(Box::new(tokenizer))),
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

    /// The tokens of a text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        match self {
            Self::Bytes => Ok(text.bytes().map(u32::from).collect()),
            Self::Hf(tokenizer) => tokenizer.encode(text),
        }
    }

    /// The tokens of each text.
    pub fn encode_all(&self, texts: &[String]) -> Result<Vec<Vec<u32>>, TokenizerError> {
        match self {
            Self::Bytes => texts.iter().map(|text| self.encode(text)).collect(),
            Self::Hf(tokenizer) => tokenizer.encode_all(texts),
        }
    }

    /// The text of tokens, special ones included; numbers without a token give nothing.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        match self {
            Self::Bytes => {
                let bytes: Vec<u8> = ids.iter().filter_map(|&id| u8::try_from(id).ok()).collect();
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            Self::Hf(tokenizer) => tokenizer.decode(ids),
        }
    }

    /// Turns tokens into text one at a time.
    pub fn decoder(&self) -> Decoder<'_> {
        Decoder::new(self)
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
        match self {
            Self::Bytes => Some(0),
            Self::Hf(tokenizer) => tokenizer.separator(),
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
