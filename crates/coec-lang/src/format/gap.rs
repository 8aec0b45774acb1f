//! What stands between two tokens: comments and line breaks, and which token each comment
//! belongs to.

/// A comment, and the line breaks between it and what stands before it.
#[derive(Debug)]
pub(super) struct Comment<'t> {
    pub text: &'t str,
    pub breaks: usize,
}

impl<'t> Comment<'t> {
    /// Whether it runs to the end of its line.
    pub fn is_line(&self) -> bool {
        self.text.starts_with("//")
    }

    pub fn is_multiline(&self) -> bool {
        self.text.contains('\n')
    }

    pub fn width(&self) -> usize {
        self.text.chars().count()
    }
}

/// Comments and line breaks between two tokens.
///
/// In front of an element the comments are, in this order: those that end the element
/// before (in front of its comma), those [`behind`](Self::behind) it on its line, those
/// [`above`](Self::above) the next on lines of their own, and those that
/// [`lead`](Self::lead) the next on its line. Which is which only depends on where line
/// breaks are, and the printer breaks lines at the same places: a second pass sees the same.
#[derive(Debug, Default)]
pub(super) struct Gap<'t> {
    pub comments: Vec<Comment<'t>>,
    /// Line breaks behind the last comment.
    pub breaks: usize,
    /// How many comments end the element before.
    ending: usize,
    /// Whether the gap is in front of a closing mark, which nothing leads.
    closes: bool,
}

impl<'t> Gap<'t> {
    /// The gap in which a file begins: nothing stands in front of its comments.
    pub fn at_start() -> Self {
        Self { breaks: 1, ..Self::default() }
    }

    /// Adds white space and comments.
    pub fn read(&mut self, text: &'t str) {
        let mut at = 0;
        let bytes = text.as_bytes();
        while let Some(&byte) = bytes.get(at) {
            let rest = &text[at..];
            let length = match byte {
                b'/' if rest.starts_with("/*") => {
                    let length = rest[2..].find("*/").map_or(rest.len(), |end| end + 4);
                    self.push(&rest[..length]);
                    length
                }
                b'/' => {
                    let length = rest.find('\n').unwrap_or(rest.len());
                    self.push(trimmed(&rest[..length]));
                    length
                }
                b'\n' => {
                    self.breaks += 1;
                    1
                }
                _ => rest.chars().next().map_or(1, char::len_utf8),
            };
            at += length;
        }
    }

    fn push(&mut self, text: &'t str) {
        self.comments.push(Comment { text, breaks: std::mem::take(&mut self.breaks) });
    }

    /// Notes that the comma of the element before stands here. It is printed behind its element,
    /// so what follows on this line stands behind the element as well.
    pub fn comma(&mut self) {
        self.ending = self.comments.iter().take_while(|c| c.breaks == 0 && !c.is_line()).count();
        if self.ending == self.comments.len() {
            self.breaks = 0;
        }
    }

    /// Notes that a closing mark follows.
    pub fn close(mut self) -> Self {
        self.closes = true;
        self
    }

    /// Notes that the text ends here.
    pub fn end(mut self) -> Self {
        self.breaks = self.breaks.max(1);
        self.close()
    }

    fn lead_start(&self) -> usize {
        let mut start = self.comments.len();
        let mut breaks = if self.closes { 1 } else { self.breaks };
        while breaks == 0 && start > self.ending && !self.comments[start - 1].is_line() {
            start -= 1;
            breaks = self.comments[start].breaks;
        }
        start
    }

    fn behind_end(&self) -> usize {
        let rest = &self.comments[self.ending..self.lead_start()];
        self.ending + rest.iter().take_while(|comment| comment.breaks == 0).count()
    }

    /// Comments that stand between the element before and its comma.
    pub fn ending(&self) -> &[Comment<'t>] {
        &self.comments[..self.ending]
    }

    /// Comments behind the element before, at the end of its line.
    pub fn behind(&self) -> &[Comment<'t>] {
        &self.comments[self.ending..self.behind_end()]
    }

    /// Comments on lines of their own; one without a break in front of it goes on the line before.
    pub fn above(&self) -> &[Comment<'t>] {
        &self.comments[self.behind_end()..self.lead_start()]
    }

    /// Comments in front of the element that follows, on its line.
    pub fn lead(&self) -> &[Comment<'t>] {
        &self.comments[self.lead_start()..]
    }

    /// Line breaks in front of the line on which the next element begins.
    pub fn breaks_before_next(&self) -> usize {
        self.lead().first().map_or(self.breaks, |comment| comment.breaks)
    }

    /// Whether a blank line stands anywhere in it.
    pub fn has_blank(&self) -> bool {
        self.breaks > 1 || self.comments.iter().any(|comment| comment.breaks > 1)
    }

    /// Whether everything in it may stand on one line with its neighbours.
    pub fn is_inline(&self) -> bool {
        if self.comments.iter().any(Comment::is_multiline) {
            return false;
        }
        if self.closes {
            let rest = &self.comments[self.ending..];
            let broken = |comment: &Comment| comment.breaks > 0 || comment.is_line();
            return rest.is_empty() || (self.breaks == 0 && !rest.iter().any(broken));
        }
        self.behind().is_empty() && self.above().is_empty()
    }

    /// Whether a gap between tokens that are not elements may stand on one line with them.
    pub fn is_inline_inside(&self) -> bool {
        let broken = |c: &Comment| c.breaks > 0 || c.is_line() || c.is_multiline();
        self.comments.is_empty() || (self.breaks == 0 && !self.comments.iter().any(broken))
    }
}

/// A line comment without the blanks at its end, which mean something only in a description.
fn trimmed(comment: &str) -> &str {
    let is_doc = comment.starts_with("///") && !comment.starts_with("////");
    comment.trim_end_matches(if is_doc { &['\r'][..] } else { &[' ', '\t', '\r'] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(gap: &Gap) -> [String; 4] {
        let words = |part: &[Comment]| part.iter().map(|c| c.text).collect::<Vec<_>>().join(" ");
        [words(gap.ending()), words(gap.behind()), words(gap.above()), words(gap.lead())]
    }

    fn gap(before_comma: &'static str, rest: &'static str) -> [String; 4] {
        let mut gap = Gap::default();
        gap.read(before_comma);
        gap.comma();
        gap.read(rest);
        places(&gap)
    }

    #[test]
    fn a_comment_belongs_to_the_token_on_its_line() {
        assert_eq!(gap(" /*a*/", " // b\n"), ["/*a*/", "// b", "", ""]);
        assert_eq!(
            gap("", " // b\n\n // c\n /*d*/ /*e*/\n /*f*/ "),
            ["", "// b", "// c /*d*/ /*e*/", "/*f*/"]
        );
        assert_eq!(gap("", " /*a*/ /*b*/ "), ["", "", "", "/*a*/ /*b*/"]);
        assert_eq!(gap("", " /*a*/\n/*b*/ "), ["", "/*a*/", "", "/*b*/"]);
    }

    #[test]
    fn a_comma_on_the_next_line_is_pulled_back() {
        assert_eq!(gap("\n", " // a\n"), ["", "// a", "", ""]);
        assert_eq!(gap("\n// a\n", " // b\n"), ["", "", "// a // b", ""]);
        assert_eq!(gap(" // a\n", "// b\n"), ["", "// a", "// b", ""]);
    }

    #[test]
    fn nothing_leads_a_closing_mark() {
        let mut gap = Gap::default();
        gap.read(" /*a*/ ");
        assert!(gap.is_inline());
        let gap = gap.close();
        assert_eq!(places(&gap), ["", "/*a*/", "", ""]);
        assert!(gap.is_inline());
    }

    #[test]
    fn blanks_at_the_end_of_a_description_are_kept() {
        assert_eq!(trimmed("// a \t\r"), "// a");
        assert_eq!(trimmed("//// a  "), "//// a");
        assert_eq!(trimmed("/// a  "), "/// a  ");
        assert_eq!(trimmed("/// a\r"), "/// a");
        assert_eq!(trimmed("/// a \r\r"), "/// a ");
    }
}
