//! Lays out a text.

use super::WIDTH;
use super::columns::{Pads, aligned};
use super::gap::{Comment, Gap};
use super::tree::{Braced, Entry, File, Item, List, Part, Run, comments};
use super::write::Writer;

/// Columns that a level is further in.
const STEP: usize = 4;

/// The last column that anything is aligned with or indented to: from there on nesting is
/// not shown, so that a text of many levels does not grow with their number.
const DEEPEST: usize = 60;

/// The layout of a file.
pub(super) fn file(file: &File) -> String {
    let mut printer = Printer::default();
    let mut ends = file.items.iter().skip(1).map(Item::gap).chain([&file.end]);
    let mut is_first = true;
    for group in file.items.chunk_by(|_, next| !next.gap().has_blank()) {
        let entries: Vec<&Entry> = group.iter().filter_map(Item::as_entry).collect();
        let mut pads = aligned(&entries, 0).into_iter();
        for item in group {
            printer.above(item.gap(), 0, is_first);
            match item {
                Item::Braced(block) => printer.block(block),
                Item::Entry(entry) => printer.entry(entry, &pads.next().unwrap_or_default(), 0),
            }
            printer.behind(ends.next(), 0);
            is_first = false;
        }
    }
    printer.comments_above(&file.end, 0, is_first);
    printer.out.finish()
}

#[derive(Default)]
struct Printer<'t> {
    out: Writer<'t>,
}

impl<'t> Printer<'t> {
    /// Begins the line of what follows a gap, with the comments above it and those that lead it.
    fn above(&mut self, gap: &Gap<'t>, indent: usize, is_first: bool) {
        self.comments_above(gap, indent, is_first);
        if gap.breaks_before_next() > 1 && !(is_first && gap.above().is_empty()) {
            self.out.blank_line();
        }
        self.out.new_line(indent);
        self.lead(gap);
    }

    fn comments_above(&mut self, gap: &Gap<'t>, indent: usize, is_first: bool) {
        for (i, comment) in gap.above().iter().enumerate() {
            if comment.breaks == 0 {
                self.out.spaces(1);
            } else {
                if comment.breaks > 1 && !(is_first && i == 0) {
                    self.out.blank_line();
                }
                self.out.new_line(indent);
            }
            self.out.text(comment.text);
        }
    }

    fn lead(&mut self, gap: &Gap<'t>) {
        for comment in gap.lead() {
            self.out.text(comment.text);
            self.out.spaces(1);
        }
    }

    /// Comments at the end of this line, which belong to the gap that begins here.
    fn behind(&mut self, gap: Option<&Gap<'t>>, indent: usize) {
        for comment in gap.map(Gap::behind).unwrap_or_default() {
            self.out.end_comment(indent, comment.text);
        }
    }

    /// Comments on this line, directly behind what is written.
    fn beside(&mut self, comments: &[Comment<'t>]) {
        for comment in comments {
            self.out.spaces(1);
            self.out.text(comment.text);
        }
    }

    fn block(&mut self, block: &Braced<'t>) {
        // A comment may stand in front of the block on its line.
        let left = WIDTH.saturating_sub(self.out.column());
        self.run(&block.header, 0, 0);
        let is_empty = block.entries.is_empty() && block.end.is_inline();
        let width = block.width_on_one_line().filter(|&width| width <= left);
        if is_empty || (block.on_one_line && width.is_some()) {
            for entry in &block.entries {
                self.out.spaces(1);
                self.lead(&entry.gap);
                self.entry(entry, &Pads::default(), 0);
            }
            self.beside(&block.end.comments);
            self.out.text(" }");
            return;
        }
        self.beside(block.entries.first().map_or(&block.end, |entry| &entry.gap).behind());
        let mut ends = block.entries.iter().skip(1).map(|entry| &entry.gap).chain([&block.end]);
        let mut is_first = true;
        for group in block.entries.chunk_by(|_, next| !next.gap.has_blank()) {
            let pads = aligned(&group.iter().collect::<Vec<_>>(), STEP);
            for (entry, pads) in group.iter().zip(pads) {
                self.above(&entry.gap, STEP, is_first);
                self.entry(entry, &pads, STEP);
                self.behind(ends.next(), STEP);
                is_first = false;
            }
        }
        self.comments_above(&block.end, STEP, is_first);
        self.out.new_line(0);
        self.out.text("}");
    }

    fn entry(&mut self, entry: &Entry<'t>, pads: &Pads, indent: usize) {
        for cell in &entry.cells {
            self.out.spaces(pads.before(cell.mark));
            self.run(&cell.run, indent, 0);
        }
    }

    /// Writes a run that is part of a line `indent` columns in; `tail` columns follow it there.
    fn run(&mut self, run: &Run<'t>, indent: usize, tail: usize) {
        for (i, part) in run.parts.iter().enumerate() {
            match part {
                Part::Text(text) => self.out.text(text),
                Part::Space => self.out.spaces(1),
                Part::Gap(gap) => self.gap_inside(gap, deeper(indent)),
                Part::List(list) => {
                    // Only in a rule's conditions something follows a list, and rules stay on their line.
                    let tail = if i + 1 == run.parts.len() { tail } else { 0 };
                    self.list(list, indent, tail);
                }
            }
        }
    }

    /// Comments between tokens that belong together, with the line breaks around them.
    fn gap_inside(&mut self, gap: &Gap<'t>, indent: usize) {
        let mut ends_line = false;
        for comment in &gap.comments {
            self.separate(comment.breaks > 0, indent);
            self.out.text(comment.text);
            ends_line = comment.is_line();
        }
        self.separate(ends_line || gap.breaks > 0, indent);
    }

    fn separate(&mut self, breaks: bool, indent: usize) {
        if breaks { self.out.new_line(indent) } else { self.out.spaces(1) }
    }

    fn list(&mut self, list: &List<'t>, indent: usize, tail: usize) {
        self.out.text(list.open);
        if list.commented {
            self.lines(list, indent);
        } else {
            let fits = |width| self.out.column() + width + tail <= WIDTH + list.open.len();
            self.filled(list, indent, tail, list.width.is_some_and(fits));
        }
        self.out.text(list.close);
    }

    /// A line for each element, and one for the closing bracket.
    fn lines(&mut self, list: &List<'t>, indent: usize) {
        let inside = deeper(indent);
        self.beside(list.elements.first().map_or(&list.end, |element| &element.gap).behind());
        for (i, element) in list.elements.iter().enumerate() {
            let next = list.gap_behind(i);
            self.above(&element.gap, inside, i == 0);
            self.run(&element.run, inside, 1);
            self.beside(next.ending());
            self.out.text(",");
            self.behind(Some(next), inside);
        }
        self.comments_above(&list.end, inside, list.elements.is_empty());
        self.out.new_line(indent);
    }

    /// As many elements on a line as belong together and fit.
    fn filled(&mut self, list: &List<'t>, indent: usize, tail: usize, on_one_line: bool) {
        let mut column = self.out.column();
        if !on_one_line && column > DEEPEST && !list.elements.is_empty() {
            column = deeper(indent);
            self.out.new_line(column);
        }
        for (i, element) in list.elements.iter().enumerate() {
            let next = list.gap_behind(i);
            let is_last = i + 1 == list.elements.len();
            // What comes behind it on its line: its comma, or the end of the list.
            let rest =
                if is_last { comments(&list.end.comments) + 1 + tail } else { 1 + comments(next.ending()) };
            if i > 0 {
                let width = element.width.map(|width| 1 + comments(element.gap.lead()) + width + rest);
                let fits = width.is_some_and(|width| self.out.column() + width <= WIDTH);
                self.separate(!on_one_line && (element.begins_line || !fits), column);
            }
            self.lead(&element.gap);
            self.run(&element.run, column, rest);
            if !is_last {
                self.beside(next.ending());
                self.out.text(",");
            }
        }
        self.beside(&list.end.comments);
    }
}

/// One level further in.
fn deeper(indent: usize) -> usize {
    (indent + STEP).min(DEEPEST)
}
