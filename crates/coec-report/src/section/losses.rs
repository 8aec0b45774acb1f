//! Losses against steps, tokens, FLOPs and time, with bands over seeds.

use coec_ir::Figure;

use crate::context::Context;
use crate::curve::{self, Curve, Place};
use crate::detail::spread;
use crate::fairness::figure;
use crate::html::{escape, folded, missing};
use crate::number::{loss, prefix, short};
use crate::plot::Words;
use crate::plot::lines::{Line, Lines, Point};
use crate::series::Style;
use crate::table::{Cell, Table};
use crate::values::Arm;

/// What losses are drawn against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Along {
    Steps,
    Tokens,
    Flops,
    Time,
}

impl Along {
    const ALL: [Self; 4] = [Self::Steps, Self::Tokens, Self::Flops, Self::Time];

    fn id(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Tokens => "tokens",
            Self::Flops => "flops",
            Self::Time => "time",
        }
    }

    fn of(self, place: &Place, flops: Option<f64>) -> f64 {
        match self {
            Self::Steps => place.step,
            Self::Tokens => place.tokens,
            Self::Flops => flops.map_or(f64::NAN, |flops| flops * place.tokens),
            Self::Time => place.seconds,
        }
    }

    /// What to divide values by up to `most`, and what the axis then says.
    fn unit(self, most: f64) -> (f64, String) {
        let prefixed = |what: &str, unit: &str| {
            let (power, prefix) = prefix(most);
            let title = match (prefix, unit) {
                ("", "") => what.to_owned(),
                (prefix, unit) => format!("{what}, {prefix}{unit}"),
            };
            (1000f64.powi(power), title)
        };
        match self {
            Self::Steps => (1.0, "steps".into()),
            Self::Tokens => prefixed("tokens", ""),
            Self::Flops => prefixed("training FLOPs", "FLOP"),
            Self::Time => {
                let units = [(86_400.0, "days"), (3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds")];
                let (seconds, unit) =
                    units.into_iter().find(|(size, _)| most >= 2.0 * size).unwrap_or((1.0, "seconds"));
                (seconds, format!("time in steps, {unit}"))
            }
        }
    }

    fn short(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Tokens => "tokens",
            Self::Flops => "FLOPs",
            Self::Time => "time",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Tokens => "tokens learned from",
            Self::Flops => "training FLOPs, three times forward by the closed form",
            Self::Time => "time in steps, evaluation and saving apart",
        }
    }
}

/// An arm, its curve, and its FLOPs a token.
struct Drawn<'a> {
    number: usize,
    arm: &'a Arm,
    curve: Curve,
    flops: Option<f64>,
}

pub fn html(context: &Context<'_>) -> String {
    let any = context.report.arms.iter().flat_map(|arm| &arm.runs).any(|run| run.steps.is_some());
    if !any {
        return missing("No run has metrics.");
    }
    let drawn = |curve: &dyn Fn(&Arm) -> Curve| -> Vec<Drawn<'_>> {
        let of = |(number, arm): (usize, _)| Drawn {
            number,
            arm,
            curve: curve(arm),
            flops: Arm::flops_train(arm),
        };
        context.arms().map(of).collect()
    };
    let held_out = drawn(&|arm| curve::held_out(arm, context.detail.evaluations));
    // Many lines that each swing hide each other: their points are means over more steps.
    let points = match context.report.arms.len() {
        0..=2 => context.detail.points,
        3..=5 => context.detail.points / 2,
        _ => context.detail.points / 5,
    };
    let training = drawn(&|arm| curve::training(arm, points));
    let mut out = key(context);
    out += &figures(context, "val", "validation loss", "on held-out text", &held_out);
    out += &values(context, &held_out);
    out += &figures(context, "train", "training loss", "on what is learned from", &training);
    let left_out = context.report.arms.len().saturating_sub(context.detail.arms);
    if left_out > 0 {
        out += &missing(&format!("{left_out} more specs have no line here."));
    }
    out
}

impl Arm {
    /// FLOPs of training on a token, as useful ones are counted.
    fn flops_train(&self) -> Option<f64> {
        figure(self.spec.as_ref()?, Figure::FlopsTrain)
    }
}

/// The names of the lines, each with a box to take it out of all plots.
fn key(context: &Context<'_>) -> String {
    if context.report.arms.len() < 2 {
        return String::new();
    }
    let boxes: String = context
        .arms()
        .map(|(number, arm)| {
            let runs = match arm.runs.len() {
                1 => String::new(),
                count => format!(" <span class=\"run\">mean of {count}</span>"),
            };
            format!(
                "<label class=\"k{number}\"><input type=\"checkbox\" id=\"show-{number}\" checked> {}{runs}</label>\n",
                context.arm(number, arm)
            )
        })
        .collect();
    format!(
        "<fieldset class=\"key\"><legend>Lines in the plots of this section</legend>\n{boxes}</fieldset>\n"
    )
}

/// The same losses against everything.
fn figures(context: &Context<'_>, id: &str, what: &str, on: &str, drawn: &[Drawn<'_>]) -> String {
    let plots: Vec<(Along, String)> = Along::ALL
        .into_iter()
        .filter_map(|along| Some((along, plot(context, id, what, along, drawn)?)))
        .collect();
    if plots.is_empty() {
        return missing(&format!("No {what} was recorded."));
    }
    let every = drawn.iter().map(|drawn| drawn.curve.every).max().unwrap_or(1);
    let mean = if every > 1 { format!(" Each point is the mean of {every} steps.") } else { String::new() };
    let several = drawn.iter().any(|drawn| drawn.arm.runs.len() > 1);
    let bands = match several {
        true => " Lines are means over the seeds, bands go from the lowest seed to the highest.",
        false => "",
    };
    let against: Vec<&str> = plots.iter().map(|(along, _)| along.words()).collect();
    let plots: String = plots.into_iter().map(|(_, svg)| svg).collect();
    format!(
        "<figure class=\"panels\">\n{plots}<figcaption>The {what}, {on}, nats a token, against {}.{bands}{mean}{}\
         </figcaption>\n</figure>\n",
        against.join("; "),
        context.fairness.badge()
    )
}

fn plot(context: &Context<'_>, id: &str, what: &str, along: Along, drawn: &[Drawn<'_>]) -> Option<String> {
    let ends = |drawn: &Drawn<'_>| {
        let places = drawn.arm.runs.iter().filter_map(|run| run.steps.as_ref()?.last()).map(Place::of);
        places.map(|place| along.of(&place, drawn.flops)).filter(|x| x.is_finite()).fold(0.0, f64::max)
    };
    let most = drawn.iter().map(ends).fold(0.0, f64::max);
    let (unit, title) = along.unit(most);
    let lines: Vec<Line> = drawn
        .iter()
        .map(|Drawn { number, arm, curve, flops }| Line {
            name: arm.name.clone(),
            style: Style::arm(*number),
            points: curve
                .places
                .iter()
                .map(|place| Point { x: along.of(place, *flops) / unit, y: place.loss, band: place.range })
                .filter(|point| point.x.is_finite())
                .collect(),
        })
        .collect();
    let words = Words {
        id: format!("{id}-{}", along.id()),
        title: format!("{} against {}", capitalised(what), along.words()),
        description: described(drawn, along),
    };
    let note = context.fairness.note();
    Lines {
        words,
        x: title,
        to: Some(most / unit),
        y: format!("{what} against {}", along.short()),
        lines: &lines,
        reference: None,
        note: note.as_deref(),
    }
    .svg()
}

/// Where each line begins and ends.
fn described(drawn: &[Drawn<'_>], along: Along) -> String {
    let of = |drawn: &Drawn<'_>| {
        let (first, last) = (drawn.curve.places.first()?, drawn.curve.places.last()?);
        let x = along.of(last, drawn.flops);
        x.is_finite().then(|| {
            format!("{}: from {} to {} at {}.", drawn.arm.name, loss(first.loss), loss(last.loss), short(x))
        })
    };
    drawn.iter().filter_map(of).collect::<Vec<_>>().join(" ")
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

/// The values behind the lines, for those who would rather read them.
fn values(context: &Context<'_>, drawn: &[Drawn<'_>]) -> String {
    let mut steps: Vec<u64> =
        drawn.iter().flat_map(|drawn| &drawn.curve.places).map(|place| place.step as u64).collect();
    steps.sort_unstable();
    steps.dedup();
    let steps: Vec<u64> = spread(steps.len(), 8).into_iter().map(|at| steps[at]).collect();
    if steps.is_empty() {
        return String::new();
    }
    let caption = format!("Validation loss at some steps, nats a token{}", context.fairness.badge());
    let mut head = vec![Cell::text("model")];
    head.extend(steps.iter().map(|step| Cell::number(format!("step {}", coec_ir::grouped(step)))));
    let mut table = Table::new("val-values", caption, head);
    for Drawn { number, arm, curve, .. } in drawn {
        let mut row = vec![Cell::html(context.arm(*number, arm))];
        row.extend(steps.iter().map(|&step| {
            let place = curve.places.iter().find(|place| place.step as u64 == step);
            let range = |place: &Place| match place.range {
                Some((low, high)) => format!(" ({} to {})", loss(low), loss(high)),
                None => String::new(),
            };
            Cell::number(place.map_or(String::new(), |place| loss(place.loss) + &range(place)))
        }));
        table.push(row);
    }
    folded(&escape("The values as a table"), &table.html(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_units_that_people_read() {
        assert_eq!(Along::Tokens.unit(819_200.0), (1e3, "tokens, k".into()));
        assert_eq!(Along::Flops.unit(7.6e12), (1e12, "training FLOPs, TFLOP".into()));
        assert_eq!(Along::Time.unit(111.0), (1.0, "time in steps, seconds".into()));
        assert_eq!(Along::Time.unit(9000.0).1, "time in steps, hours");
        assert_eq!(Along::Steps.unit(5.0), (1.0, "steps".into()));
    }
}
