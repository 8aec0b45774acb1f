//! The texts a load has read, and places in them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    /// Where relative paths in it start.
    pub dir: PathBuf,
}

impl Source {
    /// Line and column of a byte, both from 1; columns count characters.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
        let start = before.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
        // A character starts at every byte that is no continuation byte.
        let column = before[start..].iter().filter(|&&b| b & 0xC0 != 0x80).count() + 1;
        (line, column)
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
        self.0.push(Arc::new(Source { name: name.into(), text: text.into(), dir: dir.to_path_buf() }));
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
        let source = Source { name: "a".into(), text: "é = 1\nüb".into(), dir: PathBuf::new() };
        assert_eq!(source.line_column(0), (1, 1));
        assert_eq!(source.line_column(3), (1, 3));
        assert_eq!(source.line_column(9), (2, 2));
        assert_eq!(source.line_column(99), (2, 3));
    }
}
