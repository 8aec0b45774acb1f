//! The text being written, line by line.

/// Blanks between a line and the comment at its end.
const BEFORE_COMMENT: usize = 4;

/// Columns up to which lines have their comments aligned: one very long line moves no other comment.
const WIDEST_LINE: usize = 64;

/// Text with its current column. Comments at the ends of lines are put in last, when the
/// lengths of the lines around them are known.
#[derive(Debug, Default)]
pub(super) struct Writer<'t> {
    out: String,
    column: usize,
    /// Goes up with every blank line.
    section: usize,
    comments: Vec<EndComment<'t>>,
}

/// A comment at the end of a line.
#[derive(Debug)]
struct EndComment<'t> {
    /// Where in the text it goes.
    at: usize,
    section: usize,
    column: usize,
    indent: usize,
    text: &'t str,
    /// Whether another comment stands in front of it on the same line.
    follows: bool,
}

impl<'t> Writer<'t> {
    pub fn column(&self) -> usize {
        self.column
    }

    pub fn text(&mut self, text: &str) {
        // A comment can have line breaks in it.
        if let Some((lines, last)) = text.rsplit_once('\n') {
            push_lines(&mut self.out, lines);
            self.out.push_str(last);
            self.column = last.chars().count();
        } else {
            self.out.push_str(text);
            self.column += text.chars().count();
        }
    }

    pub fn spaces(&mut self, count: usize) {
        self.out.extend(std::iter::repeat_n(' ', count));
        self.column += count;
    }

    /// Begins a line, unless the text begins here.
    pub fn new_line(&mut self, indent: usize) {
        if !self.is_empty() {
            self.out.push('\n');
        }
        self.column = 0;
        self.spaces(indent);
    }

    /// Leaves a line empty; the next begins with [`new_line`](Self::new_line).
    pub fn blank_line(&mut self) {
        if !self.is_empty() {
            self.out.push('\n');
        }
        self.section += 1;
    }

    /// Puts a comment at the end of this line, which ends with it.
    pub fn end_comment(&mut self, indent: usize, text: &'t str) {
        let last = self.comments.last();
        let follows = last.is_some_and(|last| last.at == self.out.len());
        let (at, section, column) = (self.out.len(), self.section, self.column);
        self.comments.push(EndComment { at, section, column, indent, text, follows });
    }

    fn is_empty(&self) -> bool {
        self.out.is_empty() && self.comments.is_empty()
    }

    /// The whole text, its last line ended.
    pub fn finish(mut self) -> String {
        if !self.is_empty() {
            self.out.push('\n');
        }
        let mut text = String::with_capacity(self.out.len());
        let mut copied = 0;
        for run in self.comments.chunk_by(are_aligned) {
            let columns = run.iter().map(|comment| comment.column);
            let column = columns.filter(|&column| column <= WIDEST_LINE).max().unwrap_or_default();
            for comment in run {
                text.push_str(&self.out[copied..comment.at]);
                copied = comment.at;
                let gap = column.saturating_sub(comment.column) + BEFORE_COMMENT;
                let gap = if comment.follows { 1 } else { gap };
                text.extend(std::iter::repeat_n(' ', gap));
                match comment.text.rsplit_once('\n') {
                    Some((lines, last)) => {
                        push_lines(&mut text, lines);
                        text.push_str(last);
                    }
                    None => text.push_str(comment.text),
                }
            }
        }
        text.push_str(&self.out[copied..]);
        text
    }
}

/// Adds whole lines, each ended by a line feed however it ended before.
fn push_lines(out: &mut String, lines: &str) {
    for line in lines.split('\n') {
        out.push_str(line.trim_end_matches('\r'));
        out.push('\n');
    }
}

/// Whether two comments in a row may stand in one column: no blank line is between them.
fn are_aligned(above: &EndComment, below: &EndComment) -> bool {
    above.section == below.section && above.indent == below.indent
}
