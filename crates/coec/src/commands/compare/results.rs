//! What the runs of a comparison came to.

use std::path::Path;

use coec_ir::Figure;
use coec_train::{
    experiment::{Axis, Curve, Difference, Spread, Verdict},
    report::figure,
    run_dir::RunDir,
};
use serde::Serialize;

use super::{Plan, arms::Arm, fairness::Excess};
use crate::{experiments::run::Run, failure::Failure};

/// An arm with what its runs came to.
#[derive(Debug, Serialize)]
pub struct ArmResult {
    pub name: String,
    /// Its spec, relative to the comparison's directory.
    pub spec: String,
    /// Its runs, one a seed, relative to the comparison's directory.
    pub runs: Vec<String>,
    /// Steps of each.
    pub steps: usize,
    /// What was found best for it, by its field, where that was looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tuned: Option<super::tune::Tuned>,
    /// Validation loss at the end, nats a token.
    pub val_loss: Spread,
    #[serde(skip)]
    pub curves: Vec<Curve>,
}

/// Two arms side by side.
#[derive(Debug, Serialize)]
pub struct Pair {
    pub a: String,
    pub b: String,
    /// Of the validation losses at the end, a less b.
    pub difference: Difference,
    pub verdict: Verdict,
    /// Whether both cost the same.
    pub fair: bool,
    /// The figures in which they do not.
    pub differs: Vec<&'static str>,
    /// And by how much: `flops.forward +11.0%`.
    pub differs_by: Vec<String>,
    pub sentence: String,
    /// The same where both have spent as much.
    pub at_equal: Vec<AtEqual>,
    /// And the same at equal wall time, which is no part of what is the same in every run.
    #[serde(skip)]
    pub at_equal_time: Option<AtEqual>,
}

/// A difference where both arms have spent as much.
#[derive(Debug, Serialize)]
pub struct AtEqual {
    /// `steps`, `tokens`, `FLOPs`, `seconds`.
    pub axis: &'static str,
    /// How much. Of several seeds, the least.
    pub spent: f64,
    pub difference: Difference,
}

/// The arms, read from the directories of their runs.
pub fn arms(plan: &Plan, runs: &[Vec<Run>]) -> Result<Vec<ArmResult>, Failure> {
    plan.arms.iter().zip(runs).map(|(arm, runs)| of_arm(plan, arm, runs)).collect()
}

fn of_arm(plan: &Plan, arm: &Arm, runs: &[Run]) -> Result<ArmResult, Failure> {
    let flops = figure(&arm.spec.model, arm.train.setting(), Figure::FlopsTrain);
    let (mut losses, mut curves) = (Vec::new(), Vec::new());
    for run in runs {
        let metrics = RunDir::read_only(&run.dir)?.read_metrics()?;
        let Some(loss) = metrics.iter().rev().find_map(|line| line.val_loss) else {
            return Err(Failure::environment(
                "coec::compare::no_loss",
                format!("{} has no validation loss", run.title),
                "look into its log; a comparison needs held-out text",
            ));
        };
        losses.push(loss);
        curves.push(Curve::of(&metrics, flops));
    }
    let relative = |path: &Path| path.strip_prefix(&plan.dir).unwrap_or(path).to_string_lossy().into_owned();
    Ok(ArmResult {
        name: arm.name.clone(),
        spec: relative(&plan.spec_of(arm)),
        runs: runs.iter().map(|run| relative(&run.dir)).collect(),
        steps: arm.steps(),
        tuned: None,
        val_loss: Spread::of(losses),
        curves,
    })
}

/// Every two arms.
pub fn pairs(plan: &Plan, arms: &[ArmResult]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (i, a) in arms.iter().enumerate() {
        for (j, b) in arms.iter().enumerate().skip(i + 1) {
            pairs.push(pair(a, b, plan.excesses(i, j)));
        }
    }
    pairs
}

fn pair(a: &ArmResult, b: &ArmResult, excesses: &[Excess]) -> Pair {
    let difference = Difference::of(&a.val_loss.values, &b.val_loss.values);
    let differs_by: Vec<String> = excesses.iter().map(Excess::words).collect();
    let verdict = difference.verdict();
    let sentence = sentence(&a.name, &b.name, &difference, a.val_loss.values.len(), &differs_by);
    let mut at_equal: Vec<AtEqual> = Axis::ALL.into_iter().filter_map(|axis| at(a, b, axis)).collect();
    let time = at_equal.iter().position(|at| at.axis == Axis::Seconds.word());
    let at_equal_time = time.map(|time| at_equal.remove(time));
    Pair {
        a: a.name.clone(),
        b: b.name.clone(),
        verdict,
        fair: excesses.is_empty(),
        differs: excesses.iter().map(Excess::name).collect(),
        differs_by,
        sentence,
        difference,
        at_equal,
        at_equal_time,
    }
}

/// The difference of two arms where both have spent as much, seed by seed.
fn at(a: &ArmResult, b: &ArmResult, axis: Axis) -> Option<AtEqual> {
    let (mut least, mut first, mut second) = (f64::INFINITY, Vec::new(), Vec::new());
    for (a, b) in a.curves.iter().zip(&b.curves) {
        let (spent, losses) = Curve::at_equal(&[a, b], axis)?;
        least = least.min(spent);
        first.push(losses[0]);
        second.push(losses[1]);
    }
    Some(AtEqual { axis: axis.word(), spent: least, difference: Difference::of(&first, &second) })
}

/// What the pair shows, in a sentence.
fn sentence(a: &str, b: &str, difference: &Difference, seeds: usize, differs: &[String]) -> String {
    let Difference { mean, low, high, confidence } = difference;
    let label = match differs {
        [] => String::new(),
        differs => format!("not compute-fair ({}): ", differs.join(", ")),
    };
    let by = match (low, high) {
        (Some(low), Some(high)) => format!(
            "{mean:+.4} nats a token, {:.0}% interval {low:+.4} to {high:+.4}, paired t over {seeds} seeds",
            100.0 * confidence
        ),
        _ => format!("{mean:+.4} nats a token of one seed, which has no interval"),
    };
    let claim = match difference.verdict() {
        Verdict::Established => {
            format!("established at this scale: the validation loss of {a} is lower than that of {b}")
        }
        Verdict::Reversed => {
            format!("reversed at this scale: the validation loss of {a} is higher than that of {b}")
        }
        Verdict::NotEstablished => {
            format!("not established at this scale: which of {a} and {b} has the lower validation loss")
        }
    };
    format!("{label}{claim} ({by})")
}
