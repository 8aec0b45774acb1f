//! What a model in another language says that is wrong, or worth a word.

use super::Labels;
use crate::source::Span;

/// What whoever translated a model says of it. The codes are theirs.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum ForeignError {
    /// An error, or advice.
    #[error("{message}")]
    Said { code: &'static str, is_error: bool, message: String, help: String, at: Span },
}

impl ForeignError {
    pub fn code(&self) -> &'static str {
        let Self::Said { code, .. } = self;
        code
    }

    pub fn labels(&self) -> Labels {
        let Self::Said { at, .. } = self;
        vec![(*at, "here".into())]
    }

    pub fn help(&self) -> String {
        let Self::Said { help, .. } = self;
        help.clone()
    }

    /// Whether nothing can be made of the text.
    pub fn is_error(&self) -> bool {
        let Self::Said { is_error, .. } = self;
        *is_error
    }
}
