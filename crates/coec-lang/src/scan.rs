//! One pass over the text before the parser runs: how deep brackets nest, whether
//! everything opened is closed, and where the `///` comments are.

use crate::error::ParseError;
use crate::source::{SourceId, Span};

/// Brackets that may stand inside each other.
pub(crate) const MAX_NESTING: usize = 64;

/// What the pass finds.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// `///` comments, in order, without the marks: where each begins, and its text.
    docs: Vec<(usize, String)>,
    /// Up to where every bracket has its partner: all of a text without errors.
    pub complete: usize,
}

impl Scan {
    /// The `///` comments between two offsets, as one text.
    pub fn doc(&self, from: usize, to: usize) -> String {
        let first = self.docs.partition_point(|(at, _)| *at < from);
        let lines: Vec<_> =
            self.docs[first..].iter().take_while(|(at, _)| *at < to).map(|(_, line)| line.as_str()).collect();
        lines.join("\n").trim_matches('\n').to_string()
    }
}

/// Passes over `text` once, up to the first error.
pub(crate) fn scan(source: SourceId, text: &str) -> (Scan, Option<ParseError>) {
    let bytes = text.as_bytes();
    let span = |start, end| Span::new(source, start, end);
    let mut scan = Scan::default();
    let mut open: Vec<usize> = Vec::new();
    let mut i = 0;
    while i < bytes.len() {
        match bytes[i] {
            b'/' | b'"' => match skipped(bytes, i) {
                Skipped::Nothing => {}
                Skipped::Until(end) => {
                    let doc = text[i..end].strip_prefix("///").filter(|doc| !doc.starts_with('/'));
                    if let Some(doc) = doc {
                        let doc = doc.strip_prefix(' ').unwrap_or(doc);
                        scan.docs.push((i, doc.trim_end_matches('\r').to_string()));
                    }
                    i = end;
                    continue;
                }
                Skipped::Endless if bytes[i] == b'"' => {
                    return (scan, Some(ParseError::UnterminatedString { at: span(i, i + 1) }));
                }
                Skipped::Endless => {
                    return (scan, Some(ParseError::UnterminatedComment { at: span(i, i + 2) }));
                }
            },
            b'(' | b'[' | b'{' => {
                open.push(i);
                if open.len() > MAX_NESTING {
                    let error = ParseError::NestedTooDeep { at: span(i, i + 1), limit: MAX_NESTING };
                    return (scan, Some(error));
                }
            }
            close @ (b')' | b']' | b'}') => {
                let opened = open.pop();
                if opened.map(|at| closing(bytes[at])) != Some(close) {
                    let error = ParseError::UnmatchedBracket {
                        bracket: close as char,
                        at: span(i, i + 1),
                        expected: opened.map(|at| (closing(bytes[at]) as char, span(at, at + 1))),
                    };
                    return (scan, Some(error));
                }
                if open.is_empty() {
                    scan.complete = i + 1;
                }
            }
            _ => {}
        }
        i += 1;
    }
    let unclosed = open.last().map(|&at| ParseError::UnclosedBracket {
        bracket: bytes[at] as char,
        expected: closing(bytes[at]) as char,
        at: span(at, at + 1),
    });
    if unclosed.is_none() {
        scan.complete = text.len();
    }
    (scan, unclosed)
}

/// What a comment or a string is to a reader of brackets and words.
pub(crate) enum Skipped {
    /// There is none here.
    Nothing,
    /// It ends before this offset.
    Until(usize),
    /// It does not end.
    Endless,
}

/// The comment or string that begins at `i`.
pub(crate) fn skipped(bytes: &[u8], i: usize) -> Skipped {
    let rest = &bytes[i..];
    let until = |end: Option<usize>| end.map_or(Skipped::Endless, Skipped::Until);
    if rest.starts_with(b"//") {
        Skipped::Until(rest.iter().position(|&b| b == b'\n').map_or(bytes.len(), |n| i + n))
    } else if rest.starts_with(b"/*") {
        until(rest[2..].windows(2).position(|pair| pair == b"*/").map(|n| i + n + 4))
    } else if rest.starts_with(b"\"") {
        until(end_of_string(bytes, i))
    } else {
        Skipped::Nothing
    }
}

/// The first byte of every word and every mark from `start` on, strings, comments
/// and anything that is not ASCII left out.
pub(crate) fn lexemes(text: &str, start: usize) -> impl Iterator<Item = (usize, u8)> + '_ {
    let bytes = text.as_bytes();
    let mut i = start;
    std::iter::from_fn(move || {
        loop {
            let byte = *bytes.get(i)?;
            match skipped(bytes, i) {
                Skipped::Until(end) => i = end,
                Skipped::Endless => return None,
                Skipped::Nothing if is_word(byte) => {
                    let at = i;
                    i += bytes[i..].iter().position(|&b| !is_word(b)).unwrap_or(bytes.len() - i);
                    return Some((at, byte));
                }
                Skipped::Nothing => {
                    i += 1;
                    if byte.is_ascii() && !byte.is_ascii_whitespace() {
                        return Some((i - 1, byte));
                    }
                }
            }
        }
    })
}

/// Whether a byte may stand in a word.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The word that begins at `at`; empty if none does.
pub(crate) fn word_at(text: &str, at: usize) -> &str {
    let rest = &text[at..];
    let end = rest.bytes().position(|b| !is_word(b)).unwrap_or(rest.len());
    if rest.starts_with(|c: char| c.is_ascii_digit()) { "" } else { &rest[..end] }
}

/// The offset behind the white space and comments that begin at `at`.
pub(crate) fn behind_blanks(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let mut i = at;
    while i < bytes.len() {
        if let (b'/', Skipped::Until(end)) = (bytes[i], skipped(bytes, i)) {
            i = end;
        } else if bytes[i].is_ascii_whitespace() {
            i += 1;
        } else if text[i..].starts_with('\u{FEFF}') {
            i += '\u{FEFF}'.len_utf8();
        } else {
            break;
        }
    }
    i
}

fn closing(open: u8) -> u8 {
    match open {
        b'(' => b')',
        b'[' => b']',
        _ => b'}',
    }
}

/// The offset behind the string that opens at `start`; strings end on their line.
fn end_of_string(bytes: &[u8], start: usize) -> Option<usize> {
    let mut i = start + 1;
    loop {
        match bytes.get(i)? {
            b'"' => return Some(i + 1),
            b'\n' => return None,
            b'\\' if bytes.get(i + 1) != Some(&b'\n') => i += 2,
            _ => i += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<&'static str> {
        scan(SourceId(0), text).1.map(|error| error.code())
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        assert_eq!(code("\"((((\" // ((( \n /* [[[ */ ()"), None);
        assert_eq!(code("\"\\\"(\""), None);
    }

    #[test]
    fn depth_is_counted() {
        let nested = |n| "[".repeat(n) + &"]".repeat(n);
        assert_eq!(code(&nested(64)), None);
        assert_eq!(code(&nested(65)), Some("coec::parse::nested_too_deep"));
        assert_eq!(code(&"(".repeat(1 << 20)), Some("coec::parse::nested_too_deep"));
    }

    #[test]
    fn what_opens_must_close() {
        assert_eq!(code("(]"), Some("coec::parse::unmatched_bracket"));
        assert_eq!(code("}"), Some("coec::parse::unmatched_bracket"));
        assert_eq!(code("{"), Some("coec::parse::unclosed_bracket"));
        assert_eq!(code("\"abc\nd\""), Some("coec::parse::unterminated_string"));
        assert_eq!(code("\"abc\\"), Some("coec::parse::unterminated_string"));
        assert_eq!(code("/* abc"), Some("coec::parse::unterminated_comment"));
    }

    #[test]
    fn whole_items_are_told_from_the_rest() {
        let complete = |text: &str| scan(SourceId(0), text).0.complete;
        assert_eq!(complete("a {} b { ( } c {}"), 4);
        assert_eq!(complete("a {} b { \"x"), 4);
        assert_eq!(complete("a {} b"), 6);
        assert_eq!(complete("]"), 0);
    }

    #[test]
    fn lexemes_are_words_and_marks() {
        let bytes: Vec<u8> = lexemes("ab = \"x y\" // c\n(d /* e */)", 0).map(|(_, byte)| byte).collect();
        assert_eq!(bytes, b"a=(d)");
        assert_eq!(behind_blanks(" // a\n /* b */ c", 0), 15);
        assert_eq!((word_at("ab c", 0), word_at("1a", 0), word_at("=", 0)), ("ab", "", ""));
    }

    #[test]
    fn docs_are_kept_with_their_place() {
        let scan = scan(SourceId(0), "/// a\n///\n///  b\r\n//// no\n// no\nmodel /// c").0;
        assert_eq!(scan.doc(0, 30), "a\n\n b");
        assert_eq!(scan.doc(30, 99), "c");
    }
}
