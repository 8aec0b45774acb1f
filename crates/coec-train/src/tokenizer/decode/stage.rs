//! What the steps of a decoder have in common.

use std::fmt::Debug;

/// Some text of a token on its way.
///
/// A token may come in several parts: one that was fused out of all tokens ends with the last of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub text: String,
    /// Whether the token ends here.
    pub ends: bool,
}

impl Part {
    /// A token in one part.
    pub fn whole(text: impl Into<String>) -> Self {
        Self { text: text.into(), ends: true }
    }

    /// A part that others follow.
    pub fn open(text: impl Into<String>) -> Self {
        Self { text: text.into(), ends: false }
    }
}

/// A step of a decoder.
pub(super) trait Stage: Debug + Send {
    /// Takes a part, and gives to `out` what no later one can change.
    fn push(&mut self, part: Part, out: &mut Vec<Part>) -> Result<(), String>;

    /// Gives what was held back: there are no more tokens.
    fn finish(&mut self, _out: &mut Vec<Part>) -> Result<(), String> {
        Ok(())
    }
}

/// Puts parts together, for the steps that need whole tokens.
#[derive(Debug, Default)]
pub(super) struct Assembly(String);

impl Assembly {
    /// The token that `part` completes.
    pub fn token(&mut self, part: Part) -> Option<String> {
        if !part.ends {
            self.0.push_str(&part.text);
            return None;
        }
        let start = std::mem::take(&mut self.0);
        Some(if start.is_empty() { part.text } else { start + &part.text })
    }
}
