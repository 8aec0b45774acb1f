//! A character cut off both ends of a token.

use super::stage::{Part, Stage};

/// The step `Strip`. The library panics on tokens with less than it would cut off both ends; here
/// nothing is left of them.
#[derive(Debug)]
pub(super) struct Strip {
    content: char,
    start: usize,
    stop: usize,
    /// Of the token so far: characters that may still be cut off its start.
    cuts: usize,
    /// Characters `content` at its end that may be cut off.
    held: usize,
}

impl Strip {
    pub fn new(content: char, start: usize, stop: usize) -> Self {
        Self { content, start, stop, cuts: start, held: 0 }
    }
}

impl Stage for Strip {
    fn push(&mut self, part: Part, out: &mut Vec<Part>) -> Result<(), String> {
        let mut text = String::with_capacity(part.text.len());
        for char in part.text.chars() {
            match char == self.content {
                true if self.cuts > 0 => self.cuts -= 1,
                true if self.held < self.stop => self.held += 1,
                // As many stay held, and one before them is in the middle.
                true => text.push(char),
                false => {
                    self.cuts = 0;
                    text.extend(std::iter::repeat_n(self.content, std::mem::take(&mut self.held)));
                    text.push(char);
                }
            }
        }
        if part.ends {
            (self.cuts, self.held) = (self.start, 0);
        }
        out.push(Part { text, ends: part.ends });
        Ok(())
    }
}
