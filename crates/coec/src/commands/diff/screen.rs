//! The difference for people.

use coec_ir::diff::{Change, FigureChange, Loading, Pattern};
use coec_ir::text;

use super::Difference;
use crate::render::{
    figure::{cell, setting},
    line,
    table::Table,
};

/// Most patterns of tensors that are listed of one kind.
const MOST_PATTERNS: usize = 12;

/// A value that only the other side has.
const NOTHING: &str = "-";

/// Most characters of a value or a pattern of names.
const LONGEST: usize = 120;

pub fn show(difference: &Difference) {
    let (old, new) = (difference.old.name, difference.new.name);
    if difference.is_empty() {
        return line(&format!("{old} and {new} mean the same"));
    }
    line(&format!("{old} -> {new}"));
    // One name for both would name neither.
    let (old, new) = if old == new { ("A", "B") } else { (old, new) };
    changes("fields", &difference.fields);
    figures(difference, [old, new]);
    checkpoint(&difference.loading, [old, new]);
    if !difference.rules.is_empty() {
        line("\nbudget");
        difference.rules.removed.iter().for_each(|rule| line(&format!("  - {}", text::rule(rule))));
        difference.rules.added.iter().for_each(|rule| line(&format!("  + {}", text::rule(rule))));
    }
    changes("training", &difference.training);
}

/// Fields one below the other, short values in columns.
fn changes(title: &str, changes: &[Change]) {
    if changes.is_empty() {
        return;
    }
    line(&format!("\n{title}"));
    let value = |value: &Option<String>| value.as_deref().map_or(NOTHING.to_string(), cut);
    let rows: Vec<[String; 3]> =
        changes.iter().map(|change| [change.name(), value(&change.old), value(&change.new)]).collect();
    // A whole block would push the others apart.
    const WIDE: usize = 24;
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).filter(|&width| width <= WIDE).max().unwrap_or(0)
    };
    let (names, olds) = (width(0), width(1));
    for [name, old, new] in &rows {
        if old.chars().count().max(new.chars().count()) > WIDE {
            line(&format!("  {name}"));
            for (mark, value) in [('-', old), ('+', new)].into_iter().filter(|(_, value)| *value != NOTHING) {
                line(&format!("    {mark} {value}"));
            }
        } else {
            line(&format!("  {name:<names$}  {old:>olds$} -> {new}"));
        }
    }
}

fn figures(difference: &Difference, [old, new]: [&str; 2]) {
    let (equal, differing): (Vec<_>, Vec<_>) =
        difference.figures.iter().partition(|change| change.is_equal());
    if differing.is_empty() {
        return line("\nfigures: all are equal");
    }
    line("\nfigures");
    let header = ["  figure", old, new, "change", "", "unit"];
    let mut table = Table::new(header.map(String::from).to_vec());
    for change in &differing {
        let figure = change.figure;
        table.push(vec![
            format!("  {}", figure.name()),
            cell(figure, &change.old.to_string()),
            cell(figure, &change.new.to_string()),
            delta(change),
            share(change),
            figure.unit().word().into(),
        ]);
    }
    table.lines().iter().for_each(|text| line(text));
    if !equal.is_empty() {
        let names: Vec<_> = equal.iter().map(|change| change.figure.name()).collect();
        line(&format!("  equal: {}", names.join(", ")));
    }
    let (before, after) = (difference.old.setting, difference.new.setting);
    if before == after {
        line(&format!("  ({})", setting(before)));
    } else {
        line(&format!("  ({old}: {}; {new}: {})", setting(before), setting(after)));
    }
}

/// `+258,048`.
fn delta(change: &FigureChange) -> String {
    let digits = change.delta().magnitude().to_string();
    let sign = if change.new < change.old { '-' } else { '+' };
    format!("{sign}{}", cell(change.figure, &digits))
}

/// `+12.50%`; how many times as much for what more than doubled.
fn share(change: &FigureChange) -> String {
    let ratio = |value: &num_bigint::BigUint| value.to_string().parse::<f64>().unwrap_or(f64::NAN);
    let times = ratio(&change.new) / ratio(&change.old);
    match times {
        t if !t.is_finite() => String::new(),
        t if t >= 1e4 => format!("x{t:.2e}"),
        t if t >= 10.0 => format!("x{t:.1}"),
        t => match 100.0 * (t - 1.0) {
            percent if percent.abs() < 0.1 => format!("{percent:+.4}%"),
            percent => format!("{percent:+.2}%"),
        },
    }
}

fn checkpoint(loading: &Loading, [old, new]: [&str; 2]) {
    line("\ncheckpoint");
    if loading.succeeds() {
        return line(&format!("  a checkpoint of {old} loads into {new}: every tensor has its place"));
    }
    line(&format!("  a checkpoint of {old} does not load into {new}"));
    for (kind, patterns) in
        [("missing", &loading.missing), ("surplus", &loading.surplus), ("misshapen", &loading.misshapen)]
    {
        if patterns.is_empty() {
            continue;
        }
        let tensors: u128 = patterns.iter().map(|pattern| pattern.tensors).sum();
        line(&format!("  {tensors} {kind}"));
        for Pattern { names, tensors, shapes } in patterns.iter().take(MOST_PATTERNS) {
            let shapes =
                shapes.as_ref().map(|(old, new)| format!("  {old:?} -> {new:?}")).unwrap_or_default();
            line(&format!("    {tensors:>6}  {}{shapes}", cut(names)));
        }
        if patterns.len() > MOST_PATTERNS {
            line(&format!("    and {} more patterns; --json lists them", patterns.len() - MOST_PATTERNS));
        }
    }
}

/// A text, or its beginning where it is too long to read.
fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_string(),
    }
}
