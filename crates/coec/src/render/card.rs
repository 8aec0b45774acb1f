//! The budget report card.

use coec_ir::{Figure, Unit};
use coec_train::report::{Judged, LayerExperts, Number, ReportCard, Row, Standing, Unmoved};

use super::{
    figure::{self, ACTIVE, CONVENTION},
    line, number,
    table::Table,
};

/// Prints the card: figures in every way they were counted, then the declared budgets.
pub fn print(card: &ReportCard) {
    let setting = figure::setting(card.setting);
    line(&format!("\nbudget report card: {} on {}, {setting}", card.model, card.backend));
    let header = ["figure", "closed form", "captured", "measured", "verdict"];
    let mut table = Table::new(header.map(String::from).to_vec());
    figures(card).into_iter().for_each(|row| table.push(row.to_vec()));
    table.lines().iter().for_each(|text| line(text));
    unmoved(&card.unmoved);
    if !card.budgets.is_empty() {
        let mut table = Table::new(["declared", "value", "verdict"].map(String::from).to_vec());
        card.budgets.iter().for_each(|judged| table.push(budget(judged).to_vec()));
        line("");
        table.lines().iter().for_each(|text| line(text));
    }
    line(&format!("({CONVENTION})"));
    line(&format!("({ACTIVE})"));
}

/// What the figures are for: `16 x 128 tokens, f32, on cpu`.
pub fn setting(card: &ReportCard) -> String {
    format!("{}, on {}", figure::setting(card.setting), card.backend)
}

/// The figures: name, closed form, captured, measured, verdict.
pub fn figures(card: &ReportCard) -> Vec<[String; 5]> {
    let mut rows: Vec<[String; 5]> = card.rows.iter().map(cells).collect();
    if let Some(measured) = &card.measured {
        let blank = String::new;
        let mut row = |name: &str, value: String| rows.push([name.into(), blank(), blank(), value, blank()]);
        row("measured.throughput", format!("{} tokens/s", number::short(measured.throughput, Unit::Calls)));
        row("measured.mfu", number::short(measured.mfu, Unit::Share));
        row("GEMM peak", format!("{}FLOP/s", number::short(measured.gemm_peak, Unit::FlopPerToken)));
    }
    rows
}

fn cells(row: &Row) -> [String; 5] {
    let unit = Figure::from_name(&row.figure).map_or(Unit::FlopPerToken, Figure::unit);
    let cell =
        |value: Option<Number>| value.map_or(String::new(), |value| number::short(value.to_f64(), unit));
    let verdict = match (row.captured, row.measured, row.verdict) {
        (None, None, _) => String::new(),
        (None, Some(measured), Standing::Holds) => match row.closed_form {
            Some(closed) => format!("{:+.1}%", 100.0 * (measured.to_f64() / closed.to_f64() - 1.0)),
            None => String::new(),
        },
        (_, _, Standing::Fails) => "DISAGREE".into(),
        _ => "equal".into(),
    };
    [row.figure.to_string(), cell(row.closed_form), cell(row.captured), cell(row.measured), verdict]
}

/// A declared budget: the rule, what it came to, verdict.
pub fn budget(judged: &Judged) -> [String; 3] {
    let value = judged.actual.map_or(String::new(), |value| number::short(value, judged.figure.unit()));
    [judged.rule.clone(), value, word(judged.verdict).into()]
}

/// Tensors and experts that a line names.
const NAMED: usize = 8;

/// Says what training never moved.
fn unmoved(unmoved: &Unmoved) {
    let some = |names: Vec<String>| {
        let more = match names.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        names.into_iter().take(NAMED).collect::<Vec<_>>().join(", ") + &more
    };
    for LayerExperts { layer, experts } in &unmoved.experts {
        let names = experts.iter().map(usize::to_string).collect();
        line(&format!("never selected, so never moved: experts {} of layer {layer}", some(names)));
    }
    if !unmoved.tensors.is_empty() {
        line(&format!("never moved by a gradient: {}", some(unmoved.tensors.clone())));
    }
}

fn word(verdict: Standing) -> &'static str {
    match verdict {
        Standing::Holds => "holds",
        Standing::Warns => "warns",
        Standing::Fails => "FAILS",
        Standing::NotMeasured => "not measured",
    }
}
