//! JSON Lines: one object a line, put into a template.
//!
//! Each line is a document. Blank lines, and lines whose text comes out empty,
//! are passed over. Which documents are held out, [`is_held_out`](super::is_held_out) says.

use std::path::Path;

use serde_json::Value;

use super::template::Template;
use super::{Corpus, DataError, files, split};

/// Reads the files of a path or glob.
pub fn load(pattern: &str, template: &str, base: &Path) -> Result<Corpus, DataError> {
    let template = Template::parse(template)?;
    let mut documents = Vec::new();
    for path in files::resolve(pattern, base)? {
        let bytes = files::read(&path)?;
        for (bytes, line) in bytes.split(|&byte| byte == b'\n').zip(1..) {
            documents.extend(document(files::utf8(bytes, &path, line)?, &template, &path, line)?);
        }
    }
    if documents.is_empty() {
        return Err(DataError::Empty { pattern: pattern.to_owned() });
    }
    let (train, validation) = split::split(documents);
    Ok(Corpus { train, validation })
}

/// The document of one line, if it holds any text.
fn document(text: &str, template: &Template, path: &Path, line: usize) -> Result<Option<String>, DataError> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let value = serde_json::from_str(text).map_err(|error| broken(&error, text, path, line))?;
    let found = match value {
        Value::Object(object) => {
            let text = template.fill(&object, path, line)?;
            return Ok((!text.is_empty()).then_some(text));
        }
        Value::Array(_) => "a list",
        Value::String(_) => "a string",
        Value::Number(_) => "a number",
        Value::Bool(_) => "a truth value",
        Value::Null => "null",
    };
    Err(DataError::NotAnObject { path: path.to_owned(), line, found })
}

fn broken(error: &serde_json::Error, text: &str, path: &Path, line: usize) -> DataError {
    // serde_json counts columns in bytes and ends its message with the place.
    let upto = text.floor_char_boundary(error.column());
    let message = error.to_string();
    let reason = message.rsplit_once(" at line ").map_or(message.as_str(), |(reason, _)| reason);
    let column = text[..upto].chars().count().max(1);
    DataError::BrokenJson { path: path.to_owned(), line, column, reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::data::is_held_out;

    fn load_text(text: impl AsRef<[u8]>, template: &str) -> Result<Corpus, DataError> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.jsonl"), text).unwrap();
        load("a.jsonl", template, folder.path())
    }

    #[test]
    fn each_line_is_a_document() {
        let lines: String = (0..200).map(|i| format!("{{\"q\": \"q{i}\", \"a\": {i}}}\n")).collect();
        let corpus = load_text(lines, "{q}={a}").unwrap();
        assert_eq!(corpus.train.len() + corpus.validation.len(), 200);
        assert!(corpus.train.iter().all(|document| !is_held_out(document)));
        assert!(corpus.validation.iter().all(|document| is_held_out(document)));
        assert!(corpus.train.contains(&"q1=1".to_owned()) || corpus.validation.contains(&"q1=1".to_owned()));
    }

    #[test]
    fn broken_json_names_file_line_and_column() {
        let error = load_text("{\"a\": 1}\n\n{\"a\": \"é\" 2}\n", "{a}").unwrap_err();
        assert_eq!(error.code(), "coec::data::broken_json");
        assert!(error.to_string().contains("a.jsonl:3:11: broken JSON: expected `,` or `}`"), "{error}");
    }

    #[test]
    fn a_torn_last_line_is_broken_json() {
        let error = load_text("{\"a\": 1}\n{\"a\": \"xy", "{a}").unwrap_err();
        assert!(error.to_string().contains("a.jsonl:2:9: broken JSON: EOF"), "{error}");
    }

    #[test]
    fn a_list_is_not_an_object() {
        let error = load_text("[1, 2]\n", "{a}").unwrap_err();
        assert_eq!(error.code(), "coec::data::not_an_object");
    }

    #[test]
    fn deep_nesting_is_broken_json() {
        let error = load_text("[".repeat(100_000), "{a}").unwrap_err();
        assert_eq!(error.code(), "coec::data::broken_json");
    }

    #[test]
    fn windows_line_ends_and_blank_lines_are_fine() {
        let corpus = load_text("{\"a\": 1}\r\n\r\n{\"a\": 2}\r\n", "{a}").unwrap();
        assert_eq!(corpus.train.len() + corpus.validation.len(), 2);
    }

    #[test]
    fn bad_utf8_names_its_line() {
        let error = load_text(b"{\"a\": 1}\n{\"a\": \"\xFF\"}\n", "{a}").unwrap_err();
        assert!(error.to_string().contains("a.jsonl:2:8: not valid UTF-8"), "{error}");
    }

    #[test]
    fn lines_without_text_are_an_empty_data_set() {
        assert_eq!(load_text("\n{\"a\": \"\"}\n", "{a}").unwrap_err().code(), "coec::data::empty");
    }
}
