//! One text in place of another.

use crate::overlap::overlap;

use super::stage::{Part, Stage};

/// The step `Replace` by a text that is not empty.
#[derive(Debug)]
pub(super) struct Literal {
    pattern: String,
    content: String,
    /// The end of the token so far that may become the pattern.
    held: String,
}

impl Literal {
    pub fn new(pattern: String, content: String) -> Self {
        Self { pattern, content, held: String::new() }
    }
}

impl Stage for Literal {
    fn push(&mut self, part: Part, out: &mut Vec<Part>) -> Result<(), String> {
        let token = std::mem::take(&mut self.held) + &part.text;
        let mut text = String::with_capacity(token.len());
        let mut rest = token.as_str();
        while let Some((before, after)) = rest.split_once(&self.pattern) {
            text.push_str(before);
            text.push_str(&self.content);
            rest = after;
        }
        let kept = if part.ends { 0 } else { overlap(rest, &self.pattern) };
        let (given, held) = rest.split_at(rest.len() - kept);
        text.push_str(given);
        self.held.push_str(held);
        out.push(Part { text, ends: part.ends });
        Ok(())
    }
}
