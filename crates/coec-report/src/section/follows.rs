//! Which experts tokens select in an iteration, by those they selected in the one before.

use std::collections::BTreeMap;

use super::runs::{Lack, Shown, each};
use crate::context::Context;
use crate::detail::spread;
use crate::html::{beside, missing};
use crate::number::{percent, plain};
use crate::plot::Words;
use crate::plot::matrix::Matrix;
use crate::table::{Cell, Table};
use crate::values::Routing;

/// Pairs that a table lists.
const LISTED: usize = 10;

pub fn html(context: &Context<'_>) -> String {
    let routings =
        || context.report.arms.iter().flat_map(|arm| &arm.runs).filter_map(|run| run.routings.as_ref());
    let chains = routings().flatten().any(|routing| routing.follows.is_some());
    if routings().next().is_some() && !chains {
        return missing("No model here routes a token more than once in a layer.");
    }
    each(context, "Which experts follow which", |shown| of_run(context, shown))
}

/// A step from one iteration to the next, in one layer.
struct Link<'a> {
    layer: usize,
    /// The iteration that is followed by the next.
    from: usize,
    before: &'a Routing,
    after: &'a Routing,
    pairs: &'a [(u32, u32, u64)],
}

impl<'a> Link<'a> {
    /// Those at the last evaluation.
    fn all(routings: &'a [Routing]) -> Vec<Self> {
        let last = routings.iter().map(|routing| routing.step).max();
        let places: BTreeMap<(usize, usize), &Routing> = routings
            .iter()
            .filter(|routing| Some(routing.step) == last)
            .map(|routing| ((routing.layer, routing.iteration), routing))
            .collect();
        let link = |(&(layer, iteration), &after): (&(usize, usize), &&'a Routing)| {
            let from = iteration.checked_sub(1)?;
            let before = places.get(&(layer, from))?;
            Some(Self { layer, from, before, after, pairs: after.follows.as_deref()? })
        };
        places.iter().filter_map(link).collect()
    }

    fn selected_before(&self, expert: u32) -> f64 {
        self.before.counts.get(expert as usize).map_or(0.0, |&count| count as f64)
    }

    fn selected_after(&self, expert: u32) -> f64 {
        self.after.counts.get(expert as usize).map_or(0.0, |&count| count as f64)
    }

    /// Of the tokens that selected `a`, those that then select `b`.
    fn share(&self, (a, _, count): (u32, u32, u64)) -> f64 {
        count as f64 / self.selected_before(a).max(1.0)
    }

    /// How many times as often as if the second did not depend on the first.
    fn lift(&self, (a, b, count): (u32, u32, u64)) -> f64 {
        count as f64 * self.after.tokens as f64 / (self.selected_before(a) * self.selected_after(b))
    }

    /// The share of selections that a token makes again at once, and what it would be by chance.
    fn again(&self) -> (f64, f64) {
        let same = self.pairs.iter().filter(|(a, b, _)| a == b).map(|(.., count)| *count as f64).sum::<f64>();
        let all: f64 = self.before.counts.iter().map(|&count| count as f64).sum();
        let counts = self.before.counts.iter().zip(&self.after.counts);
        let chance: f64 = counts.map(|(&a, &b)| a as f64 * b as f64 / self.after.tokens.max(1) as f64).sum();
        (same / all, chance / all)
    }

    /// Whether all pairs there are are listed.
    fn is_whole(&self) -> bool {
        let listed: u64 = self.pairs.iter().map(|(.., count)| count).sum();
        let [before, after]: [u64; 2] =
            [&self.before.counts, &self.after.counts].map(|counts| counts.iter().sum());
        let tokens = self.after.tokens.max(1);
        u128::from(listed) * u128::from(tokens) >= u128::from(before) * u128::from(after)
    }

    fn name(&self) -> String {
        format!("layer {}, iteration {} to {}", self.layer, self.from, self.from + 1)
    }
}

fn of_run(context: &Context<'_>, shown: Shown<'_>) -> Result<String, Lack> {
    let routings =
        shown.run.routings.as_deref().filter(|routings| !routings.is_empty()).ok_or(Lack::Record)?;
    let links = Link::all(routings);
    if links.is_empty() {
        return Err(Lack::Thing("A token is routed once in a layer, and nothing follows"));
    }
    let badge = context.fairness.badge_of(&shown.arm.name);
    let chosen = spread(links.len(), context.detail.squares);
    let squares: String =
        chosen.iter().filter_map(|&at| square(context, shown.number, at, &links[at])).collect();
    let left_out = links.len() - chosen.len();
    let more = match left_out {
        0 => String::new(),
        count => format!(" {count} more steps from iteration to iteration are left out."),
    };
    let whole = if links.iter().all(Link::is_whole) && context.detail.pairs >= 1024 {
        ""
    } else {
        " Only the most frequent pairs are drawn."
    };
    let step = routings.iter().map(|routing| routing.step).max().unwrap_or(0);
    let figure = format!(
        "<figure class=\"squares\">\n{squares}<figcaption>Of the tokens that selected the expert of a row, how many \
         select that of a column in the next iteration, on the held-out text at step {}: the area of a mark is \
         that share, the largest mark the greatest. On the diagonal is the same expert \
         again.{whole}{more}{badge}</figcaption>\n</figure>\n",
        coec_ir::grouped(step)
    );
    let tables = [again(context, shown.number, &links, &badge), strongest(shown.number, &links, &badge)];
    Ok(figure + &beside(&tables))
}

fn square(context: &Context<'_>, run: usize, at: usize, link: &Link<'_>) -> Option<String> {
    let pairs = &link.pairs[..link.pairs.len().min(context.detail.pairs)];
    let (same, chance) = link.again();
    let mut description = format!(
        "Tokens select the same expert again for {} of their selections, where chance would have {}.",
        percent(same),
        percent(chance)
    );
    if let Some(&(a, b, _)) = pairs.first() {
        description += &format!(" The most frequent pair is expert {b} after expert {a}.");
    }
    Matrix {
        words: Words {
            id: format!("follows-{run}-{at}"),
            title: format!("Which experts follow which: {}", link.name()),
            description,
        },
        title: format!("layer {}", link.layer),
        rows: format!("expert of iteration {}", link.from),
        columns: format!("expert of iteration {}", link.from + 1),
        size: link.before.counts.len().max(link.after.counts.len()),
        cells: pairs.iter().map(|&pair| (pair.0 as usize, pair.1 as usize, link.share(pair))).collect(),
    }
    .svg()
}

/// How often tokens stay with their experts.
fn again(context: &Context<'_>, run: usize, links: &[Link<'_>], badge: &str) -> String {
    let caption = format!("Selections that a token makes again in the next iteration{badge}");
    let head = vec![Cell::text("where"), Cell::number("made again"), Cell::number("by chance")];
    let mut table = Table::new(format!("again-{run}"), caption, head);
    for at in spread(links.len(), context.detail.table) {
        let (same, chance) = links[at].again();
        // Of what is not listed some may be the same again.
        let least = if links[at].is_whole() { "" } else { "≥ " };
        table.push(vec![
            Cell::text(links[at].name()),
            Cell::number(format!("{least}{}", percent(same))),
            Cell::number(percent(chance)),
        ]);
    }
    table.html()
}

/// The pairs that are most unlike chance, of those that a hundredth of the tokens make.
fn strongest(run: usize, links: &[Link<'_>], badge: &str) -> String {
    let mut pairs: Vec<(&Link<'_>, (u32, u32, u64))> = links
        .iter()
        .flat_map(|link| link.pairs.iter().map(move |&pair| (link, pair)))
        .filter(|(link, pair)| {
            pair.2 * 100 >= link.after.tokens && pair.2 >= 5 && link.lift(*pair).is_finite()
        })
        .collect();
    pairs.sort_by(|(a, x), (b, y)| b.lift(*y).total_cmp(&a.lift(*x)));
    if pairs.is_empty() {
        return String::new();
    }
    let caption = format!(
        "The pairs furthest above chance, of those that at least a hundredth of the tokens make{badge}"
    );
    let head = vec![
        Cell::text("where"),
        Cell::number("expert"),
        Cell::number("then expert"),
        Cell::number("times"),
        Cell::number("of those who selected the first"),
        Cell::number("times as often as by chance"),
    ];
    let mut table = Table::new(format!("strongest-{run}"), caption, head);
    for (link, pair) in pairs.into_iter().take(LISTED) {
        table.push(vec![
            Cell::text(link.name()),
            Cell::number(pair.0.to_string()),
            Cell::number(pair.1.to_string()),
            Cell::number(coec_ir::grouped(pair.2)),
            Cell::number(percent(link.share(pair))),
            Cell::number(plain(link.lift(pair))),
        ]);
    }
    table.html()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routing(iteration: usize, counts: &[u64], follows: Option<&[(u32, u32, u64)]>) -> Routing {
        let follows = follows.map(<[_]>::to_vec);
        Routing {
            step: 4,
            layer: 0,
            pass: 0,
            iteration,
            tokens: 100,
            entropy: 1.0,
            counts: counts.to_vec(),
            follows,
        }
    }

    #[test]
    fn shares_and_lifts_are_of_what_was_selected_before() {
        let routings = [
            routing(0, &[50, 50], None),
            routing(1, &[40, 60], Some(&[(1, 1, 40), (0, 0, 30), (0, 1, 20), (1, 0, 10)])),
        ];
        let links = Link::all(&routings);
        assert_eq!(links.len(), 1);
        let link = &links[0];
        assert_eq!(link.share((1, 1, 40)), 0.8);
        assert!((link.lift((1, 1, 40)) - 40.0 * 100.0 / (50.0 * 60.0)).abs() < 1e-12);
        assert_eq!(link.again(), (0.7, 0.5));
        assert!(link.is_whole());
    }

    #[test]
    fn a_list_that_was_cut_is_known_by_its_sum() {
        let routings = [routing(0, &[50, 50], None), routing(1, &[40, 60], Some(&[(1, 1, 40)]))];
        assert!(!Link::all(&routings)[0].is_whole());
    }
}
