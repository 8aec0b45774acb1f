//! The budget report card: declared, closed form, captured, measured, verdict.

use std::borrow::Cow;

use coec_ir::{
    Figure, Model, Verified,
    cost::{Cost, Setting},
};
use coec_nn::capture::Counts;
use serde::{Deserialize, Serialize};

/// What a run measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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

/// A figure's value: an exact integer where it is one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Number {
    /// Counted.
    Integer(u128),
    /// Measured.
    Real(f64),
}

impl Number {
    /// The nearest f64.
    pub fn to_f64(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Real(value) => value,
        }
    }

    /// `total / parts`, exact where it divides.
    fn ratio(total: u128, parts: u128) -> Self {
        match total.is_multiple_of(parts) {
            true => Self::Integer(total / parts),
            false => Self::Real(total as f64 / parts as f64),
        }
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

/// How a row or a rule came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its name.
    pub figure: Cow<'static, str>,
    /// From the IR.
    pub closed_form: Option<Number>,
    /// From the recorded operations of the real module.
    pub captured: Option<Number>,
    /// From the run.
    pub measured: Option<Number>,
    /// Whether the counts that must agree do.
    pub verdict: Standing,
}

/// One rule and how it came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    pub verdict: Standing,
}

/// Judges the declared budgets, given what was measured.
pub type Judge<'a> = dyn Fn(Option<&Measured>) -> Vec<Judged> + 'a;

/// The whole card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReportCard {
    /// The version of this document.
    pub schema: Cow<'static, str>,
    /// The model's name.
    pub model: String,
    /// Steps done; 0 for a build.
    #[serde(default)]
    pub steps: usize,
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
    /// What training never moved.
    #[serde(default)]
    pub unmoved: Unmoved,
}

/// What training never moved: since the first step, no gradient reached it (weight decay may have).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Unmoved {
    /// Experts that no token ever selected.
    pub experts: Vec<LayerExperts>,
    /// Other tensors.
    pub tensors: Vec<String>,
}

/// Experts of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerExperts {
    /// The layer, from 0.
    pub layer: usize,
    /// The experts, from 0.
    pub experts: Vec<usize>,
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
        unmoved: Unmoved,
    ) -> Self {
        let rows = rows(&Cost::of(model, setting), counts, measured.as_ref());
        Self {
            schema: coec_ir::SCHEMA.into(),
            model: model.name.clone(),
            steps: 0,
            backend: backend.to_string(),
            setting,
            rows,
            budgets,
            measured,
            unmoved,
        }
    }

    /// The same after so many steps.
    pub fn after(self, steps: usize) -> Self {
        Self { steps, ..self }
    }

    /// Whether anything failed that is more than a warning.
    pub fn fails(&self) -> bool {
        let rows = self.rows.iter().map(|row| row.verdict);
        rows.chain(self.budgets.iter().map(|judged| judged.verdict)).any(|v| v == Standing::Fails)
    }
}

fn rows(cost: &Cost, counts: &Counts, measured: Option<&Measured>) -> Vec<Row> {
    let tokens = cost.setting.batch as u128 * cost.setting.context as u128;
    let closed = |figure| cost.figure(figure).and_then(|value| u128::try_from(value).ok());
    let row = |figure: Figure, captured: Option<Number>, measured: Option<Number>| {
        let closed_form = closed(figure).map(Number::Integer);
        let parts = captured.is_some() && closed_form != captured;
        let verdict = if parts { Standing::Fails } else { Standing::Holds };
        Row { figure: figure.name().into(), closed_form, captured, measured, verdict }
    };
    let mut rows = vec![
        row(Figure::ParamsTotal, Some(Number::Integer(counts.params)), None),
        row(Figure::ParamsActive, None, None),
        row(Figure::ParamsActiveNonEmbedding, None, None),
        row(Figure::FlopsForward, None, None),
        row(Figure::FlopsExecuted, Some(Number::ratio(counts.forward, tokens)), None),
        row(Figure::FlopsTrain, None, None),
    ];
    let captured = Number::ratio(counts.forward + counts.backward, tokens);
    let mut trained = row(Figure::FlopsExecutedTrain, Some(captured), measured.map(|m| m.flops.into()));
    if let (Some(closed), Some(measured)) = (trained.closed_form, trained.measured)
        // Rows counted as they were multiplied, against the closed form: equal, up to the rounding of a
        // division.
        && (measured.to_f64() / closed.to_f64() - 1.0).abs() > 1e-9
    {
        trained.verdict = Standing::Fails;
    }
    rows.push(trained);
    rows.push(row(Figure::MemoryTrain, None, measured.map(|m| Number::Integer(m.memory.into()))));
    rows.push(row(Figure::ExpertsCalls, None, None));
    rows
}

/// A figure as f64; figures of a verified model are far below 2^1023.
pub fn figure(model: &Verified<Model>, setting: Setting, figure: Figure) -> f64 {
    let value = Cost::of(model, setting).figure(figure).unwrap_or_default();
    value.to_string().parse().unwrap_or(f64::INFINITY)
}
