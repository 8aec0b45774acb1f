//! A text and the places in it, in bytes, in the protocol's positions, and in lines and columns.

use std::ops::Range;

use gen_lsp_types::{Position, Range as Span};

/// What a position counts inside its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Encoding {
    /// Bytes.
    Utf8,
    /// Units of UTF-16, as every client knows it.
    #[default]
    Utf16,
}

impl Encoding {
    fn length(self, text: &str) -> usize {
        match self {
            Self::Utf8 => text.len(),
            Self::Utf16 => text.encode_utf16().count(),
        }
    }
}

/// A text with the beginnings of its lines.
#[derive(Debug, Clone, Default)]
pub(crate) struct Text {
    text: String,
    /// Of the protocol's lines, which end in `\n`, `\r\n` or `\r`.
    starts: Vec<usize>,
    /// Of the lines that messages count, which end in `\n` alone.
    feeds: Vec<usize>,
    encoding: Encoding,
}

impl Text {
    pub fn new(text: String, encoding: Encoding) -> Self {
        let bytes = text.as_bytes();
        let ends = bytes
            .iter()
            .enumerate()
            .filter(|&(at, &byte)| byte == b'\n' || byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
        let starts = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        let feeds = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts, feeds, encoding }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The byte of a position. One behind the end of its line is the line's end; one inside a character, its beginning.
    pub fn offset(&self, position: Position) -> usize {
        let line = position.line as usize;
        let Some(&start) = self.starts.get(line) else { return self.text.len() };
        let text = self.line(line);
        let mut left = position.character as usize;
        let mut at = start;
        for c in text.chars() {
            let length = match self.encoding {
                Encoding::Utf8 => c.len_utf8(),
                Encoding::Utf16 => c.len_utf16(),
            };
            if left < length {
                break;
            }
            left -= length;
            at += c.len_utf8();
        }
        at
    }

    /// The text of a line, its end left out.
    pub fn line(&self, line: usize) -> &str {
        let Some(&start) = self.starts.get(line) else { return "" };
        let end = self.starts.get(line + 1).copied().unwrap_or(self.text.len());
        self.text[start..end].trim_end_matches(['\r', '\n'])
    }

    /// The position of a byte.
    pub fn position(&self, offset: usize) -> Position {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.starts.partition_point(|&start| start <= offset) - 1;
        let before = &self.text[self.starts[line]..offset];
        Position::new(line as u32, self.encoding.length(before) as u32)
    }

    pub fn span(&self, range: Range<usize>) -> Span {
        Span::new(self.position(range.start), self.position(range.end))
    }

    pub fn range(&self, span: Span) -> Range<usize> {
        let start = self.offset(span.start);
        start..self.offset(span.end).max(start)
    }

    /// The byte of a line and a column as messages count them: from 1, in characters, lines ending in `\n` alone.
    pub fn of_column(&self, line: usize, column: usize) -> usize {
        let start = self.feeds.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        let rest = &self.text[start..];
        rest.char_indices().nth(column.saturating_sub(1)).map_or(self.text.len(), |(at, _)| start + at)
    }

    /// The same text with `new` in place of a piece.
    pub fn with(&self, span: Span, new: &str) -> Self {
        let range = self.range(span);
        let text = [&self.text[..range.start], new, &self.text[range.end..]].concat();
        Self::new(text, self.encoding)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Text {
        Text::new(text.into(), Encoding::Utf16)
    }

    #[test]
    fn positions_count_units_of_utf16() {
        let text = text("a𝄞é\r\nb\rc\n");
        let places =
            [(0, (0, 0)), (1, (0, 1)), (5, (0, 3)), (7, (0, 4)), (9, (1, 0)), (11, (2, 0)), (13, (3, 0))];
        for (offset, (line, character)) in places {
            assert_eq!(text.position(offset), Position::new(line, character), "{offset}");
            assert_eq!(text.offset(Position::new(line, character)), offset);
        }
        assert_eq!(text.offset(Position::new(0, 2)), 1, "inside a character");
        assert_eq!(text.offset(Position::new(0, 99)), 7, "behind the end of a line");
        assert_eq!(text.offset(Position::new(99, 0)), 13, "behind the last line");
    }

    #[test]
    fn columns_count_characters() {
        let text = text("a𝄞é\r\nb\rc\nd");
        assert_eq!((text.of_column(1, 1), text.of_column(1, 3), text.of_column(2, 1)), (0, 5, 9));
        assert_eq!((text.of_column(3, 1), text.of_column(9, 1)), (13, 14));
    }

    proptest! {
        /// An edit by positions is an edit by bytes.
        #[test]
        fn edits_are_those_of_the_text(
            before in "[a\u{e9}\u{1d11e}\r\n]{0,20}", new in "[b\u{e9}\r\n]{0,5}", ends in (0usize..20, 0usize..20)
        ) {
            let boundaries: Vec<usize> = before.char_indices().map(|(at, _)| at).chain([before.len()]).collect();
            let [a, b] = [ends.0, ends.1].map(|end| boundaries[end % boundaries.len()]);
            // No position stands between the two characters of one line end.
            let is_between = |at: usize| at > 0 && before[..at].ends_with('\r') && before[at..].starts_with('\n');
            prop_assume!(!is_between(a) && !is_between(b));
            let (start, end) = (a.min(b), a.max(b));
            for encoding in [Encoding::Utf8, Encoding::Utf16] {
                let text = Text::new(before.clone(), encoding);
                let after = text.with(text.span(start..end), &new);
                let expected = [&before[..start], &new, &before[end..]].concat();
                prop_assert_eq!(after.as_str(), expected);
            }
        }
    }
}
