//! Tokens joined, with nothing or with a space between them.

use super::stage::{Part, Stage};

/// The step `Fuse`: all tokens become one.
#[derive(Debug, Default)]
pub(super) struct Fuse;

impl Stage for Fuse {
    fn push(&mut self, part: Part, out: &mut Vec<Part>) -> Result<(), String> {
        out.push(Part::open(part.text));
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Part>) -> Result<(), String> {
        out.push(Part::whole(""));
        Ok(())
    }
}

/// A space before each token but the first: what a tokenizer without a decoder does.
#[derive(Debug, Default)]
pub(super) struct Spaced {
    is_later: bool,
}

impl Stage for Spaced {
    fn push(&mut self, part: Part, out: &mut Vec<Part>) -> Result<(), String> {
        if std::mem::replace(&mut self.is_later, true) {
            out.push(Part::open(" "));
        }
        out.push(part);
        Ok(())
    }
}
