//! What a comparison established, pair by pair.

use crate::context::Context;
use crate::html::{cut, escape, missing};
use crate::number::{loss, short};
use crate::plot::Words;
use crate::plot::intervals::{Interval, Intervals};
use crate::table::{Cell, Table};
use crate::values::{Difference, Pair, Verdict};

pub fn html(context: &Context<'_>) -> String {
    let pairs = &context.report.pairs;
    if pairs.is_empty() {
        return String::new();
    }
    let shown = &pairs[..pairs.len().min(context.detail.table)];
    let mut out = sentences(context, shown);
    out += &plot(context, shown).unwrap_or_default();
    out += &table(context, shown);
    out += &at_equal(context, shown);
    if shown.len() < pairs.len() {
        out += &missing(&format!(
            "{} more pairs are not shown; compare.json has them.",
            pairs.len() - shown.len()
        ));
    }
    out
}

fn sentences(context: &Context<'_>, pairs: &[Pair]) -> String {
    let said = pairs.iter().filter_map(|pair| {
        let sentence = escape(&cut(pair.sentence.as_ref()?, 600));
        let badge = context.fairness.between(&pair.a, &pair.b);
        let badge =
            badge.map_or(String::new(), |note| format!(" <span class=\"unfair\">{}</span>", escape(&note)));
        Some(format!("<li>{sentence}{badge}</li>\n"))
    });
    let said: String = said.collect();
    if said.is_empty() { said } else { format!("<ul class=\"said\">\n{said}</ul>\n") }
}

fn plot(context: &Context<'_>, pairs: &[Pair]) -> Option<String> {
    let row = |pair: &Pair| {
        let Difference { mean, interval, .. } = pair.difference?;
        let (low, high) = interval.unwrap_or((mean, mean));
        [low, mean, high].iter().all(|value| value.is_finite()).then(|| Interval {
            label: format!("{} less {}", cut(&pair.a, 40), cut(&pair.b, 40)),
            note: context.fairness.between(&pair.a, &pair.b),
            low,
            mean,
            high,
        })
    };
    let rows: Vec<Interval> = pairs.iter().filter_map(row).collect();
    let known = pairs.iter().filter_map(|pair| pair.difference);
    let confidence = known.filter(|difference| difference.interval.is_some()).find_map(|d| d.confidence);
    let shown = match confidence {
        Some(share) => format!("The {:.0}% interval of each difference", 100.0 * share),
        None => "Each difference".into(),
    };
    let in_words: Vec<String> = rows
        .iter()
        .map(|row| {
            format!("{}: {}, from {} to {}.", row.label, loss(row.mean), loss(row.low), loss(row.high))
        })
        .collect();
    let words = Words {
        id: "pairs-plot".into(),
        title: "Differences in validation loss".into(),
        description: in_words.join(" "),
    };
    let title = "difference in validation loss, nats a token".into();
    let svg = Intervals { words, title, rows: &rows }.svg()?;
    Some(format!(
        "<figure class=\"one\">\n{svg}<figcaption>{shown} in the last validation loss. Left of zero the first named \
         is lower.{}</figcaption>\n</figure>\n",
        context.fairness.badge()
    ))
}

/// A difference as three cells: the mean, and the ends of its interval.
fn cells(difference: Option<Difference>) -> [Cell; 3] {
    let number = |value: Option<f64>| Cell::number(value.map_or("–".into(), loss));
    let interval = difference.and_then(|difference| difference.interval);
    [
        number(difference.map(|difference| difference.mean)),
        number(interval.map(|(low, _)| low)),
        number(interval.map(|(_, high)| high)),
    ]
}

fn name(context: &Context<'_>, pair: &Pair) -> Cell {
    Cell::html(format!("{} less {}", context.name(&pair.a), context.name(&pair.b)))
}

fn table(context: &Context<'_>, pairs: &[Pair]) -> String {
    let caption = format!(
        "Each pair at the end; the verdict is on the claim that the first has the lower loss{}",
        context.fairness.badge()
    );
    let mut head = vec![Cell::text("pair")];
    head.extend(["difference", "from", "to"].map(Cell::number));
    head.extend(["verdict", "compute"].map(Cell::text));
    let mut table = Table::new("pairs", caption, head);
    for pair in pairs {
        let compute = match context.fairness.between(&pair.a, &pair.b) {
            Some(note) => Cell::text(note).bad(),
            None => Cell::text("fair"),
        };
        let mut row = vec![name(context, pair)];
        row.extend(cells(pair.difference));
        row.extend([Cell::text(pair.verdict.as_ref().map_or("–", word)), compute]);
        table.push(row);
    }
    table.html()
}

/// The differences where both have spent as much.
fn at_equal(context: &Context<'_>, pairs: &[Pair]) -> String {
    let caption = format!("The same where both have spent as much{}", context.fairness.badge());
    let mut head = vec![Cell::text("pair"), Cell::text("at equal")];
    head.extend(["spent", "difference", "from", "to"].map(Cell::number));
    let mut table = Table::new("pairs-at-equal", caption, head);
    let rows = pairs.iter().flat_map(|pair| pair.at_equal.iter().map(move |at| (pair, at)));
    for (pair, at) in rows.take(context.detail.table) {
        let mut row =
            vec![name(context, pair), Cell::html(context.name(&at.axis)), Cell::number(short(at.spent))];
        row.extend(cells(at.difference));
        table.push(row);
    }
    if table.is_empty() { String::new() } else { table.html() }
}

fn word(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Established => "established",
        Verdict::NotEstablished => "not established",
        Verdict::Reversed => "reversed",
        Verdict::Other(word) => word,
    }
}
