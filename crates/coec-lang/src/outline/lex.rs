//! The pieces of a text, whatever stands in it.

use crate::scan::{Skipped, is_word, skipped};

/// What a piece of a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `coe`, `params.total`.
    Word,
    /// `350M`, `3e-4`, `12%`.
    Number,
    /// `"data/*.txt"`, also without its second quote.
    Text,
    /// `// ...`, `/* ... */`, also without its end.
    Comment,
    /// `=`, `<=`, `..`, a bracket.
    Mark,
    /// Anything else.
    Other,
}

/// A piece of a text, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lexeme {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

/// Marks of two characters.
const PAIRS: [&[u8]; 5] = [b"<=", b">=", b"==", b"+-", b".."];

/// The pieces of a text, in order, white space left out.
pub(super) fn lexemes(text: &str) -> Vec<Lexeme> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        let (kind, end) = match skipped(bytes, at) {
            Skipped::Until(end) if byte == b'"' => (Kind::Text, end),
            Skipped::Until(end) => (Kind::Comment, end),
            Skipped::Endless if byte == b'"' => (Kind::Text, end_of_line(bytes, at)),
            Skipped::Endless => (Kind::Comment, bytes.len()),
            Skipped::Nothing if byte.is_ascii_alphabetic() || byte == b'_' => {
                (Kind::Word, end_of_word(bytes, at))
            }
            Skipped::Nothing if begins_number(bytes, at) => (Kind::Number, end_of_number(bytes, at)),
            Skipped::Nothing if byte.is_ascii_punctuation() => {
                let is_pair = PAIRS.iter().any(|pair| bytes[at..].starts_with(pair));
                (Kind::Mark, at + if is_pair { 2 } else { 1 })
            }
            Skipped::Nothing => {
                let next = text[at..].chars().next();
                at += next.map_or(1, char::len_utf8);
                if next.is_some_and(|next| !next.is_whitespace() && next != '\u{feff}') {
                    found.push(Lexeme { kind: Kind::Other, start, end: at });
                }
                continue;
            }
        };
        found.push(Lexeme { kind, start, end });
        at = end;
    }
    found
}

fn end_of_line(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |length| at + length)
}

/// The end of a name, or of several with points between them; behind the last point one may not have been typed.
fn end_of_word(bytes: &[u8], start: usize) -> usize {
    let mut at = run(bytes, start, is_word);
    while bytes.get(at) == Some(&b'.') && bytes.get(at + 1) != Some(&b'.') {
        match bytes.get(at + 1) {
            Some(next) if next.is_ascii_alphabetic() || *next == b'_' => at = run(bytes, at + 1, is_word),
            _ => return at + 1,
        }
    }
    at
}

fn begins_number(bytes: &[u8], at: usize) -> bool {
    let digit = at + usize::from(bytes[at] == b'-');
    bytes.get(digit).is_some_and(u8::is_ascii_digit)
}

/// The end of a number, as the grammar has it.
fn end_of_number(bytes: &[u8], start: usize) -> usize {
    let digits = |from| run(bytes, from, |byte| byte.is_ascii_digit());
    let mut at = digits(start + usize::from(bytes[start] == b'-'));
    if bytes.get(at) == Some(&b'.') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit) {
        at = digits(at + 1);
    }
    if bytes.get(at).is_some_and(|byte| byte.eq_ignore_ascii_case(&b'e')) {
        let signed = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
        let from = at + 1 + usize::from(signed);
        if bytes.get(from).is_some_and(u8::is_ascii_digit) {
            at = digits(from);
        }
    }
    at = run(bytes, at, is_word);
    at + usize::from(bytes.get(at) == Some(&b'%'))
}

/// Where a run of such bytes ends.
fn run(bytes: &[u8], start: usize, belongs: impl Fn(u8) -> bool) -> usize {
    bytes[start..].iter().position(|&byte| !belongs(byte)).map_or(bytes.len(), |length| start + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<(Kind, &str)> {
        lexemes(text).iter().map(|lexeme| (lexeme.kind, &text[lexeme.start..lexeme.end])).collect()
    }

    #[test]
    fn a_text_falls_into_its_pieces() {
        use Kind::{Comment, Mark, Number, Text, Word};
        assert_eq!(
            pieces("loop[1..3] = 2 // again"),
            [
                (Word, "loop"),
                (Mark, "["),
                (Number, "1"),
                (Mark, ".."),
                (Number, "3"),
                (Mark, "]"),
                (Mark, "="),
                (Number, "2"),
                (Comment, "// again"),
            ]
        );
        assert_eq!(
            pieces("warn params.total<=3.5e-1MiB+-12%"),
            [
                (Word, "warn"),
                (Word, "params.total"),
                (Mark, "<="),
                (Number, "3.5e-1MiB"),
                (Mark, "+-"),
                (Number, "12%"),
            ]
        );
        assert_eq!(pieces("\"a // b\"-1"), [(Text, "\"a // b\""), (Number, "-1")]);
    }

    #[test]
    fn what_is_half_typed_has_pieces_too() {
        use Kind::{Comment, Mark, Number, Other, Text, Word};
        assert_eq!(pieces("params. a..2"), [(Word, "params."), (Word, "a"), (Mark, ".."), (Number, "2")]);
        assert_eq!(pieces("a \"b\nc"), [(Word, "a"), (Text, "\"b"), (Word, "c")]);
        assert_eq!(pieces("a /* b"), [(Word, "a"), (Comment, "/* b")]);
        assert_eq!(pieces("é="), [(Other, "é"), (Mark, "=")]);
    }
}
