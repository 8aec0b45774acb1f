//! What is wrong, as the command says it.

use std::collections::HashMap;
use std::path::Path;

use coec_lang::{Diagnostic, Label, Severity};
use gen_lsp_types as lsp;
use gen_lsp_types::Uri;

use crate::analysis::Analysis;
use crate::pages::Pages;
use crate::snapshot::{Document, Snapshot};

/// Everything that is said of the file at `root`, by the file it is about.
pub(crate) fn of(
    texts: &Snapshot,
    root: &Document,
    analysis: &Analysis,
    pages: &mut Pages,
) -> HashMap<Uri, Vec<lsp::Diagnostic>> {
    let mut found: HashMap<Uri, Vec<lsp::Diagnostic>> = HashMap::new();
    // The file itself is named also where nothing is wrong with it, so that what was is taken away.
    found.entry(root.uri.clone()).or_default();
    for diagnostic in &analysis.said {
        let labels = diagnostic.labels();
        let Some((main, others)) = labels.split_first() else { continue };
        // What is in no file that can be shown is said where the file begins.
        let at = place(texts, main).unwrap_or_else(|| root.location(0..0));
        let related = others.iter().filter_map(|label| {
            Some(lsp::DiagnosticRelatedInformation {
                location: place(texts, label)?,
                message: label.text.clone(),
            })
        });
        let related: Vec<_> = related.collect();
        let one = lsp::Diagnostic {
            range: at.range,
            severity: Some(match diagnostic.severity() {
                Severity::Error => lsp::DiagnosticSeverity::Error,
                Severity::Warning => lsp::DiagnosticSeverity::Warning,
                Severity::Advice => lsp::DiagnosticSeverity::Information,
            }),
            code: Some(lsp::Code::String(diagnostic.code().into())),
            code_description: pages.page(diagnostic.code()).map(|href| lsp::CodeDescription { href }),
            source: Some("coec".into()),
            message: message(diagnostic, main).into(),
            tags: None,
            related_information: (!related.is_empty()).then_some(related),
            data: None,
        };
        found.entry(at.uri).or_default().push(one);
    }
    found
}

/// What is wrong, where, and what to do.
fn message(diagnostic: &Diagnostic, main: &Label) -> String {
    let (what, help) = (diagnostic.message(), diagnostic.help());
    let place = if what.contains(&main.text) { String::new() } else { format!(" ({})", main.text) };
    match help.is_empty() {
        true => format!("{what}{place}"),
        false => format!("{what}{place}\n{help}"),
    }
}

/// Where a label is, if that is in a file.
pub(crate) fn place(texts: &Snapshot, label: &Label) -> Option<lsp::Location> {
    let document = texts.at(Path::new(&label.file))?;
    Some(document.location(document.range_of(label)))
}
