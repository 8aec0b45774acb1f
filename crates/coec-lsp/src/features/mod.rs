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

use coec_ir::Verified;
use gen_lsp_types::{MarkupContent, MarkupKind, TextEdit, Uri, WorkspaceEdit};

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
        let one = |path: &Path| self.texts.disk.canonical(path);
        let (path, other) = (&self.document.path, Path::new(&label.file));
        // Names of one file differ where a folder is a link.
        let is_here = path == other || path.file_name() == other.file_name() && one(path) == one(other);
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

    /// An edit that makes the document read as `text`: one piece, as small as it can be.
    pub fn edit_to(&self, text: &str) -> Option<WorkspaceEdit> {
        let (range, new) = difference(self.document.text.as_str(), text)?;
        let edit = TextEdit::new(self.document.text.span(range), new.into());
        Some(one_edit(self.document.uri.clone(), vec![edit]))
    }
}

/// Edits of one document.
pub(crate) fn one_edit(uri: Uri, edits: Vec<TextEdit>) -> WorkspaceEdit {
    edits_of([(uri, edits)].into())
}

pub(crate) fn edits_of(changes: HashMap<Uri, Vec<TextEdit>>) -> WorkspaceEdit {
    WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() }
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
