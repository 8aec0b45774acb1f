//! What a record becomes, or why it does not.

use std::ops::Range;

/// A document, and which of its bytes are learnt where only completions are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Document {
    pub text: String,
    pub learnt: Vec<Range<usize>>,
}

impl Document {
    /// A text all of which is learnt.
    pub fn whole(text: String) -> Self {
        Self { learnt: std::iter::once(0..text.len()).collect(), text }
    }
}

/// What is wrong with a record by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BadRecord {
    UnknownField { field: String, present: Vec<String> },
    NotAScalar { field: String, found: &'static str },
    BadText { field: String, reason: String },
    NotAConversation { reason: String },
}
