//! What can be wrong with data.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::tokenizer::TokenizerError;

/// Data that cannot be read, parsed or packed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// A generator that does not exist.
    #[error("there is no built-in data set named `{name}`")]
    UnknownBuiltin {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: &'static [&'static str],
    },
    /// A pattern that is not a glob.
    #[error("`{pattern}` is not a valid path pattern: {reason}")]
    BadGlob {
        /// The pattern as written.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No file of that name.
    #[error("no file matches `{pattern}` in {}", base.display())]
    NoMatch {
        /// The pattern as written.
        pattern: String,
        /// The folder it is relative to.
        base: PathBuf,
    },
    /// A folder, a device or another thing that is not a file.
    #[error("{} is not a file", path.display())]
    NotAFile {
        /// Its path.
        path: PathBuf,
    },
    /// The system refuses to read a file.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file in a form that is no text.
    #[error("{} is {found}", path.display())]
    NotText {
        /// Its path.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// A file that is not text.
    #[error("{}:{line}:{column}: not valid UTF-8", path.display())]
    NotUtf8 {
        /// Its path.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
    },
    /// A line that is not JSON.
    #[error("{}:{line}:{column}: broken JSON: {reason}", path.display())]
    BrokenJson {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What the parser expected.
        reason: String,
    },
    /// A line that is JSON, but not an object.
    #[error("{}:{line}: expected a JSON object, found {found}", path.display())]
    NotAnObject {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What stands there instead.
        found: &'static str,
    },
    /// The template names a field that a line does not have.
    #[error("{}:{line}: no field `{field}`, which the template asks for", path.display())]
    UnknownField {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The field asked for.
        field: String,
        /// The fields of that line.
        present: Vec<String>,
    },
    /// A field that is a list or an object.
    #[error("{}:{line}: field `{field}` is {found}, which has no plain text", path.display())]
    NotAScalar {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The field.
        field: String,
        /// What it holds.
        found: &'static str,
    },
    /// A string that is none of Unicode.
    #[error("{}:{line}: field `{field}` cannot be read: {reason}", path.display())]
    BadText {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The field.
        field: String,
        /// What a parser says of it.
        reason: String,
    },
    /// A conversation without messages as they should be.
    #[error("{}:{line}: no conversation: {reason}", path.display())]
    NotAConversation {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// Several broken records.
    #[error("{count} records are broken:\n{}", listed(problems, *count))]
    Records {
        /// What is wrong with them, the first of them by name.
        problems: Vec<DataError>,
        /// How many there are.
        count: u64,
    },
    /// Records whose fields no template is known for.
    #[error("no template is known for records of {}", present.join(", "))]
    NoForm {
        /// The fields of the first record.
        present: Vec<String>,
    },
    /// The cache of tokens cannot be used.
    #[error("cannot use the cache of tokens at {}", path.display())]
    Cache {
        /// The place.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A tokenizer that gave up on learning.
    #[error("the tokenizer that was to be learnt gave up")]
    Learner,
    /// Text that cannot become tokens.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// A template that cannot be read.
    #[error("template, column {column}: {reason}")]
    BadTemplate {
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// Files, but no text in them.
    #[error("`{pattern}` holds no text")]
    Empty {
        /// The pattern as written.
        pattern: String,
    },
    /// Too few tokens for one sequence.
    #[error("the {part} part has {tokens} tokens, and one sequence needs {needed}")]
    TooSmall {
        /// Which part.
        part: Part,
        /// Tokens there are.
        tokens: usize,
        /// Tokens one sequence takes, its last target included.
        needed: usize,
    },
}

/// Problems one below the other.
fn listed(problems: &[DataError], count: u64) -> String {
    let mut lines: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
    if count > problems.len() as u64 {
        lines.push(format!("  and {} more", count - problems.len() as u64));
    }
    lines.join("\n")
}

/// A part of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What is learned from.
    Train,
    /// What is held out.
    Validation,
    /// A text to be measured on, all of it.
    Measured,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Train => "training",
            Self::Validation => "validation",
            Self::Measured => "measured",
        })
    }
}

impl DataError {
    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownBuiltin { .. } => "coec::data::unknown_builtin",
            Self::BadGlob { .. } => "coec::data::bad_glob",
            Self::NoMatch { .. } => "coec::data::no_match",
            Self::NotAFile { .. } => "coec::data::not_a_file",
            Self::Unreadable { .. } => "coec::data::unreadable",
            Self::NotText { .. } => "coec::data::not_text",
            Self::NotUtf8 { .. } => "coec::data::not_utf8",
            Self::BrokenJson { .. } => "coec::data::broken_json",
            Self::NotAnObject { .. } => "coec::data::not_an_object",
            Self::UnknownField { .. } => "coec::data::unknown_field",
            Self::NotAScalar { .. } => "coec::data::not_a_scalar",
            Self::BadText { .. } => "coec::data::bad_text",
            Self::NotAConversation { .. } => "coec::data::not_a_conversation",
            Self::Records { .. } => "coec::data::records",
            Self::NoForm { .. } => "coec::data::no_form",
            Self::Cache { .. } => "coec::data::cache",
            Self::Learner => "coec::data::learner",
            Self::Tokenizer(error) => error.code(),
            Self::BadTemplate { .. } => "coec::data::bad_template",
            Self::Empty { .. } => "coec::data::empty",
            Self::TooSmall { .. } => "coec::data::too_small",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::UnknownBuiltin { known, .. } => format!("built-in data sets: {}", known.join(", ")),
            Self::BadGlob { .. } => {
                "`*` stands for any name, `**` for any folders, `[ab]` for one of these".into()
            }
            Self::NoMatch { .. } => "paths are relative to the file they stand in".into(),
            Self::NotAFile { .. } => "name a file, or the files of a folder with `folder/*`".into(),
            Self::Unreadable { .. } => "check that it is there, and its permissions".into(),
            Self::NotUtf8 { .. } => "convert the file to text in UTF-8".into(),
            Self::NotText { .. } => "a spec reads it with `parquet(...)`, and --data finds out by itself".into(),
            Self::BrokenJson { .. } | Self::NotAnObject { .. } => {
                "JSON Lines holds one complete JSON object on each line".into()
            }
            Self::UnknownField { present, .. } if present.is_empty() => "the line has no fields".into(),
            Self::UnknownField { present, .. } => format!("the line has: {}", present.join(", ")),
            Self::NotAScalar { .. } => {
                "templates take strings, numbers, true, false and null (as nothing)".into()
            }
            Self::BadText { .. } => "mend the record, or leave it out with `--set train.on_error=skip`".into(),
            Self::NotAConversation { .. } => {
                "`messages` is a list of objects with `role` and `content`, both strings".into()
            }
            Self::Records { .. } => "mend them, or leave them out with `--set train.on_error=skip`".into(),
            Self::NoForm { .. } => {
                "say how a record becomes text, for example `template=\"{title}\\n{body}\"`; known without one \
                 are text, content, messages, question and answer, prompt and completion"
                    .into()
            }
            Self::Cache { .. } => "name another folder with COEC_CACHE, or make room there".into(),
            Self::Learner => "this is a bug of coec; please report it".into(),
            Self::Tokenizer(error) => error.help(),
            Self::BadTemplate { .. } => {
                "`{field}` stands for the field's value; `{{` and `}}` for the braces themselves".into()
            }
            Self::Empty { .. } => "add text, or name other files".into(),
            Self::TooSmall { .. } => "add text, or train with a smaller context".into(),
        }
    }
}
