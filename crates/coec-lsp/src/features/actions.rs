//! What mends what is wrong.

use std::ops::Range as Bytes;

use coec_ir::{Figure, Target};
use coec_lang::{Outcome, Verdict, fit_rule};
use gen_lsp_types::{CodeAction, CodeActionKind, TextEdit};

use super::View;
use crate::analysis::Judged;

/// The field that is fitted to make a pair fair: the one that changes nothing but how much is computed.
pub(crate) const FREE: &str = "ffn.hidden";

/// The actions on a piece of a document.
pub(crate) fn of(view: &View, within: &Bytes<usize>) -> Vec<CodeAction> {
    let mut found = meant(view, within);
    for model in &view.analysis.models {
        for verdict in &model.verdicts {
            let is_here = view.range_of(&verdict.at).is_some_and(|range| touch(&range, within));
            if is_here && matches!(verdict.outcome, Outcome::Violated | Outcome::Warned) {
                found.extend(fixes(view, model, verdict));
                found.extend(fair(view, model, verdict));
            }
        }
    }
    found
}

fn touch(one: &Bytes<usize>, other: &Bytes<usize>) -> bool {
    one.start <= other.end && other.start <= one.end
}

/// Every "did you mean" as an edit.
fn meant(view: &View, within: &Bytes<usize>) -> Vec<CodeAction> {
    let mut found: Vec<CodeAction> = Vec::new();
    for diagnostic in &view.analysis.said {
        let labels = diagnostic.labels();
        let Some(at) = labels.first().and_then(|label| view.range_of(label)) else { continue };
        if !touch(&at, within) {
            continue;
        }
        let replacements = diagnostic.replacements();
        let is_only = replacements.len() == 1;
        for replacement in replacements {
            let Some(range) = view.range_of(&replacement) else { continue };
            let edit = TextEdit::new(view.document.text.span(range), replacement.text.clone());
            let title = format!("write `{}`", replacement.text.trim_matches('"'));
            let action = quick_fix(title, view.edit(vec![edit]), is_only);
            // Two models may stumble over the same word.
            if !found.contains(&action) {
                found.push(action);
            }
        }
    }
    found
}

/// Values of single fields that close the gap of a rule.
fn fixes(view: &View, model: &Judged, verdict: &Verdict) -> Vec<CodeAction> {
    let of = |fix: &coec_lang::Fix| {
        let text = model.spec.text_with(&[(fix.path, fix.then)])?;
        let title =
            format!("close the gap{}: `{} = {}` ({} now)", whose(view, model), fix.path, fix.then, fix.now);
        Some(quick_fix(title, view.edit_to(text)?, false))
    };
    verdict.fixes.iter().filter_map(of).collect()
}

/// The width of experts with which a figure comes nearest to that of another spec.
fn fair(view: &View, model: &Judged, verdict: &Verdict) -> Option<CodeAction> {
    let Target::Figure { spec: Some(other), figure } = &verdict.rule.target else { return None };
    let loader = view.texts.loader();
    let fit = fit_rule(&model.spec, FREE, &verdict.rule, &loader).ok()?;
    if !fit.best.holds() {
        return None;
    }
    let text = fit.text(&model.spec, &fit.best, &[], None);
    let (path, value) = fit.best.values.first()?;
    let (whose, figure) = (whose(view, model), Figure::name(*figure));
    let title = format!("make the pair fair{whose}: `{path} = {value}` fits {figure} to {other}");
    Some(quick_fix(title, view.edit_to(text)?, true))
}

/// Of several models of a file, which one is meant.
fn whose(view: &View, model: &Judged) -> String {
    match view.analysis.models.as_slice() {
        [_] => String::new(),
        _ => format!(" of `{}`", model.spec.model.name),
    }
}

fn quick_fix(title: String, edit: gen_lsp_types::WorkspaceEdit, is_preferred: bool) -> CodeAction {
    CodeAction {
        title,
        kind: Some(CodeActionKind::QuickFix),
        is_preferred: is_preferred.then_some(true),
        edit: Some(edit),
        ..CodeAction::default()
    }
}
