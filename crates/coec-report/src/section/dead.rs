//! Experts that no token selects.

use std::collections::BTreeMap;

use crate::context::Context;
use crate::html::{listed, missing};
use crate::table::{Cell, Table};
use crate::values::Run;

/// Experts that a cell names.
const NAMED: usize = 24;

pub fn html(context: &Context<'_>) -> String {
    let runs: Vec<_> = context.runs().collect();
    let known = runs.iter().filter(|(.., run)| run.loads.as_ref().is_some_and(|loads| !loads.is_empty()));
    let known: Vec<_> = known.collect();
    if known.is_empty() {
        return missing("No run recorded expert load.");
    }
    let caption = format!("Experts that no token selected{}", context.fairness.badge());
    let head = vec![
        Cell::text("run"),
        Cell::text("model"),
        Cell::text("layer"),
        Cell::text("in all of the training"),
        Cell::text("since the evaluation before the last"),
    ];
    let mut table = Table::new("dead-experts", caption, head);
    let (mut alive, mut left_out) = (Vec::new(), 0);
    for (number, arm, run) in known {
        let layers = unselected(run);
        let any = layers.values().any(|layer| !layer.ever.is_empty() || !layer.lately.is_empty());
        if !any {
            alive.push(context.name(&run.name));
        }
        for (layer, found) in
            layers.iter().filter(|(_, found)| !found.ever.is_empty() || !found.lately.is_empty())
        {
            left_out += 1;
            if left_out > context.detail.table {
                continue;
            }
            let cell = |experts: &[usize]| {
                let names: Vec<String> = experts.iter().map(usize::to_string).collect();
                let noun = if experts.len() == 1 { "expert" } else { "experts" };
                Cell::text(match experts.len() {
                    0 => "none".into(),
                    count => format!("{count} of {}: {noun} {}", found.all, listed(&names, NAMED)),
                })
            };
            table.push(vec![
                Cell::html(context.name(&run.name)),
                Cell::html(context.arm(*number, arm)),
                Cell::text(layer.to_string()),
                cell(&found.ever),
                cell(&found.lately),
            ]);
        }
    }
    let mut out = String::new();
    if !table.is_empty() {
        out += &table.html();
    }
    let more = left_out.saturating_sub(context.detail.table);
    if more > 0 {
        out += &missing(&format!("{more} more layers with such experts are not listed."));
    }
    match alive.len() {
        0 => {}
        _ if table.is_empty() => {
            out += "<p>None: every expert of every layer was selected, in the last stretch of training too.</p>\n";
        }
        _ => out += &format!("<p>None in {}.</p>\n", listed(&alive, 12)),
    }
    out
}

/// Experts of a layer that no iteration selected.
struct Unselected {
    /// How many there are.
    all: usize,
    /// In all steps.
    ever: Vec<usize>,
    /// In the last stretch.
    lately: Vec<usize>,
}

fn unselected(run: &Run) -> BTreeMap<usize, Unselected> {
    let loads = || run.loads.iter().flatten();
    let last = loads().map(|load| load.step).max();
    let mut sums: BTreeMap<usize, [Vec<u64>; 2]> = BTreeMap::new();
    for load in loads() {
        let layer = sums.entry(load.layer).or_default();
        for (sum, counts) in layer.iter_mut().zip([true, Some(load.step) == last]) {
            sum.resize(sum.len().max(load.counts.len()), 0);
            if counts {
                sum.iter_mut().zip(&load.counts).for_each(|(sum, count)| *sum = sum.saturating_add(*count));
            }
        }
    }
    let zeros = |sum: &[u64]| (0..sum.len()).filter(|&expert| sum[expert] == 0).collect();
    sums.into_iter()
        .map(|(layer, [ever, lately])| {
            (layer, Unselected { all: ever.len(), ever: zeros(&ever), lately: zeros(&lately) })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::Load;

    #[test]
    fn an_expert_is_dead_if_no_iteration_selects_it() {
        let load = |step, iteration, counts: [u64; 4]| Load {
            step,
            layer: 3,
            pass: 0,
            iteration,
            counts: counts.to_vec(),
        };
        let loads = vec![load(2, 0, [1, 0, 0, 1]), load(4, 0, [1, 0, 0, 0]), load(4, 1, [1, 1, 0, 0])];
        let found = unselected(&Run { loads: Some(loads), ..Run::default() });
        assert_eq!((found[&3].ever.as_slice(), found[&3].lately.as_slice()), (&[2][..], &[2, 3][..]));
    }
}
