//! The texts a load has read, and places in them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

/// A text by its position in [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SourceId(pub u32);

/// A piece of one text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Span {
    pub source: SourceId,
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn new(source: SourceId, start: usize, end: usize) -> Self {
        Self { source, start: start as u32, end: end as u32 }
    }
}

/// One text: a file, a command-line argument, or a model in the paper's notation.
#[derive(Debug)]
pub(crate) struct Source {
    /// What messages call it: a path, `--set`, `argument`.
    pub name: String,
    pub text: Box<str>,
    marks: OnceLock<Marks>,
    /// Where relative paths in it start.
    pub dir: PathBuf,
}

/// Bytes between two marks of an index.
const MARK: usize = 1 << 10;

/// How many lines and characters begin before each [`MARK`]th byte, so that a place is found
/// without reading the text from its start: a file may ask for tens of thousands.
#[derive(Debug)]
struct Marks(Vec<(u32, u32)>);

impl Marks {
    fn of(text: &str) -> Self {
        let (mut lines, mut characters) = (0, 0);
        let mut marks = vec![(0, 0)];
        for chunk in text.as_bytes().chunks(MARK) {
            lines += count(chunk, |b| b == b'\n');
            characters += count(chunk, begins_character);
            marks.push((lines as u32, characters as u32));
        }
        Self(marks)
    }
}

fn count(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> usize {
    bytes.iter().filter(|&&b| wanted(b)).count()
}

/// A character begins at every byte that is no continuation byte.
fn begins_character(byte: u8) -> bool {
    byte & 0xC0 != 0x80
}

impl Source {
    pub fn new(name: impl Into<String>, text: impl Into<Box<str>>, dir: &Path) -> Self {
        let text = text.into();
        Self { name: name.into(), marks: OnceLock::new(), text, dir: dir.to_path_buf() }
    }

    /// Lines and characters that begin before a byte.
    fn before(&self, offset: usize) -> (usize, usize) {
        let marks = &self.marks.get_or_init(|| Marks::of(&self.text)).0;
        let (lines, characters) = marks[offset / MARK];
        let rest = &self.text.as_bytes()[offset / MARK * MARK..offset];
        (lines as usize + count(rest, |b| b == b'\n'), characters as usize + count(rest, begins_character))
    }

    /// Line and column of a byte, both from 1; columns count characters.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let offset = offset.min(self.text.len());
        let (line, character) = self.before(offset);
        if line == 0 {
            return (1, character + 1);
        }
        // The last mark with fewer lines begins the stretch in which this line starts.
        let marks = &self.marks.get_or_init(|| Marks::of(&self.text)).0;
        let mark = marks.partition_point(|&(lines, _)| (lines as usize) < line) - 1;
        let stretch = &self.text.as_bytes()[mark * MARK..offset];
        let skip = line - marks[mark].0 as usize;
        let breaks = stretch.iter().enumerate().filter(|&(_, &b)| b == b'\n');
        let start = breaks.map(|(i, _)| mark * MARK + i + 1).nth(skip - 1).unwrap_or(0);
        (line + 1, character - self.before(start).1 + 1)
    }
}

impl SourceCode for Source {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let found = self.text.read_span(span, lines_before, lines_after)?;
        if found.data().len() > MOST_SHOWN + span.len() {
            return Ok(Box::new(self.around(span)));
        }
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            found.data(),
            *found.span(),
            found.line(),
            found.column(),
            found.line_count(),
        )))
    }
}

/// Bytes of text around a label beyond which only its neighbourhood is shown: a spec may be one long line.
const MOST_SHOWN: usize = 4000;

impl Source {
    /// A label with a few characters on either side.
    fn around(&self, span: &SourceSpan) -> MietteSpanContents<'_> {
        const MARGIN: usize = 40;
        let end = (span.offset() + span.len()).min(self.text.len());
        let start = span.offset().min(end);
        let from = self.text[..start].char_indices().rev().nth(MARGIN).map_or(0, |(i, _)| i);
        let to = self.text[end..].char_indices().nth(MARGIN).map_or(self.text.len(), |(i, _)| end + i);
        let (line, column) = self.line_column(from);
        let shown = &self.text.as_bytes()[from..to];
        let lines = shown.iter().filter(|&&b| b == b'\n').count() + 1;
        MietteSpanContents::new_named(
            self.name.clone(),
            shown,
            (from, to - from).into(),
            line - 1,
            column - 1,
            lines,
        )
    }
}

/// Every text of a load.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources(Vec<Arc<Source>>);

impl Sources {
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<Box<str>>, dir: &Path) -> SourceId {
        let id = SourceId(self.0.len() as u32);
        self.0.push(Arc::new(Source::new(name, text, dir)));
        id
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn get(&self, id: SourceId) -> &Arc<Source> {
        &self.0[id.0 as usize]
    }

    /// All of a text.
    pub fn whole(&self, id: SourceId) -> Span {
        Span::new(id, 0, self.get(id).text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let source = Source::new("a", "é = 1\nüb", Path::new(""));
        assert_eq!(source.line_column(0), (1, 1));
        assert_eq!(source.line_column(3), (1, 3));
        assert_eq!(source.line_column(9), (2, 2));
        assert_eq!(source.line_column(99), (2, 3));
    }
}

#[cfg(test)]
mod places {
    use super::*;

    #[test]
    fn lines_and_columns_are_those_of_a_plain_count() {
        let long = "x\u{e9}".repeat(3000);
        let text = format!("a\u{e9}b\n\n{long}\nend {long}\n\n\n{}", "line\n".repeat(900));
        let source = Source::new("a", text.as_str(), Path::new(""));
        for (offset, _) in text.char_indices().chain([(text.len(), ' ')]) {
            let before = &text[..offset];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
            assert_eq!(source.line_column(offset), (line, column), "byte {offset}");
        }
    }
}
