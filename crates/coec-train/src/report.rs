//! The budget report card: declared, closed form, captured, measured, verdict.

use coec_ir::{
    Figure, Model, Verified,
    cost::{Cost, Setting},
};
use coec_nn::capture::Counts;
use serde::Serialize;

/// What a run measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Measured {
    /// FLOPs a token that were really multiplied, forward and backward.
    pub flops: f64,
    /// Peak bytes of a training step.
    pub memory: u64,
    /// Tokens a second, evaluation not counted.
    pub throughput: f64,
    /// Throughput times `flops.train`, as a share of the peak.
    pub mfu: f64,
    /// FLOP/s of the best matrix product at start.
    pub gemm_peak: f64,
}

impl Measured {
    /// The value of a measured figure.
    pub fn figure(&self, figure: Figure) -> Option<f64> {
        match figure {
            Figure::MeasuredFlops => Some(self.flops),
            Figure::MeasuredMemory => Some(self.memory as f64),
            Figure::MeasuredThroughput => Some(self.throughput),
            Figure::MeasuredMfu => Some(self.mfu),
            _ => None,
        }
    }
}

/// How a row or a rule came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds.
    Holds,
    /// It does not, and the rule only warns.
    Warns,
    /// It does not.
    Fails,
    /// Nothing decides it here: another backend, or a run that was interrupted early.
    NotMeasured,
}

/// One figure, counted in every way there is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Its name.
    pub figure: &'static str,
    /// From the IR.
    pub closed_form: Option<f64>,
    /// From the recorded operations of the real module.
    pub captured: Option<f64>,
    /// From the run.
    pub measured: Option<f64>,
    /// Whether the counts that must agree do.
    pub verdict: Verdict,
}

/// One rule and how it came out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// The rule as specs write it.
    pub rule: String,
    /// The figure's name.
    pub figure: Figure,
    /// The left-hand side, where there is one.
    pub actual: Option<f64>,
    /// The right-hand side.
    pub target: Option<f64>,
    /// How it came out.
    pub verdict: Verdict,
}

/// Judges the declared budgets, given what was measured.
pub type Judge<'a> = dyn Fn(Option<&Measured>) -> Vec<Judged> + 'a;

/// The whole card.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReportCard {
    /// The version of this document.
    pub schema: &'static str,
    /// The model's name.
    pub model: String,
    /// The backend the run was on.
    pub backend: String,
    /// What the figures were computed for.
    pub setting: Setting,
    /// Figures, each counted in every way there is.
    pub rows: Vec<Row>,
    /// Declared budgets.
    pub budgets: Vec<Judged>,
    /// What was measured.
    pub measured: Option<Measured>,
}

impl ReportCard {
    /// The card of a run, or of a build when nothing was measured.
    pub fn new(
        model: &Verified<Model>,
        setting: Setting,
        backend: &str,
        counts: &Counts,
        measured: Option<Measured>,
        budgets: Vec<Judged>,
    ) -> Self {
        let rows = rows(&Cost::of(model, setting), counts, measured.as_ref());
        Self {
            schema: coec_ir::SCHEMA,
            model: model.name.clone(),
            backend: backend.to_string(),
            setting,
            rows,
            budgets,
            measured,
        }
    }

    /// Whether anything failed that is more than a warning.
    pub fn fails(&self) -> bool {
        let rows = self.rows.iter().map(|row| row.verdict);
        rows.chain(self.budgets.iter().map(|judged| judged.verdict)).any(|v| v == Verdict::Fails)
    }
}

fn rows(cost: &Cost, counts: &Counts, measured: Option<&Measured>) -> Vec<Row> {
    let tokens = (cost.setting.batch * cost.setting.context) as f64;
    let closed = |figure| cost.figure(figure).and_then(|value| value.to_string().parse::<f64>().ok());
    let row = |figure: Figure, captured: Option<f64>, measured: Option<f64>| {
        let closed_form = closed(figure);
        let parts = captured.is_some_and(|captured| closed_form.is_some_and(|closed| closed != captured));
        let verdict = if parts { Verdict::Fails } else { Verdict::Holds };
        Row { figure: figure.name(), closed_form, captured, measured, verdict }
    };
    let per_token = |flops: u128| Some(flops as f64 / tokens);
    let mut rows = vec![
        row(Figure::ParamsTotal, Some(counts.params as f64), None),
        row(Figure::ParamsActive, None, None),
        row(Figure::FlopsForward, None, None),
        row(Figure::FlopsExecuted, per_token(counts.forward), None),
        row(Figure::FlopsTrain, None, None),
    ];
    let executed = closed(Figure::FlopsExecuted).map(|executed| 3.0 * executed);
    let captured = per_token(counts.forward + counts.backward);
    rows.push(Row {
        figure: "flops.executed x3",
        closed_form: executed,
        captured,
        measured: measured.map(|m| m.flops),
        verdict: match (executed, captured, measured) {
            (Some(closed), Some(captured), _) if closed != captured => Verdict::Fails,
            // Counted rows against the closed form: equal, up to the rounding of a division.
            (Some(closed), _, Some(m)) if (m.flops - closed).abs() > 1e-9 * closed => Verdict::Fails,
            _ => Verdict::Holds,
        },
    });
    rows.push(row(Figure::MemoryTrain, None, measured.map(|m| m.memory as f64)));
    rows.push(row(Figure::ExpertsCalls, None, None));
    rows
}
