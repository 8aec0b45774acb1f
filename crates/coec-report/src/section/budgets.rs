//! Figures in every way they were counted, and the declared budgets.

use super::runs::{Lack, Shown, each};
use crate::context::Context;
use crate::html::{beside, cut, escape};
use crate::table::{Cell, Table};
use crate::values::{Budget, Card, CardRow};

/// What every report says beside its figures.
const CONVENTION: &str =
    "2 FLOPs a multiply-add, matrix products only, per token; k, M, G, T decimal, Ki, Mi, Gi binary.";

pub fn html(context: &Context<'_>) -> String {
    format!("<p>{CONVENTION}</p>\n")
        + &each(context, "The report card", |shown| {
            let card = shown.run.card.as_ref().ok_or(Lack::Record)?;
            let badge = context.fairness.badge_of(&shown.arm.name);
            Ok(beside(&[figures(context, card, shown, &badge), declared(context, card, shown, &badge)]))
        })
}

fn figures(context: &Context<'_>, card: &Card, shown: Shown<'_>, badge: &str) -> String {
    let caption = format!("Figures for {}{badge}", escape(&card.setting));
    let mut head = vec![Cell::text("figure")];
    head.extend(["closed form", "captured", "measured", "verdict"].map(Cell::number));
    let mut table = Table::new(format!("card-{}", shown.number), caption, head);
    for CardRow { figure, closed_form, captured, measured, verdict, fails } in
        card.rows.iter().take(context.detail.table)
    {
        let verdict = Cell::number(verdict);
        table.push(vec![
            Cell::text(figure),
            Cell::number(closed_form),
            Cell::number(captured),
            Cell::number(measured),
            if *fails { verdict.bad() } else { verdict },
        ]);
    }
    table.html()
}

fn declared(context: &Context<'_>, card: &Card, shown: Shown<'_>, badge: &str) -> String {
    if card.budgets.is_empty() {
        return "<p>No budget is declared.</p>\n".into();
    }
    let caption = format!("Declared budgets{badge}");
    let head = vec![Cell::text("declared"), Cell::number("value"), Cell::text("verdict")];
    let mut table = Table::new(format!("declared-{}", shown.number), caption, head);
    for Budget { rule, value, verdict, fails } in card.budgets.iter().take(context.detail.table) {
        let verdict = Cell::text(verdict);
        table.push(vec![
            Cell::code(cut(rule, context.detail.name)),
            Cell::number(value),
            if *fails { verdict.bad() } else { verdict },
        ]);
    }
    table.html()
}
