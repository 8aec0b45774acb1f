//! Budgets as meters: how much of what is allowed is used, or how far it is to what is asked for.

use coec_ir::Comparison;
use coec_train::report::{Judged, Standing};

use super::{
    line::{Ink, Line},
    spark::bar,
};
use crate::render::number;

/// Columns of a value, and of a verdict.
const VALUE: usize = 10;
const VERDICT: usize = 6;

/// Columns that rules have before meters have any.
const RULE: usize = 28;

/// Fewest and most columns of a meter.
const LEAST: usize = 8;
const MOST: usize = 24;

/// Fewest columns of a meter with its rule and verdict, and those between two that stand side by side.
const CELL: usize = 36;
const BETWEEN: usize = 3;

/// How many of them do not hold.
pub fn broken(budgets: &[Judged]) -> usize {
    budgets.iter().filter(|judged| is_broken(judged)).count()
}

/// Meters in at most so many rows: one below the other with their values, or several beside each other without; if
/// that is too many too, those that do not hold.
pub fn within(budgets: &[Judged], is_over: bool, width: usize, rows: usize) -> Vec<Line> {
    let beside = (width + BETWEEN) / (CELL + BETWEEN);
    if budgets.len() <= rows {
        meters(budgets, is_over, width)
    } else if beside >= 2 && budgets.len().div_ceil(beside) <= rows {
        side_by_side(budgets, is_over, width, beside)
    } else {
        let mut broken: Vec<Judged> = budgets.iter().filter(|judged| is_broken(judged)).cloned().collect();
        broken.sort_by_key(|judged| judged.verdict != Standing::Fails);
        broken.truncate(rows);
        meters(&broken, is_over, width)
    }
}

fn is_broken(judged: &Judged) -> bool {
    matches!(judged.verdict, Standing::Fails | Standing::Warns)
}

/// Short meters, so many in a row.
fn side_by_side(budgets: &[Judged], is_over: bool, width: usize, beside: usize) -> Vec<Line> {
    let cell = (width + BETWEEN) / beside - BETWEEN;
    let rule = cell - (1 + LEAST + 1 + VERDICT);
    let short = |judged: &Judged| {
        let (word, ink) = verdict(judged, is_over);
        let name = Line::from(judged.rule.as_str()).padded(rule).with(Ink::Plain, " ");
        name.and(gauge(judged, ink, LEAST)).with(Ink::Plain, " ").with(ink, format!("{word:<VERDICT$}"))
    };
    let high = budgets.len().div_ceil(beside);
    let row = |row: usize| {
        let cells = (0..beside).filter_map(|column| budgets.get(column * high + row));
        cells.enumerate().fold(Line::default(), |line, (column, judged)| {
            let gap = if column == 0 { 0 } else { BETWEEN };
            line.with(Ink::Plain, " ".repeat(gap)).and(short(judged))
        })
    };
    (0..high).map(row).collect()
}

/// A row for each rule.
fn meters(budgets: &[Judged], is_over: bool, width: usize) -> Vec<Line> {
    let longest = budgets.iter().map(|judged| judged.rule.chars().count()).max().unwrap_or(0);
    let fixed = 2 + VALUE + 2 + VERDICT;
    // A meter takes what rules leave, and a little of long ones; where there is little room, rules are alone.
    let room = width.saturating_sub(fixed + 2);
    let meter = match room.saturating_sub(longest.min(RULE)) {
        0..LEAST => 0,
        _ => room.saturating_sub(longest).clamp(LEAST, MOST),
    };
    let gap = if meter > 0 { 2 } else { 0 };
    let rule = longest.min(width.saturating_sub(fixed + meter + gap));
    let row = |judged: &Judged| {
        let (word, ink) = verdict(judged, is_over);
        let value = judged.actual.map_or("–".into(), |value| number::short(value, judged.figure.unit()));
        Line::from(judged.rule.as_str())
            .padded(rule)
            .with(Ink::Plain, " ".repeat(gap))
            .and(gauge(judged, ink, meter))
            .with(Ink::Plain, format!("  {value:>VALUE$}  "))
            .with(ink, word)
            .cut(width)
    };
    budgets.iter().map(row).collect()
}

/// All of them in a few words.
pub fn summary(budgets: &[Judged], is_over: bool) -> Line {
    let count = |standing| budgets.iter().filter(|judged| judged.verdict == standing).count();
    let holds = count(Standing::Holds);
    let parts = [
        (count(Standing::Fails), "FAIL", Ink::Bad),
        (count(Standing::Warns), "warn", Ink::Warm),
        (holds, if holds == 1 { "holds" } else { "hold" }, Ink::Good),
        (count(Standing::NotMeasured), if is_over { "not measured" } else { "at the end" }, Ink::Dim),
    ];
    let parts = parts.into_iter().filter(|(count, ..)| *count > 0);
    parts.enumerate().fold(Line::default(), |line, (place, (count, word, ink))| {
        line.with(Ink::Plain, if place > 0 { ", " } else { "" }).with(ink, format!("{count} {word}"))
    })
}

fn verdict(judged: &Judged, is_over: bool) -> (&'static str, Ink) {
    match judged.verdict {
        Standing::Holds => ("holds", Ink::Good),
        Standing::Warns => ("warns", Ink::Warm),
        Standing::Fails => ("FAILS", Ink::Bad),
        Standing::NotMeasured if is_over => ("–", Ink::Dim),
        Standing::NotMeasured => ("waits", Ink::Dim),
    }
}

/// A bar of the value with the limit in it: the whole of it is the larger of both.
fn gauge(judged: &Judged, ink: Ink, width: usize) -> Line {
    let (Some(actual), Some(target)) = (judged.actual, judged.target) else {
        return Line::of(Ink::Dim, "─".repeat(width));
    };
    let whole = actual.max(target);
    if width == 0 || whole <= 0.0 {
        return Line::of(Ink::Dim, "─".repeat(width));
    }
    let full = bar(actual / whole, width);
    let used = full.chars().count();
    let line = Line::of(ink, full).with(Ink::Dim, "─".repeat(width - used));
    // At most: the limit is the end of the bar, or in it where it is passed. At least: likewise.
    let limit = ((target / whole * width as f64).round() as usize).clamp(1, width);
    if comparison(&judged.rule) == Some(Comparison::Equal) || limit == width {
        return line;
    }
    // The mark of the limit takes the place of a column.
    let rest = width - limit;
    let behind = used.saturating_sub(limit);
    Line::of(ink, "━".repeat((limit - 1).min(used)))
        .with(Ink::Dim, "─".repeat((limit - 1).saturating_sub(used)))
        .with(Ink::Strong, "┃")
        .with(ink, "━".repeat(behind))
        .with(Ink::Dim, "─".repeat(rest - behind))
}

/// How a rule compares, by its text.
fn comparison(rule: &str) -> Option<Comparison> {
    let all = [Comparison::AtMost, Comparison::AtLeast, Comparison::Equal];
    all.into_iter().find(|comparison| rule.contains(&format!(" {} ", comparison.symbol())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use coec_ir::Figure;

    fn judged(rule: &str, figure: Figure, actual: f64, target: f64, verdict: Standing) -> Judged {
        let actual = Some(actual).filter(|_| verdict != Standing::NotMeasured);
        Judged { rule: rule.into(), figure, actual, target: Some(target), verdict }
    }

    fn budgets() -> Vec<Judged> {
        vec![
            judged("params.total <= 4M", Figure::ParamsTotal, 3e6, 4e6, Standing::Holds),
            judged("flops.forward <= 1M", Figure::FlopsForward, 2e6, 1e6, Standing::Fails),
            judged("warn measured.mfu >= 40%", Figure::MeasuredMfu, 0.2, 0.4, Standing::Warns),
            judged("measured.mfu >= 10%", Figure::MeasuredMfu, 0.2, 0.1, Standing::Holds),
            judged("experts.calls == 6 per layer", Figure::ExpertsCalls, 6.0, 6.0, Standing::Holds),
            judged("measured.memory <= 1GiB", Figure::MeasuredMemory, 0.0, 1e9, Standing::NotMeasured),
        ]
    }

    #[test]
    fn meters_show_value_and_limit() {
        let shown: Vec<String> = meters(&budgets(), false, 66).iter().map(Line::plain).collect();
        insta::assert_snapshot!(shown.join("\n"));
        let narrow: Vec<String> = meters(&budgets(), true, 40).iter().map(Line::plain).collect();
        insta::assert_snapshot!(narrow.join("\n"));
    }

    #[test]
    fn where_there_are_few_rows_meters_stand_side_by_side_and_then_those_that_do_not_hold() {
        let shown = |rows: usize| {
            let lines = within(&budgets(), false, 80, rows);
            assert!(lines.len() <= rows && lines.iter().all(|line| line.width() <= 80));
            lines.iter().map(Line::plain).collect::<Vec<_>>().join("\n")
        };
        insta::assert_snapshot!(shown(3));
        insta::assert_snapshot!(shown(2));
        assert_eq!(shown(0), "");
    }

    #[test]
    fn a_summary_begins_with_what_fails() {
        assert_eq!(summary(&budgets(), false).plain(), "1 FAIL, 1 warn, 3 hold, 1 at the end");
        assert_eq!(summary(&[], false).plain(), "");
    }
}
