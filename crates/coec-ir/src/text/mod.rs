//! The canonical, fully explicit text of a model, its budgets and its training.
//!
//! Reading the text back gives the same model: no default hides in it.

use std::fmt::Write as _;

pub use crate::table::string;

use crate::table::{self, Block, Held, Tabled};
use crate::{Attention, Ffn, Model, Rule, Sources, Target, Train};

/// A model block.
pub fn model(model: &Model) -> String {
    let mut out = String::new();
    for line in model.doc.lines() {
        out.push_str(if line.is_empty() { "///" } else { "/// " });
        out.push_str(line);
        out.push('\n');
    }
    let _ = writeln!(out, "model {} {{", model.name);
    for (name, value) in table::head(model).fields() {
        let _ = writeln!(out, "    {name:<9} = {value}");
    }
    let mut sublayer = |name: String, block: Block| {
        let _ = writeln!(out, "    {name:<9} = {block}");
    };
    let attention: Vec<_> = model.layers.iter().map(|layer| &layer.attention).collect();
    for (name, value) in overrides(table::ATTENTION, &attention) {
        sublayer(name, value.block());
    }
    let ffn: Vec<_> = model.layers.iter().map(|layer| &layer.ffn).collect();
    for (name, value) in overrides(table::FFN, &ffn) {
        sublayer(name, value.block());
    }
    for (name, value) in table::loops(&model.layers) {
        let _ = writeln!(out, "    {name:<9} = {value}");
    }
    out.push_str("}\n");
    out
}

/// An attention block.
pub fn attention(attention: &Attention) -> String {
    attention.block().to_string()
}

/// A feed-forward block.
pub fn ffn(ffn: &Ffn) -> String {
    ffn.block().to_string()
}

/// Sources of data, as a training names them.
pub fn sources(sources: &Sources) -> String {
    sources.value().map_or_else(String::new, |value| value.to_string())
}

/// The most common value as the base, every other run of layers as an override.
fn overrides<'a, T: PartialEq>(name: &str, values: &[&'a T]) -> Vec<(String, &'a T)> {
    let Some(base) = most_common(values) else { return Vec::new() };
    let mut fields = vec![(name.to_string(), base)];
    let mut start = 0;
    while start < values.len() {
        let value = values[start];
        let run = values[start..].iter().take_while(|other| **other == value).count();
        if value != base {
            let index = if run == 1 { start.to_string() } else { format!("{start}..{}", start + run) };
            fields.push((format!("{name}[{index}]"), value));
        }
        start += run;
    }
    fields
}

/// The first of the most common values.
pub fn most_common<'a, T: PartialEq>(values: &[&'a T]) -> Option<&'a T> {
    let mut distinct: Vec<(&T, usize)> = Vec::new();
    for value in values {
        match distinct.iter_mut().find(|(seen, _)| seen == value) {
            Some((_, count)) => *count += 1,
            None => distinct.push((value, 1)),
        }
    }
    // `max_by_key` takes the last of several.
    distinct.iter().rev().max_by_key(|(_, count)| *count).map(|(value, _)| *value)
}

/// A budget block for one model; empty without rules.
pub fn budget(rules: &[Rule]) -> String {
    if rules.is_empty() {
        return String::new();
    }
    let lines: String = rules.iter().map(|r| format!("    {}\n", rule(r))).collect();
    format!("budget {{\n{lines}}}\n")
}

/// One line of a budget.
pub fn rule(rule: &Rule) -> String {
    let mut out = String::new();
    if rule.warn {
        out.push_str("warn ");
    }
    let _ = write!(out, "{} {} ", rule.figure.name(), rule.comparison.symbol());
    match &rule.target {
        Target::Number(number) => out.push_str(number.text()),
        Target::Figure { figure, spec } => {
            out.push_str(figure.name());
            if let Some(spec) = spec {
                let _ = write!(out, "({})", string(spec));
            }
        }
    }
    if let Some(tolerance) = &rule.tolerance {
        let _ = write!(out, " +- {tolerance}");
    }
    if rule.per_layer {
        out.push_str(" per layer");
    }
    let mut conditions = Vec::new();
    let at = &rule.conditions;
    conditions.extend(at.context.map(|v| format!("context={v}")));
    conditions.extend(at.batch.map(|v| format!("batch={v}")));
    conditions.extend(at.precision.map(|v| format!("precision={}", v.word())));
    conditions.extend(at.recompute.map(|v| format!("recompute={}", v.word())));
    conditions.extend(at.ranks.map(|v| format!("ranks={v}")));
    conditions.extend(at.shard.map(|v| format!("shard={}", v.word())));
    conditions.extend(at.backend.as_ref().map(|v| format!("backend={v}")));
    if !conditions.is_empty() {
        let _ = write!(out, " @ {}", conditions.join(", "));
    }
    out
}

/// A training block.
pub fn train(train: &Train) -> String {
    let mut out = String::from("train {\n");
    for (name, value) in train.block().fields() {
        let _ = writeln!(out, "    {name:<10} = {value}");
    }
    out.push_str("}\n");
    out
}
