//! What was run, and what came of it: a line each.

use crate::context::Context;
use crate::html::{definitions, escape, missing};
use crate::number::{duration, loss, short};
use crate::table::{Cell, Table};
use crate::values::{Arm, Run, Step};

pub fn html(context: &Context<'_>) -> String {
    let alone = match context.report.arms.as_slice() {
        [arm] => match arm.runs.as_slice() {
            [run] => Some((arm, run)),
            _ => None,
        },
        _ => None,
    };
    match alone {
        Some((arm, run)) => facts(arm, run),
        None => arms(context) + &runs(context),
    }
}

/// What a run came to.
struct Came<'a> {
    last: Option<&'a Step>,
    val_loss: f64,
    best: f64,
    /// Steps that the spec asks for.
    asked: Option<u64>,
}

impl<'a> Came<'a> {
    fn of(arm: &Arm, run: &'a Run) -> Self {
        let steps = || run.steps.iter().flatten();
        let evaluated = || steps().filter_map(|step| step.val_loss).filter(|loss| loss.is_finite());
        Self {
            last: steps().next_back(),
            val_loss: evaluated().next_back().unwrap_or(f64::NAN),
            best: evaluated().fold(f64::NAN, f64::min),
            asked: arm.spec.as_ref().map(|spec| spec.train.length(&spec.model) as u64),
        }
    }

    /// `400`, or `120 of 400` where it is not done.
    fn steps(&self) -> String {
        let done = self.last.map_or(0, |step| step.step);
        match self.asked {
            Some(asked) if asked > done => {
                format!("{} of {}", coec_ir::grouped(done), coec_ir::grouped(asked))
            }
            _ => coec_ir::grouped(done),
        }
    }

    fn tokens(&self) -> String {
        self.last.map_or("–".into(), |step| short(step.tokens as f64))
    }

    fn seconds(&self) -> String {
        self.last.map_or("–".into(), |step| duration(step.seconds))
    }
}

/// `7 hold`, `1 fails`.
fn budgets(run: &Run) -> (String, bool) {
    let Some(card) = &run.card else { return ("–".into(), false) };
    let failed = card.budgets.iter().filter(|budget| budget.fails).count()
        + card.rows.iter().filter(|row| row.fails).count();
    match (failed, card.budgets.len()) {
        (0, 0) => ("none".into(), false),
        (0, count) => (format!("{count} judged, none fails"), false),
        (1, _) => ("1 fails".into(), true),
        (count, _) => (format!("{count} fail"), true),
    }
}

fn facts(arm: &Arm, run: &Run) -> String {
    let came = Came::of(arm, run);
    let mut pairs = vec![
        ("run".to_owned(), format!("<code>{}</code>", escape(&run.name))),
        ("model".into(), escape(&arm.name)),
        ("seed".into(), run.seed.map_or("–".into(), |seed| seed.to_string())),
        ("steps".into(), came.steps()),
        ("tokens learned from".into(), came.tokens()),
        ("time in steps".into(), came.seconds()),
        ("last validation loss".into(), format!("{} nats a token", loss(came.val_loss))),
        ("lowest validation loss".into(), format!("{} nats a token", loss(came.best))),
        ("budgets".into(), budgets(run).0),
    ];
    if let Some(card) = &run.card {
        pairs.push(("counted for".into(), escape(&card.setting)));
    }
    definitions(&pairs)
}

/// A line for each arm, where any has several runs.
fn arms(context: &Context<'_>) -> String {
    let arms = &context.report.arms;
    if arms.iter().all(|arm| arm.runs.len() < 2) {
        return String::new();
    }
    let caption =
        format!("Validation loss of each model over its seeds, nats a token{}", context.fairness.badge());
    let columns = ["model", "runs", "mean", "standard deviation", "lowest", "highest"];
    let head = columns
        .iter()
        .enumerate()
        .map(|(at, name)| if at == 0 { Cell::text(name) } else { Cell::number(name) });
    let mut table = Table::new("arms", caption, head.collect());
    for (number, arm) in arms.iter().enumerate().take(context.detail.table) {
        let losses: Vec<f64> = arm.runs.iter().map(|run| Came::of(arm, run).val_loss).collect();
        let finite: Vec<f64> = losses.into_iter().filter(|loss| loss.is_finite()).collect();
        let (mean, std) = match arm.val_loss {
            Some(spread) => (spread.mean, spread.std),
            None => mean_and_std(&finite),
        };
        let end = |from: f64, pick: fn(f64, f64) -> f64| loss(finite.iter().copied().fold(from, pick));
        table.push(vec![
            Cell::html(context.arm(number, arm)),
            Cell::number(arm.runs.len().to_string()),
            Cell::number(loss(mean)),
            Cell::number(std.map_or("–".into(), loss)),
            Cell::number(end(f64::NAN, f64::min)),
            Cell::number(end(f64::NAN, f64::max)),
        ]);
    }
    table.html()
}

/// The mean and, of several, the standard deviation of a sample.
fn mean_and_std(values: &[f64]) -> (f64, Option<f64>) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt()))
}

/// A line for each run.
fn runs(context: &Context<'_>) -> String {
    let caption = format!("Every run; validation losses in nats a token{}", context.fairness.badge());
    let mut head = vec![Cell::text("run"), Cell::text("model")];
    let numbers = ["seed", "steps", "tokens", "time in steps", "last validation loss", "lowest"];
    head.extend(numbers.map(Cell::number));
    head.push(Cell::text("budgets"));
    let mut table = Table::new("every-run", caption, head);
    let runs = context.report.arms.iter().enumerate();
    let runs = runs.flat_map(|(number, arm)| arm.runs.iter().map(move |run| (number, arm, run)));
    for (number, arm, run) in runs.take(context.detail.table) {
        let came = Came::of(arm, run);
        let (judged, fails) = budgets(run);
        let judged = Cell::text(judged);
        table.push(vec![
            Cell::html(context.name(&run.name)),
            Cell::html(context.arm(number, arm)),
            Cell::number(run.seed.map_or("–".into(), |seed| seed.to_string())),
            Cell::number(came.steps()),
            Cell::number(came.tokens()),
            Cell::number(came.seconds()),
            Cell::number(loss(came.val_loss)),
            Cell::number(loss(came.best)),
            if fails { judged.bad() } else { judged },
        ]);
    }
    let left_out = context.run_count().saturating_sub(context.detail.table);
    let more =
        if left_out > 0 { missing(&format!("{left_out} more runs are not listed.")) } else { String::new() };
    table.html() + &more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        assert_eq!(mean_and_std(&[1.0, 3.0]), (2.0, Some(2f64.sqrt())));
        assert_eq!(mean_and_std(&[1.0]).1, None);
    }
}
