//! What a comparison established, pair by pair.

use crate::context::Context;
use crate::html::{cut, escape, missing};
use crate::number::loss;
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
        let Difference { low, mean, high, .. } = pair.difference?;
        [low, mean, high].iter().all(|value| value.is_finite()).then(|| Interval {
            label: format!("{} less {}", cut(&pair.b, 40), cut(&pair.a, 40)),
            note: context.fairness.between(&pair.a, &pair.b),
            low,
            mean,
            high,
        })
    };
    let rows: Vec<Interval> = pairs.iter().filter_map(row).collect();
    let confidence = pairs.iter().filter_map(|pair| pair.difference?.confidence).next();
    let interval = confidence.map_or("interval".into(), |share| format!("{:.0}% interval", 100.0 * share));
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
    let svg = Intervals { words, title: "difference in validation loss, nats a token".into(), rows: &rows }
        .svg()?;
    Some(format!(
        "<figure class=\"one\">\n{svg}<figcaption>The {} of each difference in the last validation loss. Left of \
         zero the first named is lower.{}</figcaption>\n</figure>\n",
        escape(&interval),
        context.fairness.badge()
    ))
}

fn table(context: &Context<'_>, pairs: &[Pair]) -> String {
    let caption = format!("Each pair{}", context.fairness.badge());
    let head = vec![
        Cell::text("pair"),
        Cell::number("difference"),
        Cell::number("from"),
        Cell::number("to"),
        Cell::text("verdict"),
        Cell::text("compute"),
    ];
    let mut table = Table::new("pairs", caption, head);
    for pair in pairs {
        let number = |value: fn(Difference) -> f64| {
            Cell::number(pair.difference.map_or("–".into(), |d| loss(value(d))))
        };
        let compute = match context.fairness.between(&pair.a, &pair.b) {
            Some(note) => Cell::text(note).bad(),
            None => Cell::text("fair"),
        };
        table.push(vec![
            Cell::html(format!("{} less {}", context.name(&pair.b), context.name(&pair.a))),
            number(|d| d.mean),
            number(|d| d.low),
            number(|d| d.high),
            Cell::text(pair.verdict.as_ref().map_or("–", word)),
            compute,
        ]);
    }
    table.html()
}

fn word(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Established => "established",
        Verdict::NotEstablished => "not established",
        Verdict::Reversed => "reversed",
        Verdict::Other(word) => word,
    }
}
