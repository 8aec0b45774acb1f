//! What is allowed and still worth a word.

use super::{Labels, errors};
use crate::source::Span;

errors! {
    /// What is allowed and still worth a word.
    Advice {
        /// A name in the paper's notation on a model that is another.
        #[error("`{name}` is not the paper's {paper}: it has {found}, the paper's has {expected}")]
        PaperName { name: String, paper: String, found: String, expected: String, block: String, at: Span } => "coec::advice::paper_name",
    }
}

impl Advice {
    pub fn labels(&self) -> Labels {
        match self {
            Self::PaperName { at, found, .. } => vec![(*at, found.clone())],
        }
    }

    pub fn help(&self) -> String {
        match self {
            Self::PaperName { block, .. } => format!(
                "the paper counts the shared expert into the last number; its model is `{block}`. \
                 Both are fine: choose the one you mean"
            ),
        }
    }
}
