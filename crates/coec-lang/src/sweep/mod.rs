//! The runs that a `sweep { }` block goes through.
//!
//! Every axis with values multiplies the runs; what is derived from it follows in each of them, and fields that
//! are solved for come last, by [`fit`](crate::fit()).

mod formula;

use std::sync::Arc;

use coec_ir::Rule;
use coec_ir::table::{MODEL, TRAIN, Value as Known};

use crate::ast::{self, Axis, Name, Value, ValueKind};
use crate::diagnostic::{Diagnostics, Found, finish};
use crate::error::ResolveError;
use crate::resolve::budget::RuleAt;
use crate::resolve::{Cx, Fuel, home_of_field};
use crate::source::Span;
use crate::spec::Spec;
use crate::turn::field;

use formula::{Number, value_of};

/// Runs that a sweep may have.
const MOST_RUNS: usize = 10_000;

/// The axis of seeds, which stands for `train.seed`: a number is so many of them, from the spec's own on.
const SEEDS: &str = "seeds";
const SEED: &str = "train.seed";

/// One run of a sweep.
#[derive(Debug, Clone)]
pub struct Point {
    /// The fields with their values, as `--set` takes them, in the order of the block.
    pub values: Vec<(String, String)>,
    /// Fields that are to be solved for, each with the rule that it is to meet.
    pub fits: Vec<Fitted>,
    /// Why it cannot be: a value that follows from others and is no number such a field may hold.
    pub problem: Option<String>,
}

/// A field that is solved for.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// Its dotted name.
    pub field: String,
    pub(crate) rule: Arc<RuleAt>,
}

impl Fitted {
    /// What it is to meet.
    pub fn rule(&self) -> &Rule {
        &self.rule.rule
    }
}

impl Spec {
    /// The runs of the sweep that the spec's file has, in their order: the last axis changes fastest. `None` if
    /// it has none.
    ///
    /// # Errors
    ///
    /// Several sweeps; fields that there are not, rules that cannot be read; more runs than anyone waits for.
    pub fn sweep(&self) -> Result<Option<Vec<Point>>, Diagnostics> {
        let (mut found, mut fuel) = (Found::default(), Fuel::default());
        let sweeps = &self.draft.own().unit.sweeps;
        let Some(sweep) = sweeps.first() else { return Ok(None) };
        for other in &sweeps[1..] {
            found.push(ResolveError::SeveralSweeps { first: sweep.at, at: other.at });
        }
        let mut cx = Cx { scopes: &self.scopes, found: &mut found, fuel: &mut fuel };
        let points = self.points(&mut cx, sweep);
        finish(Some(points), found, &self.sources).map(Some)
    }

    fn points(&self, cx: &mut Cx<'_>, sweep: &ast::Sweep) -> Vec<Point> {
        let mut points = vec![Point { values: Vec::new(), fits: Vec::new(), problem: None }];
        for axis in &sweep.axes {
            match axis {
                Axis::Values { path, value, derived } => {
                    let Some(name) = full_name(cx, path) else { continue };
                    let values = self.values(&name, value);
                    let derived: Vec<_> = derived
                        .iter()
                        .filter_map(|one| Some((full_name(cx, &one.path)?, &one.formula)))
                        .collect();
                    if points.len() * values.len() > MOST_RUNS {
                        cx.found.push(ResolveError::SweepTooLarge { limit: MOST_RUNS, at: sweep.at });
                        return Vec::new();
                    }
                    let name = if name == SEEDS { SEED.to_owned() } else { name };
                    let with = |point: &Point, value: &String| {
                        let mut point = point.clone();
                        point.values.push((name.clone(), value.clone()));
                        for (name, formula) in &derived {
                            self.derive(&mut point, name, formula);
                        }
                        point
                    };
                    points = points
                        .iter()
                        .flat_map(|point| values.iter().map(|value| with(point, value)))
                        .collect();
                }
                Axis::Fitted { path, rule } => {
                    let (Some(field), Some(rule)) = (full_name(cx, path), cx.rule(rule)) else { continue };
                    let rule = Arc::new(rule);
                    points.iter_mut().for_each(|point| {
                        point.fits.push(Fitted { field: field.clone(), rule: rule.clone() });
                    });
                }
            }
        }
        points
    }

    /// The values of an axis, as they are written.
    fn values(&self, name: &str, value: &Value) -> Vec<String> {
        match &value.kind {
            ValueKind::List(values) => values.iter().map(|value| self.written(value.span)).collect(),
            ValueKind::Number(text) if name == SEEDS => {
                let count = text.parse::<u64>().unwrap_or(1).min(MOST_RUNS as u64 + 1);
                let first = self.train_or_default().map_or(42, |train| train.seed);
                (0..count).map(|i| (first + i).to_string()).collect()
            }
            _ => vec![self.written(value.span)],
        }
    }

    fn written(&self, span: Span) -> String {
        self.sources.get(span.source).text[span.start as usize..span.end as usize].to_owned()
    }

    /// Gives a point the value that a field follows with.
    fn derive(&self, point: &mut Point, name: &str, formula: &ast::Formula) {
        let known = |path: &Name| {
            let name = if is_field(&path.text) { path.text.clone() } else { home_of_field(&path.text)? };
            let given =
                point.values.iter().rev().find(|(field, _)| *field == name).map(|(_, value)| value.clone());
            match given {
                Some(text) => Number::parse(&text),
                None => match self.known(&name)? {
                    Known::Count(n) => Some(Number::whole(n as u64)),
                    Known::Real(x) => Number::parse(&format!("{x:?}")),
                    _ => None,
                },
            }
        };
        let is_whole = !matches!(self.known(name), Some(Known::Real(_)));
        match value_of(formula, &known) {
            Ok(value) => match value.text(is_whole) {
                Some(text) => point.values.push((name.to_owned(), text)),
                None => point.problem = Some(format!("{name} = {} is {value}", self.written(formula.span))),
            },
            Err(what) => point.problem = Some(format!("{name} = {}: {what}", self.written(formula.span))),
        }
    }

    /// What a field holds in the spec itself, of the model or of its training.
    fn known(&self, name: &str) -> Option<Known> {
        match name.strip_prefix("train.") {
            None => field(self, name).map(|(_, value)| value),
            Some(rest) => crate::turn::train_field(self, rest),
        }
    }
}

/// Whether a name is that of a field as `--set` takes it, as far as its beginning tells.
fn is_field(name: &str) -> bool {
    let first = name.split('.').next().unwrap_or(name);
    name == SEEDS || MODEL.position(first).is_some() || first == TRAIN.word && name.contains('.')
}

/// The whole name of a field that may be named by its last part.
fn full_name(cx: &mut Cx<'_>, path: &Name) -> Option<String> {
    if is_field(&path.text) {
        return Some(path.text.clone());
    }
    let home = home_of_field(&path.text);
    if home.is_none() {
        cx.unknown_field(&MODEL, &path.text, path.span, None);
    }
    home
}
