//! Text with holes: `{question}\n{answer}`.

use super::json::{Fields, Value, string};
use super::record::{BadRecord, Document};
use crate::data::DataError;

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

    /// The document of one record. Where the template has several fields, what stands from the last on
    /// is the completion.
    pub(crate) fn fill(&self, fields: &Fields<'_>) -> Result<Document, BadRecord> {
        let last = self.parts.iter().rposition(|part| matches!(part, Piece::Field(_))).unwrap_or(0);
        let has_prompt = self.parts[..last].iter().any(|part| matches!(part, Piece::Field(_)));
        let (mut text, mut completion) = (String::new(), 0);
        for (at, part) in self.parts.iter().enumerate() {
            if at == last && has_prompt {
                completion = text.len();
            }
            match part {
                Piece::Text(part) => text.push_str(part),
                Piece::Field(field) => push(&mut text, field, fields)?,
            }
        }
        Ok(Document { learnt: std::iter::once(completion..text.len()).collect(), text })
    }

    /// The fields that it takes.
    pub(crate) fn fields(&self) -> Vec<&str> {
        let fields = self.parts.iter().filter_map(|part| match part {
            Piece::Text(_) => None,
            Piece::Field(field) => Some(field.as_str()),
        });
        fields.collect()
    }

    /// The template as a spec writes it.
    pub(crate) fn text(&self) -> String {
        let escaped = |text: &str| text.replace('{', "{{").replace('}', "}}");
        let parts = self.parts.iter().map(|part| match part {
            Piece::Text(text) => escaped(text),
            Piece::Field(field) => format!("{{{field}}}"),
        });
        parts.collect()
    }
}

/// Adds the plain text of a field's value. Numbers stay as they are written.
pub(crate) fn push(text: &mut String, field: &str, fields: &Fields<'_>) -> Result<(), BadRecord> {
    let not_plain =
        |value: Value<'_>| Err(BadRecord::NotAScalar { field: field.to_owned(), found: value.kind() });
    match fields.get(field) {
        Some(Value::Text(raw)) => match string(raw) {
            Ok(value) => text.push_str(&value),
            Err(reason) => return Err(BadRecord::BadText { field: field.to_owned(), reason }),
        },
        Some(Value::Number(raw) | Value::Flag(raw)) => text.push_str(raw),
        Some(Value::Null) => {}
        Some(value @ (Value::List(_) | Value::Object(_) | Value::NotJson(_))) => return not_plain(value),
        None => {
            let mut present: Vec<String> = fields.names().map(str::to_owned).collect();
            present.sort_unstable();
            return Err(BadRecord::UnknownField { field: field.to_owned(), present });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fill(template: &str, record: &str) -> Result<String, BadRecord> {
        Template::parse(template).unwrap().fill(&Fields::of(record).unwrap()).map(|document| document.text)
    }

    #[test]
    fn fields_and_text_alternate() {
        assert_eq!(fill("Q: {q}\nA: {a}!", r#"{"q": "two?", "a": "2"}"#).unwrap(), "Q: two?\nA: 2!");
    }

    #[test]
    fn scalars_are_plain_and_numbers_as_they_are_written() {
        let record = r#"{"a": 7.50, "b": -1e3, "c": true, "d": "x\n", "e": null, "f": 12345678901234567890}"#;
        assert_eq!(
            fill("{a} {b} {c} {d}|{e}|{f}", record).unwrap(),
            "7.50 -1e3 true x\n||12345678901234567890"
        );
    }

    #[test]
    fn doubled_braces_are_braces() {
        assert_eq!(fill("{{{a}}}", r#"{"a": 1}"#).unwrap(), "{1}");
        assert_eq!(Template::parse("{{{a}}}").unwrap().text(), "{{{a}}}");
    }

    #[test]
    fn values_are_not_templates() {
        assert_eq!(fill("{a}", r#"{"a": "{b}"}"#).unwrap(), "{b}");
    }

    #[test]
    fn an_unknown_field_comes_with_those_present() {
        let error = fill("{questio}", r#"{"question": "", "answer": ""}"#).unwrap_err();
        let present = vec!["answer".to_owned(), "question".to_owned()];
        assert_eq!(error, BadRecord::UnknownField { field: "questio".into(), present });
    }

    #[test]
    fn lists_and_what_json_has_not_have_no_plain_text() {
        for record in [r#"{"a": [1]}"#, r#"{"a": {}}"#, r#"{"a": NaN}"#, r#"{"a": "\ud800"}"#] {
            assert!(fill("{a}", record).is_err(), "{record}");
        }
    }

    #[test]
    fn the_last_of_several_fields_is_the_completion() {
        let of = |template: &str| {
            let fields = Fields::of(r#"{"q": "ab", "a": "cd"}"#).unwrap();
            Template::parse(template).unwrap().fill(&fields).unwrap().learnt
        };
        assert_eq!(of("Q {q} A {a}!").first(), Some(&(7..10)));
        assert_eq!(of("Q {q}").first(), Some(&(0..4)));
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
