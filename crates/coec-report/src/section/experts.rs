//! How loads are spread over experts and how sure routers are, per layer and iteration.

use std::collections::BTreeMap;

use super::runs::{Lack, Shown, each};
use crate::context::Context;
use crate::detail::spread;
use crate::html::{beside, missing};
use crate::number::{percent, plain};
use crate::plot::Words;
use crate::plot::bars::{Bars, Row, neighbours};
use crate::plot::lines::{Line, Lines, Point};
use crate::series::Style;
use crate::table::{Cell, Table};
use crate::values::{Load, Routing};

pub fn html(context: &Context<'_>) -> String {
    let runs = || context.report.arms.iter().flat_map(|arm| &arm.runs);
    let records = |run: &crate::values::Run| run.loads.as_ref().map_or(0, Vec::len);
    if runs().all(|run| records(run) == 0) && runs().any(|run| run.loads.is_some()) {
        return missing("These models have no experts.");
    }
    "<p>Layers, iterations and experts are counted from 0, as in the files of a run.</p>\n".to_owned()
        + &each(context, "Expert load and router entropy", |shown| of_run(context, shown))
}

fn of_run(context: &Context<'_>, shown: Shown<'_>) -> Result<String, Lack> {
    let loads = shown.run.loads.as_deref().filter(|loads| !loads.is_empty());
    let routings = shown.run.routings.as_deref().filter(|routings| !routings.is_empty());
    if loads.is_none() && routings.is_none() {
        return Err(Lack::Record);
    }
    let badge = context.fairness.badge_of(&shown.arm.name);
    let mut parts = Vec::new();
    parts.extend(loads.map(|loads| last_load(context, shown, loads, &badge)));
    parts.extend(routings.map(|routings| entropies(context, shown.number, routings, &badge)));
    let mut out = beside(&parts);
    let id = shown.number;
    let plots = [
        loads.and_then(|loads| imbalance(context, id, loads)),
        routings.and_then(|routings| entropy(context, id, routings)),
    ];
    let plots: String = plots.into_iter().flatten().collect();
    if !plots.is_empty() {
        out += &format!(
            "<figure class=\"panels\">\n{plots}<figcaption>A line for each iteration, the mean over layers; bands go \
             from the lowest layer to the highest. The load is that of training since the evaluation before; the \
             entropy is that of each token's scores on the held-out text, as a share of the entropy of equal \
             scores.{badge}</figcaption>\n</figure>\n"
        );
    }
    if routings.is_none() {
        out += &missing("Router entropy: not recorded by this run.");
    }
    Ok(out)
}

/// The entries of the last step.
fn last<T>(entries: &[T], step: impl Fn(&T) -> u64) -> Vec<&T> {
    let last = entries.iter().map(&step).max();
    entries.iter().filter(|entry| Some(step(entry)) == last).collect()
}

/// Counts as shares of what each would have if all had the same.
fn shares(counts: &[u64]) -> Vec<f64> {
    let total: u64 = counts.iter().sum();
    let equal = total as f64 / counts.len().max(1) as f64;
    counts.iter().map(|&count| if equal > 0.0 { count as f64 / equal } else { 0.0 }).collect()
}

fn last_load(context: &Context<'_>, shown: Shown<'_>, loads: &[Load], badge: &str) -> String {
    let entries = last(loads, |load| load.step);
    let chosen = spread(entries.len(), context.detail.rows);
    let rows: Vec<Row> = chosen
        .iter()
        .map(|&at| entries[at])
        .map(|load| Row {
            label: format!("layer {}{}, iteration {}", load.layer, again(load.pass), load.iteration),
            style: Style::fixed(load.iteration),
            values: shares(&load.counts),
        })
        .collect();
    let step = entries.first().map_or(0, |load| load.step);
    let id = shown.number;
    let words = Words {
        id: format!("load-{id}"),
        title: format!("Load of each expert up to step {step}"),
        description: rows.iter().map(described).collect::<Vec<_>>().join(" "),
    };
    let bars =
        Bars { words, title: "load, in shares of an equal one".into(), x: "expert".into(), rows: &rows };
    let Some(svg) = bars.svg() else { return String::new() };
    let left_out = entries.len() - rows.len();
    let mut more = if left_out > 0 { format!(" {left_out} more rows are left out.") } else { String::new() };
    let mean_of = neighbours(rows.iter().map(|row| row.values.len()).max().unwrap_or(0));
    if mean_of > 1 {
        more += &format!(" Each bar is the mean of {mean_of} experts.");
    }
    format!(
        "<figure class=\"one\">\n{svg}<figcaption>How often each expert was selected in training up to step {}, since \
         the evaluation before. The dashed line is an equal share; a cross is an expert that no token \
         selected.{more}{badge}</figcaption>\n</figure>\n",
        coec_ir::grouped(step)
    )
}

fn described(row: &Row) -> String {
    let most = row.values.iter().copied().fold(0.0, f64::max);
    let least = row.values.iter().copied().fold(f64::INFINITY, f64::min);
    format!("{}: from {} to {} of an equal share.", row.label, plain(least), plain(most))
}

/// Iterations that have a line.
const MOST_LINES: usize = 12;

/// A value of each routing over the evaluations, as a line for each iteration.
fn lines(context: &Context<'_>, values: &[(u64, usize, f64)]) -> Vec<Line> {
    let mut iterations: BTreeMap<usize, BTreeMap<u64, Vec<f64>>> = BTreeMap::new();
    for &(step, iteration, value) in values.iter().filter(|(.., value)| value.is_finite()) {
        iterations.entry(iteration).or_default().entry(step).or_default().push(value);
    }
    let line = |(iteration, steps): (usize, BTreeMap<u64, Vec<f64>>)| {
        let steps: Vec<(u64, Vec<f64>)> = steps.into_iter().collect();
        let chosen = spread(steps.len(), context.detail.evaluations);
        let point = |(step, values): &(u64, Vec<f64>)| {
            let end = |pick: fn(f64, f64) -> f64, from: f64| values.iter().copied().fold(from, pick);
            let band = (end(f64::min, f64::INFINITY), end(f64::max, f64::NEG_INFINITY));
            Point {
                x: *step as f64,
                y: values.iter().sum::<f64>() / values.len() as f64,
                band: (values.len() > 1).then_some(band),
            }
        };
        Line {
            name: format!("iteration {iteration}"),
            style: Style::fixed(iteration),
            points: chosen.into_iter().map(|at| point(&steps[at])).collect(),
        }
    };
    let iterations: Vec<_> = iterations.into_iter().collect();
    spread(iterations.len(), MOST_LINES).into_iter().map(|at| line(iterations[at].clone())).collect()
}

fn in_words(lines: &[Line], say: fn(f64) -> String) -> String {
    let of = |line: &Line| {
        let (first, last) = (line.points.first()?, line.points.last()?);
        Some(format!("{}: from {} to {}.", line.name, say(first.y), say(last.y)))
    };
    lines.iter().filter_map(of).collect::<Vec<_>>().join(" ")
}

/// The iterations with their looks, where there are several.
fn iterations(lines: &[Line]) -> String {
    if lines.len() < 2 {
        return String::new();
    }
    let names: String = lines
        .iter()
        .map(|line| format!("<span class=\"arm\">{} {}</span> ", line.style.swatch(), line.name))
        .collect();
    format!("<p class=\"legend\">{names}</p>\n")
}

fn imbalance(context: &Context<'_>, id: usize, loads: &[Load]) -> Option<String> {
    let busiest = |load: &Load| {
        let most = shares(&load.counts).into_iter().fold(0.0, f64::max);
        (load.step, load.iteration, if most > 0.0 { most } else { f64::NAN })
    };
    let lines = lines(context, &loads.iter().map(busiest).collect::<Vec<_>>());
    let words = Words {
        id: format!("busiest-{id}"),
        title: "Load of the busiest expert against steps".into(),
        description: in_words(&lines, plain),
    };
    let reference = Some((1.0, "equal".to_owned()));
    let y = "busiest expert, equal shares".into();
    let svg = Lines { words, x: "steps".into(), to: None, y, lines: &lines, reference, note: None }.svg()?;
    Some(format!("<div>{}{svg}</div>\n", iterations(&lines)))
}

/// The entropy as a share of that of equal scores.
fn evenness(routing: &Routing) -> f64 {
    let most = (routing.counts.len() as f64).ln();
    if most > 0.0 { routing.entropy / most } else { f64::NAN }
}

fn entropy(context: &Context<'_>, id: usize, routings: &[Routing]) -> Option<String> {
    let value = |routing: &Routing| (routing.step, routing.iteration, 100.0 * evenness(routing));
    let lines = lines(context, &routings.iter().map(value).collect::<Vec<_>>());
    let words = Words {
        id: format!("entropy-{id}"),
        title: "Router entropy against steps".into(),
        description: in_words(&lines, |value| percent(value / 100.0)),
    };
    let reference = Some((100.0, "no preference".to_owned()));
    let y = "router entropy, % of the greatest".into();
    let svg = Lines { words, x: "steps".into(), to: None, y, lines: &lines, reference, note: None }.svg()?;
    Some(format!("<div>{}{svg}</div>\n", iterations(&lines)))
}

/// Which pass of a loop it is, behind the number of a layer.
fn again(pass: usize) -> String {
    if pass == 0 { String::new() } else { format!(", pass {pass}") }
}

/// The entropies at the last evaluation: a row for each layer, a column for each iteration.
fn entropies(context: &Context<'_>, id: usize, routings: &[Routing], badge: &str) -> String {
    let entries = last(routings, |routing| routing.step);
    let step = entries.first().map_or(0, |routing| routing.step);
    let columns = entries.iter().map(|routing| routing.iteration + 1).max().unwrap_or(0).min(32);
    let mut layers: BTreeMap<(usize, usize), BTreeMap<usize, &Routing>> = BTreeMap::new();
    for routing in entries {
        layers.entry((routing.layer, routing.pass)).or_default().insert(routing.iteration, routing);
    }
    let caption = format!(
        "Router entropy at step {}: nats a token, and the share of the greatest there could be{badge}",
        coec_ir::grouped(step)
    );
    let mut head = vec![Cell::text("layer")];
    head.extend((0..columns).map(|iteration| Cell::number(format!("iteration {iteration}"))));
    let mut table = Table::new(format!("entropies-{id}"), caption, head);
    let layers: Vec<_> = layers.into_iter().collect();
    for at in spread(layers.len(), context.detail.table) {
        let ((layer, pass), iterations) = &layers[at];
        let mut row = vec![Cell::text(format!("{layer}{}", again(*pass)))];
        row.extend((0..columns).map(|iteration| match iterations.get(&iteration) {
            Some(routing) => {
                Cell::number(format!("{} ({})", plain(routing.entropy), percent(evenness(routing))))
            }
            None => Cell::number(""),
        }));
        table.push(row);
    }
    table.html()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_equal_share_is_one() {
        assert_eq!(shares(&[3, 1, 0, 0]), [3.0, 1.0, 0.0, 0.0]);
        assert_eq!(shares(&[0, 0]), [0.0, 0.0]);
    }

    #[test]
    fn the_last_step_is_that_of_all_routings() {
        let load = |step, layer| Load { step, layer, pass: 0, iteration: 0, counts: vec![1] };
        let loads = [load(10, 0), load(10, 1), load(20, 0), load(20, 1)];
        assert_eq!(last(&loads, |load| load.step).len(), 2);
    }
}
