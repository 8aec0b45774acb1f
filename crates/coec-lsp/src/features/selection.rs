//! What a selection grows to: token, brackets, field, item, file.

use std::ops::Range;

use gen_lsp_types::{Position, SelectionRange};

use crate::snapshot::Document;

/// The pieces around each position, the smallest first.
pub(crate) fn of(document: &Document, positions: &[Position]) -> Vec<SelectionRange> {
    positions.iter().map(|position| around(document, document.text.offset(*position))).collect()
}

fn around(document: &Document, at: usize) -> SelectionRange {
    let outline = document.outline();
    let holds = |range: &Range<usize>| range.start <= at && at <= range.end;
    let mut pieces: Vec<Range<usize>> = Vec::new();
    pieces.push(0..document.text.as_str().len());
    pieces.extend(outline.token_at(at).map(|token| token.start..token.end));
    for range in outline.brackets.iter().filter(|range| holds(range)) {
        pieces.extend([range.clone(), range.start + 1..range.end - 1]);
    }
    for item in outline.items.iter().filter(|item| holds(&item.range)) {
        pieces.push(item.range.clone());
        pieces.extend(item.parts.iter().map(|part| part.range.clone()).filter(holds));
    }
    pieces.retain(|range| holds(range));
    pieces.sort_by_key(|range| (std::cmp::Reverse(range.len()), range.start));
    pieces.dedup();
    let mut found: Option<SelectionRange> = None;
    let mut outer = 0..usize::MAX;
    for range in pieces {
        // Pieces that meet at the place without one being in the other are not of one line.
        if outer.start <= range.start && range.end <= outer.end {
            found = Some(SelectionRange::new(document.text.span(range.clone()), found.map(Box::new)));
            outer = range;
        }
    }
    found.unwrap_or_else(|| SelectionRange::new(document.text.span(at..at), None))
}
