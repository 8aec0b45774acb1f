//! The exact differences between specs: a row for each field and figure in which any two differ.

use coec_ir::diff::{self, Change};
use coec_ir::{Figure, Unit, cost::Cost};

use crate::context::Context;
use crate::fairness::cost;
use crate::html::{cut, missing};
use crate::number::short;
use crate::table::{Cell, Table};
use crate::values::{Arm, Spec};

pub fn html(context: &Context<'_>) -> String {
    let arms: Vec<(usize, &Arm)> = context.report.arms.iter().enumerate().take(context.detail.arms).collect();
    if context.report.arms.len() < 2 {
        return String::new();
    }
    let read: Vec<(usize, &Arm, &Spec)> =
        arms.iter().filter_map(|&(number, arm)| Some((number, arm, arm.spec.as_ref()?))).collect();
    let unread: Vec<String> =
        arms.iter().filter(|(_, arm)| arm.spec.is_none()).map(|(_, arm)| context.name(&arm.name)).collect();
    let mut out = String::new();
    if !unread.is_empty() {
        out += &format!(
            "<p class=\"missing\">Not compared, as this version of coec cannot read the spec: {}.</p>\n",
            crate::html::listed(&unread, 12)
        );
    }
    let Some((&(_, _, first), others)) = read.split_first() else { return out };
    if others.is_empty() {
        return out;
    }
    let model = |spec: &Spec| diff::model(&first.model, &spec.model);
    let train = |spec: &Spec| {
        let changes = diff::train(Some(&first.train), Some(&spec.train)).into_iter();
        // Seeds differ among the runs of one arm too.
        changes.filter(|change| change.field != "train.seed").collect()
    };
    out += &fields(context, "fields", "Fields of the model that differ", &read, model);
    out += &fields(context, "training", "Settings of the training that differ", &read, train);
    out += &figures(context, &read);
    out
}

/// The fields that differ from those of the first; what is the same is set back.
fn fields(
    context: &Context<'_>,
    id: &str,
    title: &str,
    arms: &[(usize, &Arm, &Spec)],
    changes: impl Fn(&Spec) -> Vec<Change>,
) -> String {
    let changes: Vec<Vec<Change>> = arms.iter().map(|(_, _, spec)| changes(spec)).collect();
    let mut names: Vec<String> = Vec::new();
    for name in changes.iter().flatten().map(Change::name) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return format!("<p>{title}: none.</p>\n");
    }
    let mut head = vec![Cell::text("field")];
    head.extend(arms.iter().map(|(number, arm, _)| Cell::html(context.arm(*number, arm))));
    let mut table = Table::new(id, format!("{title}{}", context.fairness.badge()), head);
    for name in names.iter().take(context.detail.table) {
        let found: Vec<Option<&Change>> =
            changes.iter().map(|changes| changes.iter().find(|change| change.name() == *name)).collect();
        let old = found.iter().flatten().next().and_then(|change| change.old.clone());
        let cell = |value: &Option<String>| match value {
            Some(value) => Cell::code(cut(value, context.detail.name)),
            None => Cell::text("–"),
        };
        let mut row = vec![Cell::code(cut(name, context.detail.name))];
        row.extend(found.iter().enumerate().map(|(place, change)| match change {
            Some(change) => cell(&change.new),
            None if place == 0 => cell(&old),
            None => cell(&old).quiet(),
        }));
        table.push(row);
    }
    let left_out = names.len().saturating_sub(context.detail.table);
    let more = match left_out {
        0 => String::new(),
        count => missing(&format!("{count} more fields differ; coec diff lists every one.")),
    };
    table.html() + &more
}

/// Every figure of the closed form, and by how much it differs from that of the first.
fn figures(context: &Context<'_>, arms: &[(usize, &Arm, &Spec)]) -> String {
    let costs: Vec<_> = arms.iter().map(|(_, _, spec)| cost(&spec.model, spec.train.context)).collect();
    let contexts = arms.iter().map(|(_, _, spec)| spec.train.context);
    let (least, most) = (contexts.clone().min().unwrap_or(0), contexts.max().unwrap_or(0));
    let at = match least == most {
        true => format!("at {} tokens", coec_ir::grouped(most)),
        false => "each at its own training's context".into(),
    };
    let caption = format!(
        "Figures by the closed form, one sequence {at}, f32, and how far each is from the first{}",
        context.fairness.badge()
    );
    let mut head = vec![Cell::text("figure")];
    head.extend(arms.iter().map(|(number, arm, _)| Cell::html(context.arm(*number, arm))));
    let mut table = Table::new("figures", caption, head);
    for (figure, first) in costs.first().into_iter().flat_map(Cost::figures) {
        let values: Vec<_> = costs.iter().map(|cost| cost.figure(figure)).collect();
        let mut row = vec![Cell::text(figure.name())];
        row.extend(values.iter().map(|value| match value {
            Some(value) => Cell::number(
                shown(figure, &value.to_string()) + &change(&first.to_string(), &value.to_string()),
            ),
            None => Cell::number("–"),
        }));
        table.push(row);
    }
    table.html()
}

/// Exact where digits can be read; counts of paths have hundreds.
fn shown(figure: Figure, digits: &str) -> String {
    match figure.unit() {
        Unit::Bytes => bytes(digits.parse().unwrap_or(f64::NAN)),
        _ if digits.len() > 15 => format!("{}.{}e{}", &digits[..1], &digits[1..4], digits.len() - 1),
        Unit::Params | Unit::Calls | Unit::Paths => coec_ir::grouped(digits),
        _ => short(digits.parse().unwrap_or(f64::NAN)),
    }
}

fn bytes(value: f64) -> String {
    let units = [(1u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(size, _)| value >= *size as f64) {
        Some((size, unit)) => format!("{:.1} {unit}", value / size as f64),
        None => format!("{value:.0} B"),
    }
}

/// `, +11.0%`; nothing where both are the same.
fn change(first: &str, value: &str) -> String {
    if first == value {
        return String::new();
    }
    let number = |digits: &str| digits.parse::<f64>().unwrap_or(f64::NAN);
    match number(value) / number(first) {
        times if !times.is_finite() => String::new(),
        times if times >= 10.0 => format!(" (×{})", short(times)),
        times => format!(" ({:+.1}%)", 100.0 * (times - 1.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_shares_of_the_first() {
        assert_eq!(change("100", "111"), " (+11.0%)");
        assert_eq!(change("100", "100"), "");
        assert_eq!(change("10", "912"), " (×91.20)");
        assert_eq!(bytes(1.5 * 1024.0 * 1024.0), "1.5 MiB");
    }
}
