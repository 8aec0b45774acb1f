//! Models in another language: JSON, which a [`Loader`](crate::Loader) may know how to read.

use crate::error::ForeignError;
use crate::source::{SourceId, Span};

/// The file of a folder that is named as a spec: a Hugging Face model's settings.
pub const SETTINGS: &str = "config.json";

/// A model of another language, as a spec says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translated {
    /// The spec: one model.
    pub spec: String,
    /// What a reader of its figures should know.
    pub remarks: Vec<Remark>,
}

/// What there is to say about a text of another language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// A code that documentation has a section for.
    pub code: &'static str,
    /// What is so, in one sentence.
    pub message: String,
    /// What to do about it; empty if there is nothing to do.
    pub help: String,
    /// The setting it is about, as a dotted path: `rope_scaling.factor`.
    pub key: Option<String>,
}

/// Whether a text is a JSON object, by how it begins: no spec begins with a brace.
pub(crate) fn is_json(text: &str) -> bool {
    text.trim_start_matches(MARK).trim_start().starts_with('{')
}

/// A byte order mark.
const MARK: char = '\u{feff}';

impl Remark {
    /// The same with its place in the text.
    pub(crate) fn at(self, source: SourceId, text: &str, is_error: bool) -> ForeignError {
        let Self { code, message, help, key } = self;
        let at = place(source, text, key.as_deref());
        ForeignError::Said { code, is_error, message, help, at }
    }
}

/// Where a setting stands, or the object begins.
fn place(source: SourceId, text: &str, key: Option<&str>) -> Span {
    let start = text.find('{').unwrap_or(0);
    let mut found = (start, (start + 1).min(text.len()));
    for part in key.into_iter().flat_map(|key| key.split('.')) {
        let quoted = format!("\"{part}\"");
        let is_key = |at: &usize| text[at + quoted.len()..].trim_start().starts_with(':');
        let mut places = text[found.1..].match_indices(&quoted).map(|(at, _)| found.1 + at);
        match places.find(is_key) {
            Some(at) => found = (at, at + quoted.len()),
            None => break,
        }
    }
    Span::new(source, found.0, found.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_known_by_its_brace() {
        for text in ["{}", "\u{feff}{\"a\": 1}", " \n\t{"] {
            assert!(is_json(text), "{text}");
        }
        for text in ["", "model a { }", "// {", "coe(k=1)"] {
            assert!(!is_json(text), "{text}");
        }
    }

    #[test]
    fn settings_are_found_where_they_are_keys() {
        let text = r#"{"why": "factor", "rope_scaling": {"type": "yarn", "factor": 4}, "factor": 1}"#;
        let at = |key| {
            let span = place(SourceId(0), text, Some(key));
            (span.start as usize, &text[span.start as usize..span.end as usize])
        };
        assert_eq!(at("rope_scaling.factor"), (text.find("\"factor\": 4").unwrap(), "\"factor\""));
        assert_eq!(at("rope_scaling.none").1, "\"rope_scaling\"");
        assert_eq!(at("none"), (0, "{"));
    }
}
