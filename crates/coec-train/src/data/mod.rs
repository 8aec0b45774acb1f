//! Text to learn from: where it comes from, what is held out, and how it is cut
//! into sequences.
//!
//! [`load`] reads what a spec names into a [`Corpus`] of documents, a training
//! and a validation part that share none. [`Tokens`] is a part as one run of
//! tokens; [`TrainBatches`] and [`ValidationBatches`] cut it into sequences, any
//! batch a function of (seed, step) alone.

mod arithmetic;
mod error;
mod files;
mod jsonl;
mod packed;
mod sequences;
mod split;
mod stream;
mod template;
mod text;

use std::path::Path;

use crate::fingerprint::{Fingerprint, Fingerprinter};

pub use arithmetic::{Problem, problem, problems};
pub use error::{DataError, Part};
pub use files::absolute;
pub use packed::{Batch, Tokens, TrainBatches, ValidationBatches};
pub use sequences::Sequences;
pub use split::is_held_out;
pub use stream::{Purpose, Stream};

/// The names of the built-in data sets.
pub const BUILTINS: &[&str] = &["arithmetic"];

/// Documents to learn from, and documents to be measured on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Corpus {
    /// What is learned from.
    pub train: Vec<String>,
    /// What is held out.
    pub validation: Vec<String>,
}

impl Corpus {
    /// Of all documents, in their order, and of which are held out.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut made = Fingerprinter::default();
        for part in [&self.train, &self.validation] {
            made.mark(part.len());
            for document in part {
                // The length too, so that the same text cut elsewhere is other data.
                made.mark(document.len());
                made.add(document.as_bytes());
            }
        }
        made.finish()
    }
}

/// Reads the data of a spec. Paths are relative to `base`, the folder of the file they stand in.
pub fn load(data: &coec_ir::Data, base: &Path) -> Result<Corpus, DataError> {
    match data {
        coec_ir::Data::Builtin { name } if name == "arithmetic" => Ok(arithmetic::corpus()),
        coec_ir::Data::Builtin { name } => {
            Err(DataError::UnknownBuiltin { name: name.clone(), known: BUILTINS })
        }
        coec_ir::Data::Text { glob } => text::load(glob, base),
        coec_ir::Data::Jsonl { glob, template } => jsonl::load(glob, template, base),
    }
}

/// All documents of a spec's data, nothing held out; a file of plain text is one.
pub fn documents(data: &coec_ir::Data, base: &Path) -> Result<Vec<String>, DataError> {
    let documents = match data {
        coec_ir::Data::Text { glob } => text::files(glob, base)?,
        _ => {
            let Corpus { mut train, validation } = load(data, base)?;
            train.extend(validation);
            train
        }
    };
    Ok(documents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_builtin_lists_those_there_are() {
        let data = coec_ir::Data::Builtin { name: "algebra".into() };
        let error = load(&data, Path::new(".")).unwrap_err();
        assert_eq!(error.code(), "coec::data::unknown_builtin");
        assert_eq!(error.help(), "built-in data sets: arithmetic");
    }

    #[test]
    fn a_corpus_is_its_documents_in_order_and_their_sides() {
        let of = |train: &[&str], validation: &[&str]| {
            let part = |part: &[&str]| part.iter().map(|text| (*text).to_owned()).collect();
            Corpus { train: part(train), validation: part(validation) }.fingerprint()
        };
        let base = of(&["ab", "c"], &["d"]);
        assert_eq!(base, of(&["ab", "c"], &["d"]));
        for other in [of(&["a", "bc"], &["d"]), of(&["c", "ab"], &["d"]), of(&["ab"], &["c", "d"])] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn every_builtin_loads() {
        for name in BUILTINS {
            let data = coec_ir::Data::Builtin { name: (*name).into() };
            assert!(!load(&data, Path::new(".")).unwrap().train.is_empty());
        }
    }
}
