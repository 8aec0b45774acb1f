//! Text out of tokens that arrive one at a time.
//!
//! A decoder of Hugging Face is a chain of steps, and a step may look at neighbours: it drops the space
//! before the first word, reads several tokens as the bytes of one character, leaves out a token that
//! repeats the one before. So tokens are not decoded alone, nor again and again: each step is a
//! [`stage::Stage`] here, which keeps what a later token may still change and gives the rest on.

mod alone;
mod bpe;
mod byte_fallback;
mod byte_level;
mod chain;
mod continuation;
mod ctc;
mod fuse;
mod literal;
mod metaspace;
mod stage;
mod strip;
#[cfg(test)]
mod tests;

use self::chain::Chain;
pub use self::continuation::{Continuation, Piece};
use super::bytes::Utf8Stream;
use super::hf::HfTokenizer;
use super::{Tokenizer, TokenizerError};

/// Turns tokens into text as they come: what it gives, joined, is the text of all of them.
///
/// Text that a later token may still change is held back. Each token costs as much as its own text.
#[derive(Debug)]
pub struct Decoder<'a>(State<'a>);

#[derive(Debug)]
enum State<'a> {
    Bytes(Utf8Stream),
    Hf(&'a HfTokenizer, Chain),
}

impl<'a> Decoder<'a> {
    pub(super) fn new(tokenizer: &'a Tokenizer) -> Self {
        Self(match tokenizer {
            Tokenizer::Bytes => State::Bytes(Utf8Stream::default()),
            Tokenizer::Hf(hf) => State::Hf(hf, Chain::new(hf.decoder())),
        })
    }

    /// The text that `id` completes; often empty. A number without a token gives none.
    pub fn push(&mut self, id: u32) -> Result<String, TokenizerError> {
        match &mut self.0 {
            State::Bytes(stream) => Ok(u8::try_from(id).map(|byte| stream.push(&[byte])).unwrap_or_default()),
            State::Hf(tokenizer, chain) => match tokenizer.token(id) {
                Some(token) => chain.push(token).map_err(|reason| TokenizerError::Decode { reason }),
                None => Ok(String::new()),
            },
        }
    }

    /// What was held back.
    pub fn finish(self) -> Result<String, TokenizerError> {
        match self.0 {
            State::Bytes(mut stream) => Ok(stream.finish()),
            State::Hf(_, chain) => chain.finish().map_err(|reason| TokenizerError::Decode { reason }),
        }
    }
}
