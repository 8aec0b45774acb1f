//! Lines of a picture: text, and what each part of it is drawn in.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::render::below::Row;

/// What something is drawn in, by what it is; the terminal's own colours are used, so that it suits light ones
/// and dark ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// Text.
    Plain,
    /// What explains the rest.
    Dim,
    /// What one looks for first.
    Strong,
    /// What was trained on.
    Train,
    /// What was held out.
    Held,
    /// What is as it should be.
    Good,
    /// What deserves a look.
    Warm,
    /// What is not as it should be.
    Bad,
}

impl Ink {
    /// The codes that begin it.
    fn codes(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Dim => "2",
            Self::Strong => "1",
            Self::Train => "36",
            Self::Held => "35",
            Self::Good => "32",
            Self::Warm => "33",
            Self::Bad => "1;31",
        }
    }
}

/// A line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line(Vec<(Ink, String)>);

impl Line {
    /// Text in one ink.
    pub fn of(ink: Ink, text: impl Into<String>) -> Self {
        Self::default().with(ink, text)
    }

    /// More text behind it.
    pub fn with(mut self, ink: Ink, text: impl Into<String>) -> Self {
        let text = text.into();
        match self.0.last_mut().filter(|(last, _)| *last == ink) {
            Some((_, last)) => last.push_str(&text),
            None if text.is_empty() => {}
            None => self.0.push((ink, text)),
        }
        self
    }

    /// One more character behind it.
    pub fn mark(mut self, ink: Ink, char: char) -> Self {
        match self.0.last_mut().filter(|(last, _)| *last == ink) {
            Some((_, last)) => last.push(char),
            None => self.0.push((ink, char.into())),
        }
        self
    }

    /// Another line behind it.
    pub fn and(self, other: Self) -> Self {
        other.0.into_iter().fold(self, |line, (ink, text)| line.with(ink, text))
    }

    /// Columns it takes.
    pub fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text.width()).sum()
    }

    /// As much of it as fits, with an ellipsis where that is not all.
    pub fn cut(self, width: usize) -> Self {
        if self.width() <= width {
            return self;
        }
        let (mut cut, mut left) = (Self::default(), width.saturating_sub(1));
        'parts: for (ink, text) in self.0 {
            for char in text.chars() {
                let columns = char.width().unwrap_or(0);
                if columns > left {
                    break 'parts;
                }
                left -= columns;
                cut = cut.with(ink, char);
            }
        }
        if width > 0 { cut.with(Ink::Dim, "…") } else { cut }
    }

    /// Exactly so wide.
    pub fn padded(self, width: usize) -> Self {
        let line = self.cut(width);
        let missing = width - line.width();
        line.with(Ink::Plain, " ".repeat(missing))
    }

    /// One at the left and one at the right end of `width` columns. What is at the right goes where there is
    /// no room for both.
    pub fn ends(left: Self, right: Self, width: usize) -> Self {
        let gap = width.saturating_sub(left.width() + right.width());
        if gap < 2 || right.0.is_empty() {
            return left.cut(width);
        }
        left.with(Ink::Plain, " ".repeat(gap)).and(right)
    }

    /// Without inks.
    pub fn plain(&self) -> String {
        let text: String = self.0.iter().map(|(_, text)| text.as_str()).collect();
        text.trim_end().to_owned()
    }

    /// As a terminal draws it.
    pub fn row(&self, has_colour: bool) -> Row {
        let plain = self.plain();
        let columns = plain.width();
        Row { text: if has_colour { self.coloured() } else { plain }, columns }
    }

    /// For a terminal with colours.
    pub fn coloured(&self) -> String {
        let mut out = String::new();
        for (ink, text) in &self.0 {
            match ink.codes() {
                "" => out.push_str(text),
                // Spaces have no colour.
                _ if text.trim().is_empty() => out.push_str(text),
                codes => out.push_str(&format!("\u{1b}[{codes}m{text}\u{1b}[0m")),
            }
        }
        out.trim_end().to_owned()
    }
}

impl<T: Into<String>> From<T> for Line {
    fn from(text: T) -> Self {
        Self::of(Ink::Plain, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_and_filled_by_columns() {
        let line = || Line::of(Ink::Strong, "模型").with(Ink::Plain, " run");
        assert_eq!(line().width(), 8);
        assert_eq!(line().cut(8).plain(), "模型 run");
        assert_eq!((line().cut(6).plain(), line().cut(4).plain()), ("模型 …".into(), "模…".into()));
        assert_eq!(line().padded(10).width(), 10);
        assert_eq!(line().padded(4).width(), 4);
        assert_eq!(line().cut(0), Line::default());
    }

    #[test]
    fn what_is_at_the_right_goes_first() {
        let ends = |width| Line::ends("left".into(), "right".into(), width).plain();
        assert_eq!((ends(12), ends(10), ends(3)), ("left   right".into(), "left".into(), "le…".into()));
    }

    #[test]
    fn inks_are_for_terminals_with_colours() {
        let line = Line::of(Ink::Bad, "FAILS").with(Ink::Plain, " it  ");
        assert_eq!(
            (line.plain(), line.coloured()),
            ("FAILS it".into(), "\u{1b}[1;31mFAILS\u{1b}[0m it".into())
        );
    }
}
