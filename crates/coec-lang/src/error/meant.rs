//! What was probably meant, as text that takes the place of another.

use super::{Problem, ResolveError};
use crate::source::Span;

impl Problem {
    /// Texts of which each, in place of what a span covers, mends the error: every "did you mean" of the help. A string's
    /// span has its quotes.
    pub fn meant(&self) -> Vec<(Span, Meant)> {
        match self {
            Self::Resolve(error) => error.meant(),
            _ => Vec::new(),
        }
    }
}

/// What takes the place of a piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meant {
    /// A word or a number; inside quotes where it was a string.
    Word(String),
    /// The name of a model: all of a word, and of a string what stands behind its `#`.
    Model(String),
}

impl ResolveError {
    fn meant(&self) -> Vec<(Span, Meant)> {
        let word = |at: &Span, text: &str| vec![(*at, Meant::Word(text.into()))];
        match self {
            // A note knows better than a likeness what was meant.
            Self::UnknownField { note: Some(_), .. } => Vec::new(),
            Self::UnknownField { suggestion: Some(meant), at, .. }
            | Self::UnknownWord { suggestion: Some(meant), at, .. }
            | Self::UnknownFigure { suggestion: Some(meant), at, .. }
            | Self::UnknownCondition { suggestion: Some(meant), at, .. } => word(at, meant),
            Self::UnknownModel { suggestion: Some(meant), at, .. } => {
                vec![(*at, Meant::Model(meant.clone()))]
            }
            Self::SeveralModels { names, at, .. } => {
                names.iter().map(|name| (*at, Meant::Model(name.clone()))).collect()
            }
            Self::GateShared { at } => ["tied", "frozen"].map(|gate| (*at, Meant::Word(gate.into()))).into(),
            Self::NegativeNumber { number, at } if is_whole(number) => {
                let positive = number.trim_start_matches('-');
                word(at, if positive.is_empty() { "0" } else { positive })
            }
            Self::BytesUnit { number, at, .. } if is_whole(number) => word(at, number.trim_end_matches('B')),
            Self::ToleranceNotPercent { number, at } if is_whole(number) => word(at, &format!("{number}%")),
            _ => Vec::new(),
        }
    }
}

/// Whether a number is all that the text says, and not its beginning.
fn is_whole(number: &str) -> bool {
    !number.ends_with("...")
}
