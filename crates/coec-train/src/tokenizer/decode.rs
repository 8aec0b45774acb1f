//! Text out of tokens that arrive one at a time.

use super::bytes::Utf8Stream;
use super::hf::HfTokenizer;
use super::{Tokenizer, TokenizerError};

/// Tokens that may be held back before their text is given as it stands.
const PATIENCE: usize = 32;

/// Turns tokens into text as they are generated: what it gives, joined, is the text of all of them.
///
/// The bytes of a character that is not complete yet are held back.
#[derive(Debug, Clone)]
pub struct Decoder<'a>(State<'a>);

#[derive(Debug, Clone)]
enum State<'a> {
    Bytes(Utf8Stream),
    ByteLevel(&'a HfTokenizer, Utf8Stream),
    /// A decoder may look at neighbours (a space before a word, say): text is
    /// what the tokens since `start` say beyond what those up to `given` said.
    Window {
        tokenizer: &'a HfTokenizer,
        ids: Vec<u32>,
        given: usize,
    },
}

impl<'a> Decoder<'a> {
    pub(super) fn new(tokenizer: &'a Tokenizer) -> Self {
        Self(match tokenizer {
            Tokenizer::Bytes => State::Bytes(Utf8Stream::default()),
            Tokenizer::Hf(hf) if hf.is_byte_level() => State::ByteLevel(hf, Utf8Stream::default()),
            Tokenizer::Hf(hf) => State::Window { tokenizer: hf, ids: Vec::new(), given: 0 },
        })
    }

    /// The text that `id` completes; often empty.
    pub fn push(&mut self, id: u32) -> Result<String, TokenizerError> {
        match &mut self.0 {
            State::Bytes(stream) => Ok(u8::try_from(id).map(|byte| stream.push(&[byte])).unwrap_or_default()),
            State::ByteLevel(tokenizer, stream) => Ok(stream.push(&tokenizer.bytes_of(id))),
            State::Window { ids, .. } => {
                ids.push(id);
                self.advance(false)
            }
        }
    }

    /// What was held back.
    pub fn finish(mut self) -> Result<String, TokenizerError> {
        match &mut self.0 {
            State::Bytes(stream) | State::ByteLevel(_, stream) => Ok(stream.finish()),
            State::Window { .. } => self.advance(true),
        }
    }

    fn advance(&mut self, finish: bool) -> Result<String, TokenizerError> {
        let State::Window { tokenizer, ids, given } = &mut self.0 else { return Ok(String::new()) };
        let before = tokenizer.decode(&ids[..*given])?;
        let now = tokenizer.decode(ids)?;
        let overdue = ids.len() - *given >= PATIENCE;
        let Some(text) = now.get(before.len()..) else { return Ok(String::new()) };
        let complete = !text.is_empty() && !now.ends_with(char::REPLACEMENT_CHARACTER);
        if !(finish || overdue || complete) {
            return Ok(String::new());
        }
        let text = text.to_owned();
        ids.drain(..*given);
        *given = ids.len();
        Ok(text)
    }
}
