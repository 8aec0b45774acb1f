//! What an editor can ask, a file for each.

pub mod actions;
pub mod completion;
pub mod diagnostics;
pub mod folding;
pub mod formatting;
pub mod hints;
pub mod hover;
pub mod lenses;
pub mod names;
pub mod picture;
pub mod references;
pub mod selection;
pub mod signature;
pub mod symbols;
pub mod tokens;

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use coec_ir::{Quantity, Unit, Verified, first_digits, grouped, short};
use coec_lang::outline::{Item, ItemKind};
use coec_lang::with_line_ends_of;
use gen_lsp_types::{
    DocumentChange, Edit, MarkupContent, MarkupKind, OptionalVersionedTextDocumentIdentifier,
    TextDocumentEdit, TextDocumentIdentifier, TextEdit, Uri, WorkspaceEdit,
};
use num_bigint::BigUint;

use crate::analysis::{Analysis, Judged};
use crate::snapshot::{Document, Snapshot};

/// A document, and what is known of it.
pub(crate) struct View<'v> {
    pub texts: &'v Snapshot,
    pub document: &'v Document,
    pub analysis: &'v Analysis,
}

impl View<'_> {
    /// The bytes that a label covers, if it is in this document.
    pub fn range_of(&self, label: &coec_lang::Label) -> Option<Range<usize>> {
        let (path, other) = (&self.document.path, Path::new(&label.file));
        // Names of one file differ where a folder is a link.
        let is_one = || self.texts.disk.canonical(other) == self.document.one;
        let is_here = path == other || path.file_name() == other.file_name() && is_one();
        is_here.then(|| self.document.range_of(label))
    }

    /// The model declared around a byte; of a file that is one block, that model.
    pub fn model_at(&self, at: usize) -> Option<&Judged> {
        let outline = self.document.outline();
        let item = &outline.items[outline.item_at(at)?];
        match (&item.name, self.analysis.models.as_slice()) {
            (Some(name), _) => self.analysis.model(self.document.slice(name.clone())),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }

    /// The item that declares a model; of a file that is one block, that block.
    pub fn item_of(&self, model: &Judged) -> Option<&Item> {
        let name = &model.spec.model.name;
        self.document.outline().items.iter().find(|item| match (&item.name, item.kind) {
            (Some(range), ItemKind::Model) => self.document.slice(range.clone()) == name,
            (None, ItemKind::Block) => true,
            _ => false,
        })
    }

    /// The change that makes the document read as `text`, its line ends apart: one piece, as small as it can be.
    pub fn change_to(&self, text: String) -> Option<TextEdit> {
        let old = self.document.text.as_str();
        let text = with_line_ends_of(old, text);
        let (range, new) = difference(old, &text)?;
        Some(TextEdit::new(self.document.text.span(range), new.into()))
    }

    /// The edit that makes it so.
    pub fn edit_to(&self, text: String) -> Option<WorkspaceEdit> {
        Some(self.edit(vec![self.change_to(text)?]))
    }

    /// Changes of the document as an edit.
    pub fn edit(&self, changes: Vec<TextEdit>) -> WorkspaceEdit {
        edits_of(self.texts, [(self.document.uri.clone(), changes)].into())
    }
}

/// Changes of documents as an edit: where the client can tell, one of the versions that they have now.
pub(crate) fn edits_of(texts: &Snapshot, changes: HashMap<Uri, Vec<TextEdit>>) -> WorkspaceEdit {
    if !texts.versions {
        return WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() };
    }
    let of = |(uri, edits): (Uri, Vec<TextEdit>)| {
        let version = texts.open.get(&uri).map(|open| open.version);
        let text_document = OptionalVersionedTextDocumentIdentifier {
            version,
            text_document_identifier: TextDocumentIdentifier { uri },
        };
        let edits = edits.into_iter().map(Edit::TextEdit).collect();
        DocumentChange::TextDocumentEdit(TextDocumentEdit { text_document, edits })
    };
    let document_changes = changes.into_iter().map(of).collect();
    WorkspaceEdit { document_changes: Some(document_changes), ..WorkspaceEdit::default() }
}

/// Where two texts differ: a piece of the first, and what stands there in the second; `None` if they are equal.
fn difference<'n>(old: &str, new: &'n str) -> Option<(Range<usize>, &'n str)> {
    if old == new {
        return None;
    }
    let same = |(a, b): &(char, char)| a == b;
    let start: usize = old.chars().zip(new.chars()).take_while(same).map(|(c, _)| c.len_utf8()).sum();
    let rest = (&old[start..], &new[start..]);
    let backwards = rest.0.chars().rev().zip(rest.1.chars().rev());
    let end: usize = backwards.take_while(same).map(|(c, _)| c.len_utf8()).sum();
    Some((start..old.len() - end, &new[start..new.len() - end]))
}

/// Text that an editor shows as Markdown.
pub(crate) fn markdown(value: impl Into<String>) -> MarkupContent {
    MarkupContent { kind: MarkupKind::Markdown, value: value.into() }
}

/// A table as Markdown, in columns that are as wide as they must be: some editors show the text as it is.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count(), 3]).max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: [&str; N]| {
        let cells = cells.iter().zip(widths).map(|(cell, width)| format!(" {cell:<width$} |"));
        format!("|{}\n", cells.collect::<String>())
    };
    let rule: String = widths.iter().map(|width| format!("{}|", "-".repeat(width + 2))).collect();
    let rows: String =
        rows.iter().map(|row| line(std::array::from_fn(|column| row[column].as_str()))).collect();
    format!("{}|{rule}\n{rows}", line(head))
}

/// A value in a few characters, however large it is.
pub(crate) fn brief(value: &Quantity, unit: Unit) -> String {
    let number = value.to_f64();
    match value.to_integer() {
        Some(whole) if number.is_infinite() => first_digits(&whole.to_string(), 4),
        _ => short(number, unit),
    }
}

/// A whole number with all its digits, or the first of very many.
pub(crate) fn exact(value: BigUint) -> String {
    const MOST: u64 = 130;
    match value.bits() {
        ..=MOST => grouped(value),
        _ => brief(&Quantity::integer(value), Unit::Paths),
    }
}

/// A share in percent: `8.6%`.
pub(crate) fn percent(part: f64, whole: f64) -> String {
    match 100.0 * part / whole {
        share if !share.is_finite() => "0%".into(),
        share if share != 0.0 && share.abs() < 0.1 => format!("{share:.2}%"),
        share => format!("{share:.1}%"),
    }
}

/// A model of the language.
pub(crate) type Model = Verified<coec_ir::Model>;
