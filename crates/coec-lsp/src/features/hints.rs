//! Figures behind the lines that they are about.

use std::ops::Range as Bytes;

use coec_graph::Share;
use coec_ir::cost::Cost;
use coec_ir::table::Described;
use coec_ir::{Comparison, Figure, Quantity};
use coec_lang::{LayerField, Outcome, Verdict};
use gen_lsp_types::{InlayHint, Label, Tooltip};

use super::{Model, View, brief, exact, markdown, percent};
use crate::analysis::Judged;

/// The hints of a document, those of `within` alone.
pub(crate) fn of(view: &View, within: Bytes<usize>) -> Vec<InlayHint> {
    let mut found: Vec<(usize, String, String)> = Vec::new();
    let several = view.analysis.models.len() > 1;
    for model in &view.analysis.models {
        for verdict in &model.verdicts {
            if let Some(range) = view.range_of(&verdict.at) {
                let name = if several { format!("{}: ", model.spec.model.name) } else { String::new() };
                found.push((range.end, format!("{name}{}", slack(verdict)), slack_in_words(verdict)));
            }
        }
        for field in model.fields() {
            if let Some(range) = view.range_of(&field.at) {
                let share = share_of(&model.spec.model, field);
                let words = share_words(share, model, field);
                found.push((range.end, share_text(share, model.cost()), words));
            }
        }
        found.extend(embedding(view, model));
    }
    found.retain(|(at, ..)| within.start <= *at && *at <= within.end);
    joined(found).into_iter().map(|(at, text, words)| hint(view, at, text, words)).collect()
}

fn hint(view: &View, at: usize, text: String, words: String) -> InlayHint {
    InlayHint {
        position: view.document.text.position(at),
        label: Label::String(text),
        kind: None,
        text_edits: None,
        tooltip: Some(Tooltip::MarkupContent(markdown(words))),
        padding_left: Some(true),
        padding_right: None,
        data: None,
    }
}

/// One hint for each place: a rule of a file may be one of several models.
fn joined(mut found: Vec<(usize, String, String)>) -> Vec<(usize, String, String)> {
    found.sort_by_key(|(at, ..)| *at);
    let mut joined: Vec<(usize, String, String)> = Vec::new();
    for (at, text, words) in found {
        match joined.last_mut().filter(|(last, ..)| *last == at) {
            Some((_, all, said)) => {
                *all = format!("{all}; {text}");
                *said = format!("{said}  \n{words}");
            }
            None => joined.push((at, text, words)),
        }
    }
    joined
}

/// What a rule reads, and how far it is from its edge: `3.655 M, 8.6% left`.
fn slack(verdict: &Verdict) -> String {
    let unit = verdict.rule.figure.unit();
    let worst = verdict.readings.iter().filter_map(|reading| {
        let (actual, target) = (reading.actual.as_ref()?, reading.target.as_ref()?);
        Some((actual, target, left(verdict, actual, target)))
    });
    // Of layers that differ, the one that is nearest to the edge, or farthest beyond it.
    let Some((actual, target, left)) = worst.min_by(|a, b| a.2.total_cmp(&b.2)) else {
        return "measured by a run".into();
    };
    let value = brief(actual, unit);
    let whole = target.to_f64();
    let is_share = (actual.to_f64() - whole).abs() < MOST * whole;
    if actual != target && !is_share {
        return value;
    }
    let how = match verdict.outcome {
        Outcome::Deferred => "measured by a run".into(),
        // As the message has it: a share of the right-hand side, whatever the tolerance.
        Outcome::Violated | Outcome::Warned => {
            let direction = if actual > target { "over" } else { "under" };
            format!("{} {direction}", percent((actual.to_f64() - whole).abs(), whole))
        }
        Outcome::Holds if verdict.rule.comparison == Comparison::Equal && actual == target => "equal".into(),
        Outcome::Holds if verdict.rule.comparison == Comparison::Equal => {
            format!("{}{}", if actual > target { "+" } else { "" }, percent(actual.to_f64() - whole, whole))
        }
        Outcome::Holds => format!("{} left", percent(left, whole)),
    };
    format!("{value}, {how}")
}

/// A distance so many times the right-hand side is no share that anybody reads; messages leave it out as well.
const MOST: f64 = 1000.0;

/// How far a reading is from the edge of its rule; negative beyond it.
fn left(verdict: &Verdict, actual: &Quantity, target: &Quantity) -> f64 {
    let (actual, target) = (actual.to_f64(), target.to_f64());
    let tolerance = verdict.rule.tolerance.as_ref().map_or(0.0, Quantity::to_f64);
    match verdict.rule.comparison {
        Comparison::AtMost => target * (1.0 + tolerance) - actual,
        Comparison::AtLeast => actual - target * (1.0 - tolerance),
        Comparison::Equal => target * tolerance - (actual - target).abs(),
    }
}

/// The same with every digit, layer by layer.
fn slack_in_words(verdict: &Verdict) -> String {
    let unit = verdict.rule.figure.unit().word();
    let digits = |value: &Option<Quantity>| match value {
        Some(value) => value.to_integer().map_or_else(|| value.text().into(), exact),
        None => "not measured".into(),
    };
    let lines = verdict.readings.iter().map(|reading| {
        let layer = reading.layer.map_or(String::new(), |layer| format!(" in layer {layer}"));
        format!(
            "`{}`{layer}: {} of {} {unit}",
            verdict.rule.figure.name(),
            digits(&reading.actual),
            digits(&reading.target)
        )
    });
    lines.collect::<Vec<_>>().join("  \n")
}

/// What the layers of a field take of a model.
pub(crate) fn share_of(model: &Model, field: &LayerField) -> Share {
    let mut share = Share::default();
    for &layer in &field.layers {
        let kind = &model.layers.kinds()[model.layers.order()[layer]];
        let sublayer: &dyn Described =
            if field.is_attention { kind.attention.sublayer() } else { kind.ffn.sublayer() };
        share += Share::of(model, sublayer).times(1, model.layers.times(layer));
    }
    share
}

/// `61.2% of parameters, 58.0% of FLOPs`.
pub(crate) fn share_text(share: Share, cost: &Cost) -> String {
    let of = |part: u128, figure| percent(part as f64, value(cost, figure));
    format!(
        "{} of parameters, {} of FLOPs",
        of(share.params, Figure::ParamsTotal),
        of(share.flops, Figure::FlopsForward)
    )
}

fn share_words(share: Share, model: &Judged, field: &LayerField) -> String {
    let layers = coec_ir::counted(field.layers.len(), "layer");
    format!(
        "`{}` of {layers} of `{}`: {} parameters, {} FLOPs a token",
        field.at.text,
        model.spec.model.name,
        coec_ir::grouped(share.params),
        coec_ir::grouped(share.flops),
    )
}

/// A figure as a number.
pub(crate) fn value(cost: &Cost, figure: Figure) -> f64 {
    cost.figure(figure).map_or(f64::NAN, |value| Quantity::integer(value).to_f64())
}

/// The share of the tables behind the field that says how they are.
fn embedding(view: &View, model: &Judged) -> Option<(usize, String, String)> {
    let item = view.item_of(model)?;
    let field = item.parts.iter().find(|part| view.document.slice(part.name.clone()) == "embedding")?;
    let cost = model.cost();
    let share = percent(value(cost, Figure::ParamsEmbedding), value(cost, Figure::ParamsTotal));
    let words = format!(
        "the embedding and the output head of `{}`: {} parameters",
        model.spec.model.name,
        coec_ir::grouped(cost.figure(Figure::ParamsEmbedding).unwrap_or_default())
    );
    Some((field.range.end, format!("{share} of parameters"), words))
}
