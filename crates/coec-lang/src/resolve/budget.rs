//! `budget`: figures, what they are compared with, and under which conditions.

use coec_ir::budget::{BACKENDS, CONDITIONS};
use coec_ir::{
    Bounds, Conditions, Figure, Place, Precision, Quantity, Recompute, Rule, Shard, Target, Unit, Violation,
    ViolationKind, bounds,
};

use super::Cx;
use crate::ast::{self, Name, Number, Value, ValueKind};
use crate::error::{ResolveError, VerifyError};
use crate::source::Span;
use crate::suggest;

/// A rule with its place in the text.
#[derive(Debug, Clone)]
pub struct RuleAt {
    /// The rule.
    pub rule: Rule,
    pub(crate) span: Span,
    /// Where another spec is named on the right.
    pub(crate) named: Span,
}

impl std::ops::Deref for RuleAt {
    type Target = Rule;
    fn deref(&self) -> &Rule {
        &self.rule
    }
}

impl Cx<'_> {
    /// One line of a budget.
    pub fn rule(&mut self, rule: &ast::Rule) -> Option<RuleAt> {
        let figure = self.figure(&rule.figure);
        let conditions = self.conditions(rule, figure);
        let tolerance = rule.tolerance.as_ref().map(|number| self.tolerance(number));
        let figure = figure?;
        if let Some(at) = rule.per_layer.filter(|_| !figure.is_per_layer()) {
            self.found.push(ResolveError::FigureNotPerLayer { figure: figure.name(), at });
            return None;
        }
        let (target, target_at) = self.target(figure, &rule.target);
        let span = rule.span;
        let rule = Rule {
            warn: rule.warn,
            figure,
            comparison: rule.comparison,
            target: target?,
            tolerance: match tolerance {
                Some(tolerance) => Some(tolerance?),
                None => None,
            },
            per_layer: rule.per_layer.is_some(),
            conditions: conditions?,
        };
        Some(RuleAt { rule, span, named: target_at })
    }

    fn figure(&mut self, name: &Name) -> Option<Figure> {
        if let Some(figure) = Figure::from_name(&name.text) {
            return Some(figure);
        }
        let names = Figure::ALL.map(Figure::name);
        // `flops.foward` is near to a name; of `params` one of its figures may be meant.
        let family = names.into_iter().find(|known| {
            known.split_once('.').is_some_and(|(head, tail)| head == name.text || tail == name.text)
        });
        self.found.push(ResolveError::UnknownFigure {
            name: suggest::shown(&name.text),
            suggestion: suggest::nearest(&name.text, names).or(family).map(str::to_string),
            candidates: names.map(str::to_string).to_vec(),
            at: name.span,
        });
        None
    }

    /// The right-hand side of a rule on `left`, with where it stands.
    fn target(&mut self, left: Figure, target: &ast::Target) -> (Option<Target>, Span) {
        match target {
            ast::Target::Number(number) => (self.number(left, number).map(Target::Number), number.span),
            ast::Target::Figure { figure: name, spec } => {
                let at = spec.as_ref().map_or(name.span, |spec| spec.span);
                let Some(figure) = self.figure(name) else { return (None, at) };
                let error = if figure.unit() != left.unit() {
                    Some(ResolveError::FigureUnitsDiffer {
                        left: left.name(),
                        left_unit: left.unit().word(),
                        right: figure.name(),
                        right_unit: figure.unit().word(),
                        at: name.span,
                    })
                } else if figure.is_measured() && spec.is_some() {
                    Some(ResolveError::MeasuredElsewhere { figure: figure.name(), at: name.span })
                } else {
                    None
                };
                if let Some(error) = error {
                    self.found.push(error);
                    return (None, at);
                }
                let spec = spec.as_ref().map(|spec| spec.text.clone());
                (Some(Target::Figure { figure, spec }), at)
            }
        }
    }

    /// A number in the unit of a figure.
    fn number(&mut self, figure: Figure, number: &Number) -> Option<Quantity> {
        let quantity = self.quantity(&number.text, number.span)?;
        let value = || Value { kind: ValueKind::Number(number.text.clone()), span: number.span };
        if quantity.is_bytes() && figure.unit() != Unit::Bytes {
            self.bytes_unit(figure.name(), &number.text, number.span);
            return None;
        }
        if quantity.is_percent() && figure.unit() != Unit::Share {
            self.wrong_kind(figure.name(), &format!("a number of {}", figure.unit().word()), &value());
            return None;
        }
        Some(quantity)
    }

    fn tolerance(&mut self, number: &Number) -> Option<Quantity> {
        let quantity = self.quantity(&number.text, number.span)?;
        if !quantity.is_percent() {
            let text = suggest::shown(&number.text);
            self.found.push(ResolveError::ToleranceNotPercent { number: text, at: number.span });
            return None;
        }
        Some(quantity)
    }

    fn conditions(&mut self, rule: &ast::Rule, figure: Option<Figure>) -> Option<Conditions> {
        let mut conditions = Conditions::default();
        let mut first = [None; CONDITIONS.len()];
        let before = self.found.count();
        for (name, value) in &rule.conditions {
            let Some(position) = CONDITIONS.iter().position(|known| *known == name.text) else {
                self.unknown_condition(name);
                continue;
            };
            if let Some(first) = first[position].replace(name.span) {
                let name_text = name.text.clone();
                self.found.push(ResolveError::DuplicateField { name: name_text, first, at: name.span });
            }
            match name.text.as_str() {
                "context" => conditions.context = self.bounded("context", value, bounds::CONTEXT),
                "batch" => conditions.batch = self.bounded("batch", value, bounds::BATCH),
                "precision" => conditions.precision = self.precision(value),
                "recompute" => conditions.recompute = self.recompute(value),
                "ranks" => conditions.ranks = self.bounded("ranks", value, bounds::RANKS),
                "shard" => conditions.shard = self.shard(value),
                _ => conditions.backend = self.backend(name, value, figure),
            }
        }
        (self.found.count() == before).then_some(conditions)
    }

    fn backend(&mut self, name: &Name, value: &Value, figure: Option<Figure>) -> Option<String> {
        if let Some(figure) = figure.filter(|figure| !figure.is_measured()) {
            let figure = figure.name();
            self.found.push(ResolveError::BackendNotMeasured { figure, at: name.span });
            return None;
        }
        match &value.kind {
            ValueKind::Word(word) if word.args.is_none() => {
                let known = BACKENDS.contains(&word.name.text.as_str());
                if !known {
                    self.unknown_word("backend", BACKENDS.to_vec(), &word.name);
                }
                known.then(|| word.name.text.clone())
            }
            _ => {
                self.wrong_kind("backend", "the name of a backend, such as `cpu` or `cuda`", value);
                None
            }
        }
    }

    fn precision(&mut self, value: &Value) -> Option<Precision> {
        let words = Precision::ALL.iter().map(|precision| precision.word()).collect();
        let word = self.word_of("precision", words, value)?;
        Precision::ALL.iter().copied().find(|precision| precision.word() == word)
    }

    fn recompute(&mut self, value: &Value) -> Option<Recompute> {
        let words = Recompute::ALL.iter().map(|recompute| recompute.word()).collect();
        let word = self.word_of("recompute", words, value)?;
        Recompute::ALL.iter().copied().find(|recompute| recompute.word() == word)
    }

    fn shard(&mut self, value: &Value) -> Option<Shard> {
        let words = Shard::ALL.iter().map(|shard| shard.word()).collect();
        let word = self.word_of("shard", words, value)?;
        Shard::ALL.iter().copied().find(|shard| shard.word() == word)
    }

    fn bounded(&mut self, name: &'static str, value: &Value, bounds: Bounds) -> Option<usize> {
        let n = self.count_of(name, value)?;
        let x = n as f64;
        if !(bounds.min..=bounds.max).contains(&x) {
            let kind = ViolationKind::OutOfRange { value: x, bounds };
            let violation = Violation { place: Place::Model, path: name.into(), kind };
            let (field, at) = (name.to_string(), value.span);
            self.found.push(VerifyError { violation, field, at, defaulted: false });
            return None;
        }
        Some(n)
    }

    fn unknown_condition(&mut self, name: &Name) {
        self.found.push(ResolveError::UnknownCondition {
            name: suggest::shown(&name.text),
            suggestion: suggest::nearest(&name.text, CONDITIONS.iter().copied()).map(str::to_string),
            candidates: CONDITIONS.iter().map(|name| (*name).to_string()).collect(),
            at: name.span,
        });
    }
}
