//! Marks of neighbouring entries in one column.

use super::WIDTH;
use super::tree::{Entry, Mark, Part};

/// Columns up to which `=` and comparisons are aligned: one very long name moves no other.
const WIDEST_NAME: usize = 32;

/// The same for what stands in front of `@`.
const WIDEST_RULE: usize = 48;

/// Blanks in front of each cell's mark, for each entry.
#[derive(Debug, Clone, Default)]
pub(super) struct Pads {
    relation: usize,
    conditions: usize,
}

impl Pads {
    pub fn before(&self, mark: Option<Mark>) -> usize {
        match mark {
            None => 0,
            Some(Mark::Relation) => self.relation,
            Some(Mark::Conditions) => self.conditions,
        }
    }

    fn set(&mut self, mark: Mark, pad: usize) {
        match mark {
            Mark::Relation => self.relation = pad,
            Mark::Conditions => self.conditions = pad,
        }
    }
}

/// What aligns the marks of entries that stand under each other, `indent` columns in.
pub(super) fn aligned(entries: &[&Entry], indent: usize) -> Vec<Pads> {
    let mut pads = vec![Pads::default(); entries.len()];
    align(entries, &mut pads, Mark::Relation, WIDEST_NAME);
    align(entries, &mut pads, Mark::Conditions, WIDEST_RULE);
    let pushes_out = |entry: &Entry, pads: &Pads| {
        let width = total(entry, pads).map(|width| indent + width);
        width.is_some_and(|width| width > WIDTH && width - pads.conditions <= WIDTH)
    };
    if entries.iter().zip(&pads).any(|(entry, pads)| pushes_out(entry, pads)) {
        pads.iter_mut().for_each(|pads| pads.conditions = 0);
    }
    pads
}

fn align(entries: &[&Entry], pads: &mut [Pads], mark: Mark, widest: usize) {
    let widths: Vec<Option<usize>> = entries
        .iter()
        .zip(pads.iter())
        .map(|(entry, pads)| before(entry, pads, mark).filter(|&width| width <= widest))
        .collect();
    let column = widths.iter().flatten().max().copied().unwrap_or_default();
    for (pads, width) in pads.iter_mut().zip(widths) {
        if let Some(width) = width {
            pads.set(mark, column - width);
        }
    }
}

/// Columns of an entry in front of a mark, if it has the mark and stands on one line up to there
/// without a comment in between: comments would push the marks of others far to the right.
fn before(entry: &Entry, pads: &Pads, mark: Mark) -> Option<usize> {
    let mut width = 0;
    let has_lead = !entry.gap.lead().is_empty();
    for cell in entry.cells.iter().filter(|_| !has_lead) {
        if cell.mark == Some(mark) {
            return (!matches!(cell.run.parts.first(), Some(Part::Gap(_)))).then_some(width);
        }
        width += pads.before(cell.mark) + cell.width?;
    }
    None
}

fn total(entry: &Entry, pads: &Pads) -> Option<usize> {
    let pads: usize = entry.cells.iter().map(|cell| pads.before(cell.mark)).sum();
    Some(entry.width()? + pads)
}
