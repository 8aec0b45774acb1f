//! A prompt and what continues it, decoded as one text.

use super::super::{Tokenizer, TokenizerError};
use super::Decoder;

/// Turns the tokens behind a prompt into text as they come.
///
/// The text of both together is what the tokenizer decodes, and what counts as the continuation's is
/// that text without the prompt's own: a continuation decoded alone would lose the space between them.
#[derive(Debug)]
pub struct Continuation<'a> {
    decoder: Decoder<'a>,
    opening: String,
    /// What the prompt alone would end with: text that was held back since a next token may change it.
    awaited: String,
}

/// Text that can no longer change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Piece {
    /// The prompt's, held back until now.
    pub prompt: String,
    /// The continuation's, which stands behind it.
    pub text: String,
}

impl<'a> Continuation<'a> {
    pub(in crate::tokenizer) fn new(
        tokenizer: &'a Tokenizer,
        prompt: &[u32],
    ) -> Result<Self, TokenizerError> {
        let (mut decoder, mut alone) = (tokenizer.decoder(), tokenizer.decoder());
        let mut opening = String::new();
        for &id in prompt {
            opening += &decoder.push(id)?;
            alone.push(id)?;
        }
        Ok(Self { decoder, opening, awaited: alone.finish()? })
    }

    /// The prompt's text, as far as nothing behind it can change it.
    pub fn opening(&self) -> &str {
        &self.opening
    }

    /// What `id` completes.
    pub fn push(&mut self, id: u32) -> Result<Piece, TokenizerError> {
        let text = self.decoder.push(id)?;
        Ok(divided(&mut self.awaited, text))
    }

    /// What was held back.
    pub fn finish(mut self) -> Result<Piece, TokenizerError> {
        let text = self.decoder.finish()?;
        Ok(divided(&mut self.awaited, text))
    }
}

/// Divides `text` where the prompt's own, of which `awaited` is to come, ends or is another.
fn divided(awaited: &mut String, text: String) -> Piece {
    let alike =
        text.chars().zip(awaited.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
    let (prompt, rest) = text.split_at(alike);
    match rest.is_empty() {
        true => drop(awaited.drain(..alike)),
        false => awaited.clear(),
    }
    Piece { prompt: prompt.to_owned(), text: rest.to_owned() }
}
