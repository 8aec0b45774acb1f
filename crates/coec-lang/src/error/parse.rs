//! Why a text has not the shape of a spec.

use super::{Labels, errors};
use crate::source::Span;

errors! {
    /// Why a text has not the shape of a spec.
    ParseError {
        /// Something else was expected here.
        #[error("expected {expected}, found {found}")]
        Syntax { expected: String, found: String, help: String, at: Span } => "coec::parse::syntax",
        /// More brackets inside each other than any spec needs.
        #[error("brackets nest more than {limit} levels deep")]
        NestedTooDeep { limit: usize, at: Span } => "coec::parse::nested_too_deep",
        /// A string without an end on its line.
        #[error("this string does not end")]
        UnterminatedString { at: Span } => "coec::parse::unterminated_string",
        /// A `/*` without `*/`.
        #[error("this comment does not end")]
        UnterminatedComment { at: Span } => "coec::parse::unterminated_comment",
        /// An opening bracket without a closing one.
        #[error("`{bracket}` is never closed")]
        UnclosedBracket { bracket: char, expected: char, at: Span } => "coec::parse::unclosed_bracket",
        /// A closing bracket without its opening one.
        #[error("`{bracket}` closes nothing")]
        UnmatchedBracket { bracket: char, expected: Option<(char, Span)>, at: Span } => "coec::parse::unmatched_bracket",
        /// A backslash before a character that has no escape.
        #[error("`\\{escape}` is no escape")]
        UnknownEscape { escape: char, at: Span } => "coec::parse::unknown_escape",
        /// A block on its own beside other items.
        #[error("a block on its own must be all there is in a file")]
        BlockNotAlone { word: String, at: Span } => "coec::parse::block_not_alone",
    }
}

impl ParseError {
    pub fn labels(&self) -> Labels {
        let (at, label) = match self {
            Self::Syntax { at, expected, .. } => (at, format!("expected {expected}")),
            Self::NestedTooDeep { at, .. } => (at, "one level too many".into()),
            Self::UnterminatedString { at } => (at, "begins here".into()),
            Self::UnterminatedComment { at } => (at, "begins here".into()),
            Self::UnclosedBracket { at, expected, .. } => (at, format!("no `{expected}` follows")),
            Self::UnmatchedBracket { at, expected, .. } => match expected {
                Some((close, open)) => {
                    return vec![(*at, format!("expected `{close}`")), (*open, "to close this".into())];
                }
                None => (at, "nothing is open here".into()),
            },
            Self::UnknownEscape { at, .. } => (at, "unknown escape".into()),
            Self::BlockNotAlone { at, .. } => (at, "not the only item of the file".into()),
        };
        vec![(*at, label)]
    }

    pub fn help(&self) -> String {
        match self {
            Self::Syntax { help, .. } => help.clone(),
            Self::NestedTooDeep { .. } => "no block of the language nests deeper than five".into(),
            Self::UnterminatedString { .. } => {
                "close it with `\"` on the same line; a line break is `\\n`".into()
            }
            Self::UnterminatedComment { .. } => "close it with `*/`".into(),
            Self::UnclosedBracket { expected, .. } => format!("add a `{expected}`"),
            Self::UnmatchedBracket { bracket, expected, .. } => match expected {
                Some((close, _)) => format!("write `{close}` here, or open a bracket for `{bracket}`"),
                None => format!("remove this `{bracket}`, or open a bracket for it"),
            },
            Self::UnknownEscape { .. } => "the escapes are `\\\"`, `\\\\`, `\\n`, `\\t` and `\\r`".into(),
            Self::BlockNotAlone { word, .. } => format!("write `model NAME {{ ffn = {word}(...) }}`"),
        }
    }
}
