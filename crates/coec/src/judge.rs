//! The declared budgets of a spec, given what a run measured.

use coec_ir::{Figure, Quantity};
use coec_lang::{Outcome, Report, Spec, Verdict};
use coec_train::report::{Judged, Measured, Standing};

/// The verdicts of a spec's budgets.
pub fn verdicts(spec: &Spec, report: &Report, backend: &str, measured: Option<&Measured>) -> Vec<Verdict> {
    match measured {
        Some(measured) => verdicts_of(spec, report, backend, &|figure| measured.figure(figure)),
        None => report.verdicts.clone(),
    }
}

/// The same where figures are known one by one.
fn verdicts_of(
    spec: &Spec,
    report: &Report,
    backend: &str,
    value: &dyn Fn(Figure) -> Option<f64>,
) -> Vec<Verdict> {
    let value = |figure| Quantity::parse(&format!("{:.9}", value(figure)?)).ok();
    report.verdicts.iter().map(|verdict| verdict.measured(spec, backend, value)).collect()
}

/// The same as rows of the report card.
pub fn judged(spec: &Spec, report: &Report, backend: &str, measured: Option<&Measured>) -> Vec<Judged> {
    rows(verdicts(spec, report, backend, measured))
}

/// The rows while a run goes on, of figures that are known so far.
pub fn judged_so_far(
    spec: &Spec,
    report: &Report,
    backend: &str,
    value: &dyn Fn(Figure) -> Option<f64>,
) -> Vec<Judged> {
    rows(verdicts_of(spec, report, backend, value))
}

fn rows(verdicts: Vec<Verdict>) -> Vec<Judged> {
    let row = |verdict: Verdict| {
        let reading = verdict.readings.first();
        let number = |quantity: Option<&Quantity>| quantity.map(Quantity::to_f64);
        Judged {
            rule: coec_ir::text::rule(&verdict.rule),
            figure: verdict.rule.figure,
            actual: number(reading.and_then(|r| r.actual.as_ref())),
            target: number(reading.and_then(|r| r.target.as_ref())),
            verdict: match verdict.outcome {
                Outcome::Holds => Standing::Holds,
                Outcome::Violated => Standing::Fails,
                Outcome::Warned => Standing::Warns,
                Outcome::Deferred => Standing::NotMeasured,
            },
        }
    };
    verdicts.into_iter().map(row).collect()
}
