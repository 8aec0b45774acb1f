//! What figures are to match.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use coec_ir::cost::{Cost, Setting};
use coec_ir::{Model, Quantity, Rule, Target, Verified};

use super::{FitError, Other};
use crate::loader::Loader;
use crate::parse;
use crate::resolve::Fuel;
use crate::resolve::budget::RuleAt;
use crate::session::Session;
use crate::spec::Spec;

/// A figure and what it is to match.
pub(super) struct Wanted {
    pub rule: Rule,
    pub setting: Setting,
    pub target: Quantity,
    /// The model whose figure it is, as it was named.
    pub other: Option<(String, Arc<Verified<Model>>)>,
}

/// Reads matches by the rule that each of them is: `flops.forward=moe.coe` is
/// `flops.forward == flops.forward("moe.coe") +- 0.5%`.
pub(super) fn read(
    spec: &Spec,
    matches: &[String],
    tolerance: &str,
    loader: &dyn Loader,
) -> Result<Vec<Wanted>, FitError> {
    with_session(spec, loader, |session| {
        matches.iter().map(|text| one(spec, text, tolerance, session)).collect()
    })
}

/// The same of rules that are read already.
pub(super) fn of_rules(
    spec: &Spec,
    rules: &[Arc<RuleAt>],
    loader: &dyn Loader,
) -> Result<Vec<Wanted>, FitError> {
    with_session(spec, loader, |session| rules.iter().map(|rule| of_rule(spec, rule, session)).collect())
}

fn with_session(
    spec: &Spec,
    loader: &dyn Loader,
    read: impl FnOnce(&mut Session<'_>) -> Result<Vec<Option<Wanted>>, FitError>,
) -> Result<Vec<Wanted>, FitError> {
    let mut memory = spec.memory.lock().unwrap_or_else(PoisonError::into_inner);
    let mut session = Session::new(loader, std::mem::take(&mut *memory));
    let wanted = read(&mut session);
    let found = std::mem::take(&mut session.found);
    *memory = session.memory;
    let sources = Arc::new(memory.sources.clone());
    let wanted = crate::diagnostic::finish(wanted?.into_iter().collect(), found, &sources);
    wanted.map_err(FitError::Spec)
}

fn one(
    spec: &Spec,
    text: &str,
    tolerance: &str,
    session: &mut Session<'_>,
) -> Result<Option<Wanted>, FitError> {
    let (text, conditions) = text.split_once(" @ ").unwrap_or((text, ""));
    let Some((figure, other)) = text.split_once('=') else {
        return Err(FitError::NoMatch { text: text.to_owned() });
    };
    let (figure, other) = (figure.trim(), other.trim());
    let right = match Quantity::parse(other) {
        Ok(_) => other.to_owned(),
        Err(_) => format!("{figure}({})", coec_ir::text::string(other)),
    };
    let conditions = if conditions.is_empty() { String::new() } else { format!(" @ {conditions}") };
    let line = format!("{figure} == {right} +- {tolerance}{conditions}");
    let source = session.memory.sources.add("--match", line.as_str(), Path::new(""));
    let Some(rule) = parse::line(source, &line, &mut session.found) else { return Ok(None) };
    let mut fuel = Fuel::default();
    let Some(rule) = session.cx(&mut fuel).rule(&rule) else { return Ok(None) };
    of_rule(spec, &rule, session)
}

fn of_rule(spec: &Spec, rule: &RuleAt, session: &mut Session<'_>) -> Result<Option<Wanted>, FitError> {
    if rule.figure.is_measured() {
        return Err(FitError::Measured { figure: rule.figure.name() });
    }
    let setting = Setting::of(&spec.model, &rule.conditions);
    let (target, other) = match &rule.target {
        Target::Number(number) => (number.clone(), None),
        Target::Figure { figure, spec } => {
            // A figure of the same model is a number that changes with it.
            let Some(text) = spec else { return Err(FitError::NoMatch { text: coec_ir::text::rule(rule) }) };
            let Some(model) = session.target(text, rule.named) else { return Ok(None) };
            let value = Cost::of(&model, setting).figure(*figure).unwrap_or_default();
            (Quantity::integer(value), Some((text.clone(), model)))
        }
    };
    Ok(Some(Wanted { rule: rule.rule.clone(), setting, target, other }))
}

/// The models that figures are matched with, each once.
pub(super) fn others(wanted: Vec<Wanted>) -> Vec<Other> {
    let mut others: Vec<Other> = Vec::new();
    for (text, model) in wanted.into_iter().filter_map(|wanted| wanted.other) {
        if others.iter().all(|other| other.text != text) {
            others.push(Other { text, model: (*model).clone() });
        }
    }
    others
}
