//! What `coec_ir` found wrong, and where in the text.

use coec_ir::Violation;

use super::Labels;
use crate::source::Span;

/// A violation with its place in the text.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", self.message())]
pub(crate) struct VerifyError {
    pub violation: Violation,
    /// The field as the user would name it: `ffn.k`.
    pub field: String,
    pub at: Span,
    /// Whether the field was left out, so that `at` is the block around it.
    pub defaulted: bool,
}

impl VerifyError {
    pub fn code(&self) -> &'static str {
        self.violation.kind.code()
    }

    fn message(&self) -> String {
        format!("`{}`: {}", self.field, self.violation.kind.message())
    }

    pub fn labels(&self) -> Labels {
        let label = self.violation.kind.label();
        let label = if self.defaulted { format!("`{}` was left out: {label}", self.field) } else { label };
        vec![(self.at, label)]
    }

    pub fn help(&self) -> String {
        self.violation.kind.help()
    }
}
