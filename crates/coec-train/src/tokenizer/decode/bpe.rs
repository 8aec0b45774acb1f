//! A mark at the end of words: a space, but nothing at the end of the text.

use super::stage::{Assembly, Part, Stage};

/// The step `BPEDecoder`.
#[derive(Debug)]
pub(super) struct EndOfWord {
    mark: String,
    token: Assembly,
    /// The last token from its first mark on: what the mark stands for depends on whether another follows.
    held: Option<String>,
}

impl EndOfWord {
    pub fn new(mark: String) -> Self {
        Self { mark, token: Assembly::default(), held: None }
    }

    fn release(&mut self, mark: &str, out: &mut Vec<Part>) {
        out.extend(self.held.take().map(|held| Part::whole(held.replace(&self.mark, mark))));
    }
}

impl Stage for EndOfWord {
    fn push(&mut self, part: Part, out: &mut Vec<Part>) -> Result<(), String> {
        let Some(mut token) = self.token.token(part) else { return Ok(()) };
        self.release(" ", out);
        let held = token.split_off(token.find(&self.mark).unwrap_or(token.len()));
        out.push(Part::open(token));
        self.held = Some(held);
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Part>) -> Result<(), String> {
        self.release("", out);
        Ok(())
    }
}
