//! Why a file cannot be read.

use super::{Labels, errors};
use crate::source::Span;

errors! {
    /// Why a file cannot be read. `at` is where it is named, or for an empty file the file itself.
    ReadError {
        /// There is no such file.
        #[error("there is no file `{path}`")]
        NotFound { path: String, at: Span } => "coec::read::not_found",
        /// The file exists and cannot be read.
        #[error("`{path}` cannot be read: {reason}")]
        Unreadable { path: String, reason: String, at: Span } => "coec::read::unreadable",
        /// More text than a spec may have.
        #[error("`{path}` is larger than a spec may be")]
        TooLarge { path: String, limit: usize, at: Span } => "coec::read::too_large",
        /// Bytes that are no text.
        #[error("`{path}` is not UTF-8 text: byte {offset} is {byte:#04x}")]
        NotUtf8 { path: String, offset: usize, byte: u8, at: Span } => "coec::read::not_utf8",
        /// Nothing but white space and comments.
        #[error("`{path}` is empty")]
        Empty { path: String, at: Span } => "coec::read::empty",
    }
}

impl ReadError {
    pub fn labels(&self) -> Labels {
        let (at, label) = match self {
            Self::NotFound { at, .. } => (at, "no such file".into()),
            Self::Unreadable { at, .. } => (at, "cannot be read".into()),
            Self::TooLarge { at, limit, .. } => (at, format!("larger than {limit} bytes")),
            Self::NotUtf8 { at, offset, .. } => (at, format!("no text at byte {offset}")),
            Self::Empty { at, .. } => (at, "expected a model".into()),
        };
        vec![(*at, label)]
    }

    pub fn help(&self) -> String {
        match self {
            Self::NotFound { .. } => {
                "paths are relative to the file they stand in; a model can also be named \
                in the paper's notation, as in `CoE-2(4/64)`"
                    .into()
            }
            Self::Unreadable { .. } => "check that it is a file and that you may read it".into(),
            Self::TooLarge { .. } => "split the file; `extends` and `file.coe#name` reach other files".into(),
            Self::NotUtf8 { .. } => "save the file as UTF-8".into(),
            Self::Empty { .. } => {
                "the shortest spec is one block: `coe(iter=2, k=4, experts=64, residual=inner)`".into()
            }
        }
    }
}
