//! Steps that make of each token something of its own: WordPiece, and Replace by a regular expression.

use tokenizers::Decoder;
use tokenizers::decoders::DecoderWrapper;

use super::super::hf::guard;
use super::stage::{Assembly, Part, Stage};

/// A decoder of the library that looks at one token, and at whether it is the first.
#[derive(Debug)]
pub(super) struct Alone {
    decoder: DecoderWrapper,
    token: Assembly,
    is_first: bool,
}

impl Alone {
    pub fn new(decoder: DecoderWrapper) -> Self {
        Self { decoder, token: Assembly::default(), is_first: true }
    }
}

impl Stage for Alone {
    fn push(&mut self, part: Part, out: &mut Vec<Part>) -> Result<(), String> {
        let Some(token) = self.token.token(part) else { return Ok(()) };
        // One that is not the first stands behind an empty one.
        let before = (!self.is_first).then(String::new);
        self.is_first = false;
        let tokens = before.into_iter().chain([token]).collect();
        let made = guard(|| self.decoder.decode_chain(tokens))?;
        out.extend(made.into_iter().next_back().map(Part::whole));
        Ok(())
    }
}
