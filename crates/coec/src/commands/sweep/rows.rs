//! The rows of a sweep: each run with its fields, whether it can be, and what it costs.

use std::path::{Path, PathBuf};

use coec_ir::Figure;
use coec_ir::cost::{Cost, Setting};
use coec_lang::{Outcome, Point, Spec, check, fit_point, load_one};

use crate::{
    disk::Disk,
    experiments::run::Run,
    failure::Failure,
    run_spec::{explicit, located},
};

/// Figures that each row has.
pub const FIGURES: [Figure; 6] = [
    Figure::ParamsTotal,
    Figure::ParamsActive,
    Figure::ParamsActiveNonEmbedding,
    Figure::FlopsForward,
    Figure::FlopsTrain,
    Figure::MemoryTrain,
];

/// A row.
pub struct Row {
    /// From 1, in the order of the sweep.
    pub number: usize,
    /// Its fields with their values, those that were solved for behind the others.
    pub values: Vec<(String, String)>,
    pub state: State,
}

/// How far a row is.
pub enum State {
    /// No such model, or it keeps no budget: why.
    Infeasible(String),
    /// It can be trained.
    Feasible(Box<Planned>),
}

/// A run that can be trained, or is.
pub struct Planned {
    pub cost: Cost,
    /// The spec that it is of, written out.
    pub text: String,
    pub run: Run,
    /// Tokens that it learns from.
    pub tokens: u64,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

impl Row {
    /// `done`, `waiting`, `failed` or `infeasible`.
    pub fn status(&self) -> &'static str {
        match &self.state {
            State::Infeasible(_) => "infeasible",
            State::Feasible(planned) if planned.failure.is_some() => "failed",
            State::Feasible(planned) if planned.run.is_done() => "done",
            State::Feasible(_) => "waiting",
        }
    }

    /// Why there is no result, in one line.
    pub fn problem(&self) -> Option<&str> {
        match &self.state {
            State::Infeasible(problem) => Some(problem),
            State::Feasible(planned) => planned.failure.as_deref(),
        }
    }

    pub fn planned(&self) -> Option<&Planned> {
        match &self.state {
            State::Infeasible(_) => None,
            State::Feasible(planned) => Some(planned),
        }
    }

    /// The value of a field.
    pub fn value(&self, field: &str) -> Option<&str> {
        self.values.iter().rev().find(|(name, _)| name == field).map(|(_, value)| value.as_str())
    }
}

impl Planned {
    /// The validation loss at the end.
    pub fn val_loss(&self) -> Option<f64> {
        self.run.is_done().then(|| crate::experiments::progress::val_loss(&self.run.dir))?
    }
}

/// The row of a point of a sweep.
///
/// # Errors
///
/// A rule that no value could be solved for in any row: what stands in the sweep is wrong, and not the row.
pub fn row(number: usize, point: &Point, path: &str, sets: &[String], dir: &Path) -> Result<Row, Failure> {
    let mut values = point.values.clone();
    let state = match &point.problem {
        Some(problem) => State::Infeasible(problem.clone()),
        None => state(number, point, path, sets, dir, &mut values)?,
    };
    Ok(Row { number, values, state })
}

fn state(
    number: usize,
    point: &Point,
    path: &str,
    sets: &[String],
    dir: &Path,
    values: &mut Vec<(String, String)>,
) -> Result<State, Failure> {
    let load = |values: &[(String, String)]| {
        let own = values.iter().map(|(field, value)| format!("{field}={value}"));
        load_one(path, &sets.iter().cloned().chain(own).collect::<Vec<_>>(), &Disk)
    };
    let mut spec = match load(values) {
        Ok(spec) => spec,
        Err(errors) => return Ok(State::Infeasible(first(&errors))),
    };
    if !point.fits.is_empty() {
        let found = match fit_point(&spec, &point.fits, &Disk) {
            Ok(found) => found,
            Err(coec_lang::FitError::Spec(errors)) => return Err(errors.into()),
            Err(error) => return Ok(State::Infeasible(error.to_string())),
        };
        if let Some(missed) = found.best.matched.iter().find(|matched| !matched.holds) {
            let rule = coec_ir::text::rule(&missed.rule);
            let best: Vec<String> =
                found.best.values.iter().map(|(field, value)| format!("{field} = {value}")).collect();
            let off = 100.0 * missed.deviation();
            return Ok(State::Infeasible(format!(
                "nothing meets {rule}; {} is {off:+.2}% off",
                best.join(", ")
            )));
        }
        values.extend(found.best.values.iter().map(|(field, value)| (field.clone(), value.to_string())));
        spec = load(values)?;
    }
    planned(number, &spec, dir)
}

fn planned(number: usize, spec: &Spec, dir: &Path) -> Result<State, Failure> {
    let train = match spec.train_or_default() {
        Ok(train) => located(spec, train),
        Err(errors) => return Ok(State::Infeasible(first(&errors))),
    };
    let report = check(spec, &Disk)?;
    if let Some(broken) = report.verdicts.iter().find(|verdict| verdict.outcome == Outcome::Violated) {
        let rule = coec_ir::text::rule(&broken.rule);
        return Ok(State::Infeasible(format!("it does not keep {rule}")));
    }
    let steps = train.length(&spec.model);
    let name = format!("{number:04}");
    let place = |ending: &str| -> PathBuf { dir.join("runs").join(format!("{name}{ending}")) };
    Ok(State::Feasible(Box::new(Planned {
        cost: Cost::of(&spec.model, Setting::of_training(&train)),
        text: explicit(spec, &report, &train),
        tokens: train.tokens_a_step() * steps as u64,
        run: Run {
            title: format!("row {number}"),
            spec: place(".coe"),
            dir: place(""),
            sets: Vec::new(),
            steps,
        },
        failure: None,
    })))
}

/// The first error, in one line.
fn first(errors: &coec_lang::Diagnostics) -> String {
    errors.iter().next().map_or_else(String::new, |error| format!("{error} ({})", error.code()))
}
