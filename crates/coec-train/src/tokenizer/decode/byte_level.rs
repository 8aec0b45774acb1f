//! Tokens whose characters are bytes, by GPT-2's table.

use super::super::bytes::{self, Utf8Stream};
use super::stage::{Assembly, Part, Stage};

/// The step `ByteLevel`: the bytes of all tokens become one.
#[derive(Debug, Default)]
pub(super) struct ByteLevel {
    token: Assembly,
    stream: Utf8Stream,
}

impl Stage for ByteLevel {
    fn push(&mut self, part: Part, out: &mut Vec<Part>) -> Result<(), String> {
        if let Some(token) = self.token.token(part) {
            out.push(Part::open(self.stream.push(&bytes::of_token(&token))));
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Part>) -> Result<(), String> {
        out.push(Part::whole(self.stream.finish()));
        Ok(())
    }
}
