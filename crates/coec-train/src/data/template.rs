//! Text with holes: `{question}\n{answer}`.

use std::path::Path;

use serde_json::{Map, Value};

use super::DataError;

/// A parsed template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template {
    parts: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(String),
    Field(String),
}

impl Template {
    /// Parses `{field}`, and `{{` and `}}` as braces.
    pub(crate) fn parse(template: &str) -> Result<Self, DataError> {
        let bad = |column, reason| DataError::BadTemplate { column, reason };
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut chars = template.chars().zip(1..).peekable();
        while let Some((char, column)) = chars.next() {
            let doubled = chars.peek().is_some_and(|&(next, _)| next == char);
            match char {
                '{' | '}' if doubled => {
                    chars.next();
                    text.push(char);
                }
                '}' => return Err(bad(column, "`}` closes nothing")),
                '{' => {
                    let mut field = String::new();
                    loop {
                        match chars.next() {
                            Some(('}', _)) => break,
                            Some(('{', inner)) => return Err(bad(inner, "`{` inside a field")),
                            Some((char, _)) => field.push(char),
                            None => return Err(bad(column, "`{` is never closed")),
                        }
                    }
                    if field.is_empty() {
                        return Err(bad(column, "a field without a name"));
                    }
                    if !text.is_empty() {
                        parts.push(Piece::Text(std::mem::take(&mut text)));
                    }
                    parts.push(Piece::Field(field));
                }
                _ => text.push(char),
            }
        }
        if !parts.iter().any(|part| matches!(part, Piece::Field(_))) {
            return Err(bad(1, "no field, so every line would give the same text"));
        }
        if !text.is_empty() {
            parts.push(Piece::Text(text));
        }
        Ok(Self { parts })
    }

    /// The text of one object; `path` and `line` say where it stands.
    pub(crate) fn fill(
        &self,
        object: &Map<String, Value>,
        path: &Path,
        line: usize,
    ) -> Result<String, DataError> {
        let mut text = String::new();
        for part in &self.parts {
            let field = match part {
                Piece::Text(part) => {
                    text.push_str(part);
                    continue;
                }
                Piece::Field(field) => field,
            };
            let not_scalar =
                |found| DataError::NotAScalar { path: path.to_owned(), line, field: field.clone(), found };
            match object.get(field) {
                Some(Value::String(value)) => text.push_str(value),
                Some(Value::Number(value)) => text.push_str(&value.to_string()),
                Some(Value::Bool(value)) => text.push_str(if *value { "true" } else { "false" }),
                Some(Value::Null) => {}
                Some(Value::Array(_)) => return Err(not_scalar("a list")),
                Some(Value::Object(_)) => return Err(not_scalar("an object")),
                None => {
                    let present = object.keys().cloned().collect();
                    let field = field.clone();
                    return Err(DataError::UnknownField { path: path.to_owned(), line, field, present });
                }
            }
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn fill(template: &str, object: Value) -> Result<String, DataError> {
        let Value::Object(object) = object else { panic!("not an object") };
        Template::parse(template)?.fill(&object, Path::new("f.jsonl"), 3)
    }

    #[test]
    fn fields_and_text_alternate() {
        let text = fill("Q: {q}\nA: {a}!", json!({"q": "two?", "a": "2"})).unwrap();
        assert_eq!(text, "Q: two?\nA: 2!");
    }

    #[test]
    fn scalars_are_plain() {
        let text = fill("{a} {b} {c} {d}|{e}", json!({"a": 7, "b": -0.5, "c": true, "d": "x", "e": null}));
        assert_eq!(text.unwrap(), "7 -0.5 true x|");
    }

    #[test]
    fn doubled_braces_are_braces() {
        assert_eq!(fill("{{{a}}}", json!({"a": 1})).unwrap(), "{1}");
    }

    #[test]
    fn values_are_not_templates() {
        assert_eq!(fill("{a}", json!({"a": "{b}"})).unwrap(), "{b}");
    }

    #[test]
    fn an_unknown_field_comes_with_those_present() {
        let error = fill("{questio}", json!({"question": "", "answer": ""})).unwrap_err();
        assert_eq!(error.code(), "coec::data::unknown_field");
        assert_eq!(error.to_string(), "f.jsonl:3: no field `questio`, which the template asks for");
        assert_eq!(error.help(), "the line has: answer, question");
    }

    #[test]
    fn lists_have_no_plain_text() {
        assert_eq!(fill("{a}", json!({"a": [1]})).unwrap_err().code(), "coec::data::not_a_scalar");
    }

    #[test]
    fn broken_templates_are_located() {
        for (template, column) in [("ab {q", 4), ("ab } c", 4), ("{}", 1), ("plain", 1), ("{a{b}", 3)] {
            let DataError::BadTemplate { column: found, .. } = Template::parse(template).unwrap_err() else {
                panic!("{template}")
            };
            assert_eq!(found, column, "{template}");
        }
    }

    proptest! {
        #[test]
        fn any_template_parses_or_explains(template in "[a{} é]{0,12}") {
            if let Err(error) = Template::parse(&template) {
                prop_assert_eq!(error.code(), "coec::data::bad_template");
            }
        }
    }
}
