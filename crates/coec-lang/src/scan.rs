//! One pass over the text before the parser runs: how deep brackets nest, whether
//! everything opened is closed, and where the `///` comments are.

use crate::error::ParseError;
use crate::source::{SourceId, Span};

/// Brackets that may stand inside each other.
pub(crate) const MAX_NESTING: usize = 64;

/// What the pass finds in a text it accepts.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// `///` comments, in order, without the marks: where each begins, and its text.
    docs: Vec<(usize, String)>,
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

/// Passes over `text` once.
pub(crate) fn scan(source: SourceId, text: &str) -> Result<Scan, ParseError> {
    let bytes = text.as_bytes();
    let span = |start, end| Span::new(source, start, end);
    let mut scan = Scan { docs: Vec::new() };
    let mut open: Vec<usize> = Vec::new();
    let mut i = 0;
    while i < bytes.len() {
        let rest = &text.as_bytes()[i..];
        match bytes[i] {
            b'/' if rest.starts_with(b"//") => {
                let end = rest.iter().position(|&b| b == b'\n').map_or(bytes.len(), |n| i + n);
                let line = &text[i..end];
                if let Some(doc) = line.strip_prefix("///").filter(|doc| !doc.starts_with('/')) {
                    let doc = doc.strip_prefix(' ').unwrap_or(doc);
                    scan.docs.push((i, doc.strip_suffix('\r').unwrap_or(doc).to_string()));
                }
                i = end;
                continue;
            }
            b'/' if rest.starts_with(b"/*") => match text[i + 2..].find("*/") {
                Some(n) => {
                    i += n + 4;
                    continue;
                }
                None => return Err(ParseError::UnterminatedComment { at: span(i, i + 2) }),
            },
            b'"' => {
                i = match end_of_string(bytes, i) {
                    Some(end) => end,
                    None => return Err(ParseError::UnterminatedString { at: span(i, i + 1) }),
                };
                continue;
            }
            b'(' | b'[' | b'{' => {
                open.push(i);
                if open.len() > MAX_NESTING {
                    return Err(ParseError::NestedTooDeep { at: span(i, i + 1), limit: MAX_NESTING });
                }
            }
            close @ (b')' | b']' | b'}') => {
                let opened = open.pop();
                if opened.map(|at| closing(bytes[at])) != Some(close) {
                    return Err(ParseError::UnmatchedBracket {
                        bracket: close as char,
                        at: span(i, i + 1),
                        expected: opened.map(|at| (closing(bytes[at]) as char, span(at, at + 1))),
                    });
                }
            }
            _ => {}
        }
        i += 1;
    }
    match open.last() {
        Some(&at) => Err(ParseError::UnclosedBracket {
            bracket: bytes[at] as char,
            expected: closing(bytes[at]) as char,
            at: span(at, at + 1),
        }),
        None => Ok(scan),
    }
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
        scan(SourceId(0), text).err().map(|error| error.code())
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
    fn docs_are_kept_with_their_place() {
        let scan = scan(SourceId(0), "/// a\n///\n///  b\r\n//// no\n// no\nmodel /// c").unwrap();
        assert_eq!(scan.doc(0, 30), "a\n\n b");
        assert_eq!(scan.doc(30, 99), "c");
    }
}
