//! Integers that make a model cost what another does.
//!
//! [`fit`] takes a spec, one field of it that is free and one figure to match, or two of each, and finds
//! the values with which the figures come nearest. [`Fit::text`] is the spec with those values, and with
//! the budget lines that hold it to them.

mod error;
mod pair;
mod search;
mod wanted;
mod write;

use std::sync::Arc;

use coec_ir::cost::{Cost, Setting};
use coec_ir::table::{Field, Kind, Value as Known};
use coec_ir::{Bounds, Model, Quantity, Rule, Verified};
use num_bigint::BigUint;

use crate::loader::Loader;
use crate::resolve::budget::RuleAt;
use crate::spec::Spec;
use crate::sweep::Fitted;
use crate::turn::{field, turned_model};

pub use error::FitError;
pub use write::Relocate;

use search::{Sides, distance};
use wanted::Wanted;

/// A field that may be changed.
#[derive(Debug, Clone)]
struct Free {
    path: String,
    now: usize,
    least: usize,
    most: usize,
}

/// A figure, and how near it came to what it is to match.
#[derive(Debug, Clone, PartialEq)]
pub struct Matched {
    /// The rule that holds the two to each other, its tolerance the one that was asked for.
    pub rule: Rule,
    /// The figure.
    pub actual: Quantity,
    /// What it was to match.
    pub target: Quantity,
    /// Whether it is within the tolerance.
    pub holds: bool,
}

impl Matched {
    /// How far it is off, as a share of the target.
    pub fn deviation(&self) -> f64 {
        self.actual.to_f64() / self.target.to_f64() - 1.0
    }
}

/// Values of the free fields, and what they come to.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The value of each free field, in the order in which they were named.
    pub values: Vec<(String, usize)>,
    /// The model with these values.
    pub model: Verified<Model>,
    /// The figures to be matched, in the order in which they were named.
    pub matched: Vec<Matched>,
}

impl Candidate {
    /// Whether every figure is within its tolerance.
    pub fn holds(&self) -> bool {
        self.matched.iter().all(|matched| matched.holds)
    }
}

/// A model on the other side of a match.
#[derive(Debug, Clone)]
pub struct Other {
    /// As it was named.
    pub text: String,
    /// The model.
    pub model: Verified<Model>,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Fit {
    /// The nearest there is: of two that are as near, the one with the smaller values.
    pub best: Candidate,
    /// Of one free field, the nearest on this side of the target and the nearest beyond it.
    pub below: Option<Candidate>,
    /// The same above it.
    pub above: Option<Candidate>,
    /// The models that figures are matched with, each once.
    pub others: Vec<Other>,
    /// Where figures are read side by side: the conditions of the first match.
    pub setting: Setting,
}

/// Finds values for the fields `free` of `spec` with which it matches `matches`, each `FIGURE=SPEC` or
/// `FIGURE=NUMBER`, with conditions behind ` @ ` where others than a rule's own are meant. `tolerance` is a
/// share: `0.5%`.
///
/// # Errors
///
/// As many fields as figures are wanted, one or two; fields that hold no single whole number, or that the
/// figure does not depend on; figures that only a run can tell; anything wrong with what is named.
pub fn fit(
    spec: &Spec,
    free: &[String],
    matches: &[String],
    tolerance: &str,
    loader: &dyn Loader,
) -> Result<Fit, FitError> {
    counted(free, matches.len())?;
    let wanted = wanted::read(spec, matches, tolerance, loader)?;
    solved(spec, free, wanted)
}

/// The same for what a run of a sweep asks for.
///
/// # Errors
///
/// As of [`fit`].
pub fn fit_point(spec: &Spec, fits: &[Fitted], loader: &dyn Loader) -> Result<Fit, FitError> {
    let free: Vec<String> = fits.iter().map(|fit| fit.field.clone()).collect();
    counted(&free, fits.len())?;
    let rules: Vec<_> = fits.iter().map(|fit| fit.rule.clone()).collect();
    let wanted = wanted::of_rules(spec, &rules, loader)?;
    solved(spec, &free, wanted)
}

/// The same for one field and a rule that the spec itself has: the value with which it comes nearest to its right side.
///
/// # Errors
///
/// As of [`fit`].
pub fn fit_rule(spec: &Spec, field: &str, rule: &Arc<RuleAt>, loader: &dyn Loader) -> Result<Fit, FitError> {
    let wanted = wanted::of_rules(spec, std::slice::from_ref(rule), loader)?;
    solved(spec, &[field.to_owned()], wanted)
}

/// Holds fields and figures to what can be solved.
fn counted(free: &[String], matches: usize) -> Result<(), FitError> {
    match free.len() == matches && (1..=2).contains(&free.len()) && !has_twins(free) {
        true => Ok(()),
        false => Err(FitError::Count { free: free.to_vec(), matches }),
    }
}

fn solved(spec: &Spec, free: &[String], wanted: Vec<Wanted>) -> Result<Fit, FitError> {
    let free: Vec<Free> = free.iter().map(|path| Free::of(spec, path)).collect::<Result<_, _>>()?;
    let problem = Problem { spec, free, wanted };
    let (best, sides) = match problem.free.as_slice() {
        [one] => {
            let sides = problem.one(one, 0, &[]);
            let best = sides.nearest(&problem.wanted[0].target).map(|point| vec![point.at]);
            (best, sides)
        }
        _ => (pair::best(&problem), Sides::default()),
    };
    let best = best.and_then(|values| problem.candidate(&values));
    let Some(best) = best else { return Err(FitError::NoModel { free: problem.paths() }) };
    if let Some((field, figure)) = problem.unmoved(&best, &sides) {
        return Err(FitError::Unmoved { field, figure });
    }
    let side = |point: &Option<search::Point>| problem.candidate(&[point.as_ref()?.at]);
    Ok(Fit {
        below: side(&sides.below),
        above: side(&sides.above),
        best,
        setting: problem.wanted[0].setting,
        others: wanted::others(problem.wanted),
    })
}

fn has_twins(free: &[String]) -> bool {
    matches!(free, [a, b] if a == b)
}

impl Free {
    fn of(spec: &Spec, path: &str) -> Result<Self, FitError> {
        let not_whole = || FitError::NotWhole { field: path.to_owned() };
        let (field, value) = field(spec, path).ok_or_else(not_whole)?;
        let Bounds { min, max } = bounds(field).ok_or_else(not_whole)?;
        let now = match value {
            Known::Count(now) => now,
            // One number for every iteration, written once or often.
            Known::List(values) => match values.split_first() {
                Some((Known::Count(now), rest)) if rest.iter().all(|value| *value == values[0]) => *now,
                _ => return Err(not_whole()),
            },
            Known::Word(_) => min as usize,
            _ => return Err(not_whole()),
        };
        Ok(Self { path: path.to_owned(), now, least: min as usize, most: max.min(1e9) as usize })
    }
}

/// What a field may hold, if that is a whole number.
fn bounds(field: &Field) -> Option<Bounds> {
    match field.kind {
        Kind::Count(bounds) | Kind::OptionalCount(bounds) | Kind::Counts(bounds, _) => Some(bounds),
        _ => None,
    }
}

/// What is to be found.
struct Problem<'s> {
    spec: &'s Spec,
    free: Vec<Free>,
    wanted: Vec<Wanted>,
}

impl Problem<'_> {
    fn paths(&self) -> Vec<String> {
        self.free.iter().map(|free| free.path.clone()).collect()
    }

    /// The model with these values of the free fields, as many as there are.
    fn model(&self, values: &[usize]) -> Option<Verified<Model>> {
        let named: Vec<(&str, usize)> =
            self.free.iter().zip(values).map(|(free, value)| (free.path.as_str(), *value)).collect();
        turned_model(self.spec, &named)
    }

    fn candidate(&self, values: &[usize]) -> Option<Candidate> {
        let model = self.model(values)?;
        let matched = self.wanted.iter().map(|wanted| {
            let actual = Quantity::integer(wanted.figure(&model)?);
            let (rule, target) = (wanted.rule.clone(), wanted.target.clone());
            Some(Matched { holds: rule.holds(&actual, &target), rule, actual, target })
        });
        let matched = matched.collect::<Option<_>>()?;
        Some(Candidate {
            values: self.paths().into_iter().zip(values.iter().copied()).collect(),
            model,
            matched,
        })
    }

    /// Values of a free field on both sides of what a figure is to match. The other free field, if there
    /// is one, has the value in `fixed`, by its place.
    fn one(&self, free: &Free, wanted: usize, fixed: &[(usize, usize)]) -> Sides {
        let place = self.free.iter().position(|other| other.path == free.path).unwrap_or(0);
        let wanted = &self.wanted[wanted];
        let mut values: Vec<usize> = self.free.iter().map(|free| free.now).collect();
        fixed.iter().for_each(|&(place, value)| values[place] = value);
        let mut figure = |at: usize| -> Option<BigUint> {
            values[place] = at;
            wanted.figure(&self.model(&values)?)
        };
        search::sides(free.least, free.most, free.now, &wanted.target, &mut figure)
    }

    /// A free field that its figure does not depend on: the search came to its ends, and found the figure
    /// the spec has.
    fn unmoved(&self, best: &Candidate, sides: &Sides) -> Option<(String, &'static str)> {
        let [free] = self.free.as_slice() else { return None };
        if best.holds() || sides.below.is_some() && sides.above.is_some() {
            return None;
        }
        let wanted = &self.wanted[0];
        let of = |at| self.model(&[at]).and_then(|model| wanted.figure(&model));
        let now = of(free.now)?;
        let found = sides.below.as_ref().or(sides.above.as_ref())?;
        let moved = distance(&found.figure, &wanted.target) != distance(&now, &wanted.target);
        (!moved).then(|| (free.path.clone(), wanted.rule.figure.name()))
    }
}

impl Wanted {
    fn figure(&self, model: &Verified<Model>) -> Option<BigUint> {
        Cost::of(model, self.setting).figure(self.rule.figure)
    }
}
