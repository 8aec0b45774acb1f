//! The one layout, as the edits that lead to it.

use std::ops::Range as Bytes;

use gen_lsp_types::{Range, TextEdit};
use similar::{DiffOp, TextDiff};

use crate::snapshot::Document;

/// The edits that lay a document out, those in `within` alone if that is given; none for one that has not the shape of
/// a spec.
pub(crate) fn of(document: &Document, within: Option<Range>) -> Vec<TextEdit> {
    let old = document.text.as_str();
    let Ok(new) = coec_lang::format(&document.path.to_string_lossy(), old) else { return Vec::new() };
    let new = coec_lang::with_line_ends_of(old, new);
    let diff = TextDiff::from_lines(old, new.as_str());
    let (before, after) = (diff.old_slices(), diff.new_slices());
    let starts: Vec<usize> = std::iter::once(0)
        .chain(before.iter().scan(0, |at, line| {
            *at += line.len();
            Some(*at)
        }))
        .collect();
    let edit = |(lines, new): (Bytes<usize>, Bytes<usize>)| {
        let range = starts[lines.start]..starts[lines.end];
        TextEdit::new(document.text.span(range), after[new].concat())
    };
    let changes =
        diff.ops().iter().filter(|op| !matches!(op, DiffOp::Equal { .. })).flat_map(pieces).map(edit);
    let touches = |edit: &TextEdit| within.is_none_or(|within| touch(edit.range, within));
    changes.filter(touches).collect()
}

/// The lines of a change with what takes their place: line by line where they stay as many.
fn pieces(op: &DiffOp) -> Vec<(Bytes<usize>, Bytes<usize>)> {
    let (old, new) = (op.old_range(), op.new_range());
    match old.len() == new.len() {
        true => old.zip(new).map(|(old, new)| (old..old + 1, new..new + 1)).collect(),
        false => vec![(old, new)],
    }
}

/// Whether lines of one range are lines of the other.
fn touch(one: Range, other: Range) -> bool {
    // A range that ends where a line begins has nothing of that line.
    let last = |range: Range| match range.end.character {
        0 if range.end.line > range.start.line => range.end.line - 1,
        _ => range.end.line,
    };
    one.start.line <= last(other) && other.start.line <= last(one)
}
