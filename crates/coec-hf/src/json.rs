//! The text of a `config.json`, as Python writes it.

use serde_json::{Map, Value};

use crate::HfError;

/// The settings as a map.
///
/// Python writes numbers that JSON has not: `NaN`, `Infinity` and `-Infinity`. They are read as these words, which
/// no setting that counts something takes for a number. A byte order mark in front says nothing.
pub(crate) fn settings(config: &str) -> Result<Map<String, Value>, HfError> {
    match serde_json::from_str(&strict(config.trim_start_matches('\u{feff}'))) {
        Ok(Value::Object(settings)) => Ok(settings),
        Ok(_) => Err(HfError::NotJson { reason: "it is a value of another type".into() }),
        Err(error) => Err(HfError::NotJson { reason: error.to_string() }),
    }
}

/// The same text with the words for numbers that JSON has not in quotes.
fn strict(text: &str) -> String {
    let mut strict = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(quote) = rest.find('"') {
        let (outside, string) = rest.split_at(quote);
        strict.push_str(&quoted(outside));
        let end = string_end(string);
        strict.push_str(&string[..end]);
        rest = &string[end..];
    }
    strict.push_str(&quoted(rest));
    strict
}

/// Where a string ends that begins a text.
fn string_end(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn quoted(outside: &str) -> String {
    let words = ["-Infinity", "Infinity", "NaN"];
    if !words.iter().any(|word| outside.contains(word)) {
        return outside.to_owned();
    }
    let positive = outside.replace("-Infinity", "\"-\u{0}\"").replace("Infinity", "\"Infinity\"");
    positive.replace("NaN", "\"NaN\"").replace("-\u{0}", "-Infinity")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_of_python_are_words() {
        let read = settings(
            "\u{feff}{\"a\": [0.0, Infinity, -Infinity], \"b\": NaN, \"NaN, \\\"NaN\": \"-Infinity\"}",
        );
        let expected = json!({"a": [0.0, "Infinity", "-Infinity"], "b": "NaN", "NaN, \"NaN": "-Infinity"});
        assert_eq!(Value::Object(read.unwrap()), expected);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["", "[]", "3", "{", "{\"a\": \"", "{\"a\": Infinit}", "\"{}\""] {
            assert!(matches!(settings(text), Err(HfError::NotJson { .. })), "{text}");
        }
    }
}
