//! A line of JSON, taken apart into the fields of its object without reading more than is asked for.
//!
//! What nobody uses need only be skippable: a lone surrogate or a NaN in it, which Python's `json` writes,
//! is no mistake. What is used is read as JSON says it.

use serde::de::IgnoredAny;

/// The fields of an object as they stand in a line: names, and the text of their values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fields<'a> {
    fields: Vec<(String, &'a str)>,
}

/// Why a line is not a JSON object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoObject {
    /// It is JSON, and this.
    Other(&'static str),
    /// It is broken at this byte.
    Broken {
        /// From the start of the line.
        at: usize,
        /// What a parser says.
        reason: String,
    },
}

/// A value of a field, its text as it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    /// A string, quotes and escapes included.
    Text(&'a str),
    /// A number as it is written.
    Number(&'a str),
    /// `true` or `false`.
    Flag(&'a str),
    /// `null`.
    Null,
    /// `[...]`.
    List(&'a str),
    /// `{...}`.
    Object(&'a str),
    /// What JSON does not have: NaN, Infinity.
    NotJson(&'a str),
}

/// The deepest nesting that is skipped.
const DEEPEST: usize = 128;

impl<'a> Fields<'a> {
    /// The fields of the object in `text`.
    pub fn of(text: &'a str) -> Result<Self, NoObject> {
        let mut scan = Scan { text, at: 0 };
        scan.space();
        let start = scan.at;
        if scan.peek() != Some(b'{') {
            return Err(not_an_object(text));
        }
        scan.at += 1;
        let fields = scan.object().and_then(|fields| {
            scan.space();
            (scan.at == text.len()).then_some(fields)
        });
        fields.map(|fields| Self { fields }).ok_or_else(|| broken(&text[start..], start))
    }

    /// The last value of a field, as parsers in use take it.
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        self.fields.iter().rev().find(|(other, _)| other == name).map(|(_, text)| Value::of(text))
    }

    /// The names there are.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name.as_str())
    }
}

impl<'a> Value<'a> {
    fn of(text: &'a str) -> Self {
        match text.as_bytes().first() {
            Some(b'"') => Self::Text(text),
            Some(b'[') => Self::List(text),
            Some(b'{') => Self::Object(text),
            Some(b't' | b'f') => Self::Flag(text),
            Some(b'n') => Self::Null,
            _ if serde_json::from_str::<IgnoredAny>(text).is_ok() => Self::Number(text),
            _ => Self::NotJson(text),
        }
    }

    /// What it is, for messages.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Number(_) => "a number",
            Self::Flag(_) => "a truth value",
            Self::Null => "null",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
            Self::NotJson(_) => "no value that JSON has",
        }
    }
}

/// The elements of a list, as they stand.
pub(crate) fn elements(list: &str) -> Option<Vec<&str>> {
    let mut scan = Scan { text: list, at: 0 };
    if scan.peek() != Some(b'[') {
        return None;
    }
    scan.at += 1;
    let mut found = Vec::new();
    scan.space();
    if scan.peek() == Some(b']') {
        return Some(found);
    }
    loop {
        scan.space();
        found.push(scan.value(0)?);
        scan.space();
        match scan.next()? {
            b',' => {}
            b']' => return Some(found),
            _ => return None,
        }
    }
}

/// A string without its quotes and escapes.
pub(crate) fn string(text: &str) -> Result<String, String> {
    serde_json::from_str(text).map_err(|error| reason(&error))
}

/// What a line that does not open an object is.
fn not_an_object(text: &str) -> NoObject {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(serde_json::Value::Array(_)) => NoObject::Other("a list"),
        Ok(serde_json::Value::String(_)) => NoObject::Other("a string"),
        Ok(serde_json::Value::Number(_)) => NoObject::Other("a number"),
        Ok(serde_json::Value::Bool(_)) => NoObject::Other("a truth value"),
        Ok(serde_json::Value::Null) => NoObject::Other("null"),
        Ok(serde_json::Value::Object(_)) => NoObject::Other("an object"),
        Err(error) => NoObject::Broken { at: error.column().saturating_sub(1), reason: reason(&error) },
    }
}

/// Where an object is broken, as serde_json says it.
fn broken(text: &str, start: usize) -> NoObject {
    match serde_json::from_str::<IgnoredAny>(text) {
        Err(error) => {
            NoObject::Broken { at: start + error.column().saturating_sub(1), reason: reason(&error) }
        }
        Ok(_) => NoObject::Broken { at: start, reason: "not an object that can be skipped".into() },
    }
}

/// The message of a parser without the place that it ends with.
fn reason(error: &serde_json::Error) -> String {
    let message = error.to_string();
    message.rsplit_once(" at line ").map_or(message.as_str(), |(reason, _)| reason).to_owned()
}

/// A place in a text.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        self.at += 1;
        self.text.as_bytes().get(self.at - 1).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// The fields of an object whose brace is behind.
    fn object(&mut self) -> Option<Vec<(String, &'a str)>> {
        let mut fields = Vec::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Some(fields);
        }
        loop {
            self.space();
            let name = self.string()?;
            // A name that JSON would not read is a name that nobody asks for.
            let name = string(name).unwrap_or_default();
            self.space();
            if self.next()? != b':' {
                return None;
            }
            self.space();
            fields.push((name, self.value(0)?));
            self.space();
            match self.next()? {
                b',' => {}
                b'}' => return Some(fields),
                _ => return None,
            }
        }
    }

    /// Skips a value.
    fn value(&mut self, depth: usize) -> Option<&'a str> {
        let start = self.at;
        match self.peek()? {
            b'"' => return self.string(),
            b'[' | b'{' if depth >= DEEPEST => return None,
            open @ (b'[' | b'{') => {
                self.at += 1;
                let close = if open == b'[' { b']' } else { b'}' };
                self.space();
                if self.peek() == Some(close) {
                    self.at += 1;
                    return Some(&self.text[start..self.at]);
                }
                loop {
                    self.space();
                    if open == b'{' {
                        self.string()?;
                        self.space();
                        if self.next()? != b':' {
                            return None;
                        }
                        self.space();
                    }
                    self.value(depth + 1)?;
                    self.space();
                    match self.next()? {
                        b',' => {}
                        other if other == close => break,
                        _ => return None,
                    }
                }
            }
            _ => {
                let rest = &self.text[start..];
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
                let word = &rest[..end.unwrap_or(rest.len())];
                let is_known = matches!(word, "true" | "false" | "null" | "NaN" | "Infinity" | "-Infinity");
                if !is_known && serde_json::from_str::<f64>(word).is_err() {
                    return None;
                }
                self.at += word.len();
            }
        }
        Some(&self.text[start..self.at])
    }

    /// Skips a string, its quotes included.
    fn string(&mut self) -> Option<&'a str> {
        let start = self.at;
        if self.next()? != b'"' {
            return None;
        }
        loop {
            match self.next()? {
                b'"' => return Some(&self.text[start..self.at]),
                b'\\' => match self.next()? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => {
                        let digits = self.text.as_bytes().get(self.at..self.at + 4)?;
                        digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
                        self.at += 4;
                    }
                    _ => return None,
                },
                // Raw control characters are none of a string's.
                0..0x20 => return None,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_stand_as_they_are_written() {
        let fields =
            Fields::of(r#" {"a": 1.50, "b": [1, {"c": "]"}], "d": "x\n", "e": null, "a": 1e3 } "#).unwrap();
        assert_eq!(fields.get("a"), Some(Value::Number("1e3")));
        assert_eq!(fields.get("b"), Some(Value::List(r#"[1, {"c": "]"}]"#)));
        assert_eq!(fields.get("d"), Some(Value::Text(r#""x\n""#)));
        assert_eq!((fields.get("e"), fields.get("f")), (Some(Value::Null), None));
        assert_eq!(elements(r#"[1, [2, 3], "a,b"]"#), Some(vec!["1", "[2, 3]", r#""a,b""#]));
    }

    #[test]
    fn what_python_writes_is_skipped() {
        let fields = Fields::of(r#"{"a": NaN, "b": "\ud800", "c": [-Infinity], "text": "é"}"#).unwrap();
        assert_eq!(fields.get("text"), Some(Value::Text("\"é\"")));
        assert_eq!(fields.get("a").unwrap().kind(), "no value that JSON has");
        assert!(string("\"\\ud800\"").is_err());
    }

    #[test]
    fn a_broken_line_says_where() {
        let NoObject::Broken { at, reason } = Fields::of(r#"{"a": "é" 2}"#).unwrap_err() else { panic!() };
        assert_eq!((at, reason.as_str()), (11, "expected `,` or `}`"));
        assert_eq!(Fields::of("[1]"), Err(NoObject::Other("a list")));
        assert!(matches!(Fields::of(r#"{"a": hello}"#), Err(NoObject::Broken { .. })));
        assert!(matches!(Fields::of(r#"{"a": 1} x"#), Err(NoObject::Broken { .. })));
        assert!(matches!(
            Fields::of(&format!("{{\"a\": {}", "[".repeat(100_000))),
            Err(NoObject::Broken { .. })
        ));
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            "\\PC{0,6}".prop_map(Into::into),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map("\\PC{0,3}", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Every field of every object is found, and nothing else.
        #[test]
        fn fields_are_those_of_serde(map in prop::collection::btree_map("\\PC{0,4}", json(), 0..5)) {
            let object = serde_json::Value::Object(map.clone().into_iter().collect());
            for text in [object.to_string(), format!("{object:#}")] {
                let fields = Fields::of(&text).unwrap();
                prop_assert_eq!(fields.names().count(), map.len());
                for (name, (_, raw)) in fields.names().zip(&fields.fields) {
                    let value: serde_json::Value = serde_json::from_str(raw).unwrap();
                    prop_assert_eq!(&value, &map[name]);
                }
            }
        }

        /// What serde reads is read, whatever it is.
        #[test]
        fn any_line_is_read_or_explained(text in "[{}\\[\\]\":,0-9a-z\\\\ ]{0,24}") {
            let ours = Fields::of(&text);
            let theirs = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text);
            prop_assert!(ours.is_ok() || theirs.is_err(), "{}", text);
        }
    }
}
