//! Whether a spec keeps its budgets.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use coec_ir::cost::{Cost, Setting};
use coec_ir::{Comparison, Figure, Model, Quantity, Target, Verified, grouped};
use num_bigint::BigUint;

use crate::close::{Fix, Search};
use crate::diagnostic::{Diagnostic, Diagnostics, Found, Label, Severity, finish};
use crate::error::BudgetError;
use crate::loader::Loader;
use crate::reading::{Reading, readings};
use crate::resolve::budget::RuleAt;
use crate::session::Session;
use crate::spec::Spec;

/// What became of every rule of a spec.
#[derive(Debug, Clone)]
pub struct Report {
    /// In the order of the spec.
    pub verdicts: Vec<Verdict>,
}

/// What became of one rule.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The rule.
    pub rule: Arc<RuleAt>,
    /// Where it stands, and as its text the rule in canonical form.
    pub at: Label,
    /// What became of it.
    pub outcome: Outcome,
    /// What was compared: one entry, or with `per layer` one for each kind of layer with experts.
    pub readings: Vec<Reading>,
    /// For a rule that does not hold: what is wrong and what would close the gap.
    pub diagnostic: Option<Diagnostic>,
    /// For a rule that does not hold, as far as they were searched for: values of single fields that would close the gap,
    /// the smallest change first.
    pub fixes: Vec<Fix>,
}

/// What became of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Holds,
    /// It does not.
    Violated,
    /// It does not, and says `warn`.
    Warned,
    /// Only a training run can tell.
    Deferred,
}

impl Report {
    /// Whether a rule without `warn` does not hold.
    pub fn is_violated(&self) -> bool {
        self.verdicts.iter().any(|verdict| verdict.outcome == Outcome::Violated)
    }

    /// What is wrong with the rules that do not hold.
    pub fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        self.verdicts.iter().filter_map(|verdict| verdict.diagnostic.as_ref())
    }
}

impl Verdict {
    /// The verdict once figures have been measured on `backend`.
    ///
    /// A rule for another backend stays deferred, as does one whose figure has no value.
    pub fn measured(
        &self,
        spec: &Spec,
        backend: &str,
        value: impl Fn(Figure) -> Option<Quantity>,
    ) -> Verdict {
        let elsewhere = self.rule.conditions.backend.as_ref().is_some_and(|wanted| wanted != backend);
        if self.outcome != Outcome::Deferred || elsewhere {
            return self.clone();
        }
        let right = match self.rule.target {
            Target::Figure { figure, .. } => Some(figure),
            Target::Number(_) => None,
        };
        let readings = self.readings.iter().map(|reading| Reading {
            layer: reading.layer,
            actual: reading.actual.clone().or_else(|| value(self.rule.figure)),
            target: reading.target.clone().or_else(|| value(right?)),
        });
        judge(spec, &self.rule, readings.collect(), |_| None)
    }
}

/// Rules of one load for which a value that would meet them is searched: each costs some hundred
/// counts of the model, and nobody reads more.
const MOST_SEARCHED: usize = 50;

/// Judges every rule of a spec. Fails where another spec that a rule names is in error.
pub fn check(spec: &Spec, loader: &dyn Loader) -> Result<Report, Diagnostics> {
    // A check that did not come to its end has left nothing behind that could be half done.
    let mut memory = spec.memory.lock().unwrap_or_else(PoisonError::into_inner);
    let mut session = Session::new(loader, std::mem::take(&mut *memory));
    if session.memory.sources.len() < spec.sources.len() {
        session.memory.sources = spec.sources.as_ref().clone();
        session.memory.scopes = spec.scopes.as_ref().clone();
    }
    let mut costs = Costs::default();
    let mut search = Search::new(spec);
    let mut verdicts = Vec::with_capacity(spec.rules.len());
    for rule in &spec.rules {
        let setting = Setting::of(&spec.model, &rule.conditions);
        let other = match &rule.target {
            Target::Figure { spec: Some(text), .. } => match session.target(text, rule.named) {
                Some(model) => Some(Cost::of(&model, setting)),
                None => continue,
            },
            _ => None,
        };
        match readings(rule, costs.of(&spec.model, setting), other.as_ref()) {
            Some(readings) => {
                let searched = &mut session.memory.searched;
                let fixes = |too_high| {
                    *searched += 1;
                    match *searched <= MOST_SEARCHED {
                        true => search.fixes(rule, other.as_ref(), too_high),
                        false => None,
                    }
                };
                verdicts.push(judge(spec, rule, readings, fixes));
            }
            None => layers_differ(rule, &mut session.found),
        }
    }
    let found = std::mem::take(&mut session.found);
    *memory = session.memory;
    finish(Some(Report { verdicts }), found, &Arc::new(memory.sources.clone()))
}

fn layers_differ(rule: &RuleAt, found: &mut Found) {
    if let Target::Figure { figure, spec: Some(spec) } = &rule.target {
        let (spec, figure) = (spec.clone(), figure.name());
        found.push(BudgetError::LayersDiffer { spec, figure, at: rule.named });
    }
}

/// The counts of a model in the settings that its rules ask for.
#[derive(Default)]
struct Costs(HashMap<Setting, Cost>);

impl Costs {
    fn of(&mut self, model: &Verified<Model>, setting: Setting) -> &Cost {
        self.0.entry(setting).or_insert_with(|| Cost::of(model, setting))
    }
}

fn judge(
    spec: &Spec,
    rule: &Arc<RuleAt>,
    readings: Vec<Reading>,
    fixes: impl FnOnce(bool) -> Option<Vec<Fix>>,
) -> Verdict {
    let at = spec.label(rule.span, coec_ir::text::rule(rule));
    let mut known = true;
    let mut broken = None;
    for reading in &readings {
        match (&reading.actual, &reading.target) {
            (Some(actual), Some(target)) => {
                if broken.is_none() && !rule.holds(actual, target) {
                    broken = Some((reading.layer, actual, target));
                }
            }
            _ => known = false,
        }
    }
    let (outcome, diagnostic, fixes) = match broken {
        Some((layer, actual, target)) => {
            let outcome = if rule.warn { Outcome::Warned } else { Outcome::Violated };
            let fixes = fixes(actual > target);
            let error = describe(spec, rule, layer, actual, target, fixes.as_deref());
            (outcome, Some(Diagnostic::new(error, &spec.sources)), fixes.unwrap_or_default())
        }
        None if known => (Outcome::Holds, None, Vec::new()),
        None => (Outcome::Deferred, None, Vec::new()),
    };
    debug_assert!(diagnostic.as_ref().is_none_or(|d| d.severity() != Severity::Advice));
    Verdict { rule: rule.clone(), at, outcome, readings, diagnostic, fixes }
}

fn describe(
    spec: &Spec,
    rule: &RuleAt,
    layer: Option<usize>,
    actual: &Quantity,
    target: &Quantity,
    fixes: Option<&[Fix]>,
) -> BudgetError {
    let unit = rule.figure.unit().word();
    let relation = match rule.comparison {
        Comparison::AtMost => "more than",
        Comparison::AtLeast => "less than",
        Comparison::Equal => "not",
    };
    let place = layer.map(|layer| format!(" in layer {layer}")).unwrap_or_default();
    let tolerance = rule.tolerance.as_ref().map(|t| format!(" +- {t}")).unwrap_or_default();
    let right = number(target);
    let right = match &rule.target {
        Target::Number(_) => right,
        Target::Figure { figure, spec: None } => format!("the {right} of {}", figure.name()),
        Target::Figure { figure, spec: Some(spec) } => {
            format!("the {right} of {}(\"{spec}\")", figure.name())
        }
    };
    let (name, actual_text) = (rule.figure.name(), number(actual));
    let what = format!("{name}{place} is {actual_text} {unit}, {relation} {right}{tolerance}");
    let model = spec.model.name.clone();
    let label = format!("{actual_text}{place}");
    let help = help(actual, target, unit, fixes);
    let at = rule.span;
    if rule.warn {
        BudgetError::Warned { model, what, label, help, at }
    } else {
        BudgetError::Violated { model, what, label, help, at }
    }
}

/// By how much a rule is broken, and what would meet it, as far as that was searched for.
fn help(actual: &Quantity, target: &Quantity, unit: &str, fixes: Option<&[Fix]>) -> String {
    let direction = if actual > target { "over" } else { "under" };
    let mut help = format!("{} {unit} {direction}", difference(actual, target));
    if let Some(percent) = percent(actual, target) {
        help.push_str(&format!(", {percent} of the right-hand side"));
    }
    let Some(fixes) = fixes else { return help };
    let fixes: Vec<_> =
        fixes.iter().map(|fix| format!("`{} = {}` ({} now)", fix.path, fix.then, fix.now)).collect();
    match fixes.as_slice() {
        [] => help.push_str("; no single field was found that would meet it"),
        [one] => help.push_str(&format!("; {one} would meet it")),
        [rest @ .., last] => {
            help.push_str(&format!("; any one of {} or {last} would meet it", rest.join(", ")))
        }
    }
    help
}

/// The distance of two values: exact for whole numbers, else to four decimals.
fn difference(actual: &Quantity, target: &Quantity) -> String {
    let (high, low) = if actual > target { (actual, target) } else { (target, actual) };
    let unit = high.denominator() * low.denominator();
    let distance = high.numerator() * low.denominator() - low.numerator() * high.denominator();
    let whole = &distance / &unit;
    if &whole * &unit == distance {
        return readable(&whole);
    }
    let fraction = (&distance - &whole * &unit) * 10_000u32 / &unit;
    format!("{}.{:04}", readable(&whole), u32::try_from(fraction).unwrap_or_default())
}

/// The distance as a share of the target; `None` when that says nothing.
fn percent(actual: &Quantity, target: &Quantity) -> Option<String> {
    let (high, low) = if actual > target { (actual, target) } else { (target, actual) };
    let distance = high.numerator() * low.denominator() - low.numerator() * high.denominator();
    let whole = target.numerator() * if actual > target { high.denominator() } else { low.denominator() };
    if whole == BigUint::ZERO {
        return None;
    }
    // In thousandths of a percent.
    let share = u64::try_from(distance * 100_000u32 / whole).ok().filter(|share| *share < 100_000_000)?;
    Some(match share {
        0 => "less than 0.001%".into(),
        1..100 => format!("{:.3}%", share as f64 / 1000.0),
        100..10_000 => format!("{:.2}%", share as f64 / 1000.0),
        _ => format!("{:.1}%", share as f64 / 1000.0),
    })
}

/// A value for people: whole numbers in groups of three, others as they were written.
fn number(value: &Quantity) -> String {
    match value.to_integer() {
        Some(whole) => {
            let digits = readable(&whole);
            let written = value.text();
            if written.bytes().all(|b| b.is_ascii_digit()) { digits } else { format!("{written} ({digits})") }
        }
        None => value.text().to_string(),
    }
}

/// Digits in groups of three; very large numbers by their first digits and their length.
fn readable(value: &BigUint) -> String {
    const MOST: usize = 40;
    let digits = value.to_string();
    if digits.len() > MOST {
        return coec_ir::first_digits(&digits, 6);
    }
    grouped(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn q(text: &str) -> Quantity {
        Quantity::parse(text).unwrap()
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!(number(&q("571214848")), "571,214,848");
        assert_eq!(number(&q("350M")), "350M (350,000,000)");
        assert_eq!(number(&q("0.5")), "0.5");
        assert_eq!(readable(&BigUint::from(10u8).pow(50)), "1.00000e50");
    }

    #[test]
    fn distances() {
        assert_eq!(difference(&q("110"), &q("100")), "10");
        assert_eq!(difference(&q("0.1"), &q("15%")), "0.0500");
        assert_eq!(percent(&q("110"), &q("100")).unwrap(), "10.0%");
        assert_eq!(percent(&q("90"), &q("100")).unwrap(), "10.0%");
        assert_eq!(percent(&q("100001"), &q("100000")).unwrap(), "0.001%");
        assert_eq!(percent(&q("0.10"), &q("20%")).unwrap(), "50.0%");
        assert_eq!(percent(&q("1"), &q("0")), None);
    }
}
