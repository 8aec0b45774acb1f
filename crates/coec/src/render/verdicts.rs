//! The verdicts on a spec's budgets.

use coec_lang::{Outcome, Report, Spec};
use serde_json::json;

use super::{diagnostic, json::json_of, line, remaining};

/// Prints advice, violations, and one line of summary.
pub fn show(spec: &Spec, report: &Report) {
    let found: Vec<_> = spec.advice.iter().chain(report.diagnostics()).collect();
    let shown = found.len().min(remaining());
    found[..shown].iter().for_each(|found| diagnostic(found));
    if shown < found.len() {
        line(&format!("{}: {} more reports are not shown", spec.model.name, found.len() - shown));
    }
    let count = |outcome| report.verdicts.iter().filter(|v| v.outcome == outcome).count();
    let (holds, violated) = (count(Outcome::Holds), count(Outcome::Violated));
    let (warned, deferred) = (count(Outcome::Warned), count(Outcome::Deferred));
    let mut parts = vec![match (holds, report.verdicts.len()) {
        (_, 0) => "no budgets".to_string(),
        (1, _) => "1 budget holds".to_string(),
        (n, _) => format!("{n} budgets hold"),
    }];
    parts.extend((violated > 0).then(|| format!("{violated} fail")));
    parts.extend((warned > 0).then(|| format!("{warned} warn")));
    parts.extend((deferred > 0).then(|| format!("{deferred} wait for training")));
    line(&format!("{}: {}", spec.model.name, parts.join(", ")));
}

/// The verdicts of a spec as JSON.
pub fn document(spec: &Spec, report: &Report) -> serde_json::Value {
    let text = |q: &Option<coec_ir::Quantity>| q.as_ref().map(|q| q.text().to_string());
    let budgets: Vec<_> = report
        .verdicts
        .iter()
        .map(|verdict| {
            let readings: Vec<_> = verdict
                .readings
                .iter()
                .map(|r| json!({ "layer": r.layer, "actual": text(&r.actual), "target": text(&r.target) }))
                .collect();
            json!({
                "rule": coec_ir::text::rule(&verdict.rule),
                "file": verdict.at.file,
                "line": verdict.at.line,
                "outcome": verdict.outcome,
                "readings": readings,
            })
        })
        .collect();
    json!({
        "model": spec.model.name,
        "budgets": budgets,
        "diagnostics": json_of(spec.advice.iter().chain(report.diagnostics())),
    })
}
