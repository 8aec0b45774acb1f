//! What a file declares.

use coec_lang::outline::{ItemKind, Outline};
use gen_lsp_types::{DocumentSymbol, SymbolKind};

use crate::snapshot::Document;

/// The items of a document with their fields.
#[allow(deprecated)] // the protocol still has the field
pub(crate) fn of(document: &Document) -> Vec<DocumentSymbol> {
    let Outline { items, .. } = document.outline();
    let mut found = Vec::with_capacity(items.len());
    for item in items {
        let (word, kind, part) = match item.kind {
            ItemKind::Model => ("model", SymbolKind::Class, SymbolKind::Field),
            ItemKind::Budget => ("budget", SymbolKind::Interface, SymbolKind::Boolean),
            ItemKind::Train => ("train", SymbolKind::Namespace, SymbolKind::Field),
            ItemKind::Sweep => ("sweep", SymbolKind::Array, SymbolKind::Field),
            ItemKind::Let => ("let", SymbolKind::Constant, SymbolKind::Field),
            ItemKind::Block => ("model", SymbolKind::Class, SymbolKind::Field),
        };
        let name = match (&item.name, item.kind) {
            (Some(name), _) => document.slice(name.clone()).to_owned(),
            (None, ItemKind::Block) => document
                .path
                .file_stem()
                .map_or_else(|| word.into(), |stem| stem.to_string_lossy().into_owned()),
            (None, _) => word.to_owned(),
        };
        let selection = item.name.clone().unwrap_or(item.range.start..item.range.start);
        let parts = item.parts.iter().map(|one| DocumentSymbol {
            name: document.slice(one.name.clone()).to_owned(),
            detail: Some(value(document.slice(one.name.end.min(one.range.end)..one.range.end))),
            kind: part,
            tags: None,
            deprecated: None,
            range: document.text.span(one.range.clone()),
            selection_range: document.text.span(one.name.clone()),
            children: None,
        });
        found.push(DocumentSymbol {
            name,
            detail: Some(word.into()),
            kind,
            tags: None,
            deprecated: None,
            range: document.text.span(item.range.clone()),
            selection_range: document.text.span(selection),
            children: Some(parts.collect()),
        });
    }
    found
}

/// What stands behind a name, on one line and not too long.
fn value(text: &str) -> String {
    const MOST: usize = 60;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = line.trim_start_matches("= ");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.to_owned(),
    }
}
