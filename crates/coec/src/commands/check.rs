//! `coec check`: everything short of building.

use coec_lang::{Outcome, Report, Spec, check, load};
use serde_json::json;

use super::{json_of, print_json};
use crate::{
    cli::CheckArgs,
    disk::Disk,
    failure::{Done, Failure},
    render,
};

pub fn run(args: &CheckArgs) -> Result<Done, Failure> {
    let mut done = Done::Well;
    let mut documents = Vec::new();
    let mut failed = false;
    for path in &args.spec.specs {
        // A wrong spec does not keep the others from being checked.
        let checked = load(path, &args.spec.set.sets, &Disk).and_then(|specs| {
            specs.into_iter().map(|s| check(&s, &Disk).map(|r| (s, r))).collect::<Result<Vec<_>, _>>()
        });
        match checked {
            Ok(specs) => {
                for (spec, report) in specs {
                    if report.is_violated() {
                        done = Done::BudgetFails;
                    }
                    if args.spec.json.json {
                        documents.push(document(&spec, &report));
                    } else {
                        show(&spec, &report);
                    }
                }
            }
            Err(errors) if args.spec.json.json => {
                documents.push(json!({ "spec": path, "errors": json_of(&errors) }));
                failed = true;
            }
            Err(errors) => {
                render::diagnostics(&errors);
                failed = true;
            }
        }
    }
    if args.spec.json.json {
        print_json(&json!({ "schema": coec_ir::SCHEMA, "specs": documents }));
    }
    if failed { Err(Failure::Shown) } else { Ok(done) }
}

/// Prints advice, violations, and one line of summary.
pub fn show(spec: &Spec, report: &Report) {
    let found: Vec<_> = spec.advice.iter().chain(report.diagnostics()).collect();
    let shown = found.len().min(render::remaining());
    found[..shown].iter().for_each(|diagnostic| render::diagnostic(diagnostic));
    if shown < found.len() {
        render::line(&format!("{}: {} more reports are not shown", spec.model.name, found.len() - shown));
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
    render::line(&format!("{}: {}", spec.model.name, parts.join(", ")));
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
