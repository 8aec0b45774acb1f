//! What can be folded away: blocks over several lines, and comments.

use coec_lang::outline::Role;
use gen_lsp_types::{FoldingRange, FoldingRangeKind};

use crate::snapshot::Document;

/// The folds of a document, in order.
pub(crate) fn of(document: &Document) -> Vec<FoldingRange> {
    let outline = document.outline();
    let line = |at: usize| document.text.position(at).line;
    let fold = |start: u32, end: u32, kind| FoldingRange::new(start, None, end, None, kind, None);
    let mut found = Vec::new();
    for range in &outline.brackets {
        // The closing bracket stays in sight where it has a line of its own.
        let (start, end) = (line(range.start), line(range.end));
        let is_alone = document.text.line(end as usize).trim_start().starts_with(['}', ')', ']']);
        let end = if is_alone { end.saturating_sub(1) } else { end };
        if end > start {
            found.push(fold(start, end, Some(FoldingRangeKind::Region)));
        }
    }
    // Comments on lines that follow each other are one.
    let mut open: Option<(u32, u32)> = None;
    for token in &outline.tokens {
        let (start, end) = (line(token.start), line(token.end));
        let is_comment = matches!(token.role, Role::Comment(_));
        open = match open {
            Some((first, last)) if is_comment && start <= last + 1 => Some((first, end)),
            _ => {
                if let Some((first, last)) = open.filter(|(first, last)| last > first) {
                    found.push(fold(first, last, Some(FoldingRangeKind::Comment)));
                }
                is_comment.then_some((start, end))
            }
        };
    }
    if let Some((first, last)) = open.filter(|(first, last)| last > first) {
        found.push(fold(first, last, Some(FoldingRangeKind::Comment)));
    }
    found.sort_by_key(|fold| (fold.start_line, std::cmp::Reverse(fold.end_line)));
    found.dedup_by_key(|fold| (fold.start_line, fold.end_line));
    found
}
