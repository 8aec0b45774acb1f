//! The declared budgets of a spec, given what a run measured.

use coec_ir::Quantity;
use coec_lang::{Outcome, Report, Spec, Verdict};
use coec_train::report::{Judged, Measured, Standing};

/// The verdicts of a spec's budgets.
pub fn verdicts(spec: &Spec, report: &Report, backend: &str, measured: Option<&Measured>) -> Vec<Verdict> {
    let value = |figure| {
        let value = measured?.figure(figure)?;
        Quantity::parse(&format!("{value:.9}")).ok()
    };
    let verdicts = report.verdicts.iter();
    match measured {
        Some(_) => verdicts.map(|verdict| verdict.measured(spec, backend, value)).collect(),
        None => verdicts.cloned().collect(),
    }
}

/// The same as rows of the report card.
pub fn judged(spec: &Spec, report: &Report, backend: &str, measured: Option<&Measured>) -> Vec<Judged> {
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
    verdicts(spec, report, backend, measured).into_iter().map(row).collect()
}
