//! The parts of a picture.

use coec_ir::Unit;

use super::{
    DOT, View,
    chart::{self, MARK},
    dim, heat,
    line::{Ink, Line},
    meter, spark,
};
use crate::{
    render::{number, time},
    story::{Standing, Story},
};

/// Whose run it is, and how far.
pub fn head(story: &Story, now: f64, columns: usize) -> Line {
    let left = Line::of(Ink::Strong, story.name.as_str());
    let step = match (story.done(), story.steps) {
        (0, _) => "no step yet".into(),
        (done, 0) => format!("step {done}"),
        (done, steps) => format!("step {done}/{steps}"),
    };
    let (state, ink) = match story.standing {
        Standing::Going => match story.seconds_left(now) {
            Some(seconds) => (format!("{} left", time::span(seconds)), Ink::Plain),
            None => (String::new(), Ink::Plain),
        },
        Standing::Done => ("done".into(), Ink::Good),
        Standing::Stopped => ("stopped".into(), Ink::Warm),
        Standing::Left => ("nobody works on it".into(), Ink::Warm),
    };
    let comma = if state.is_empty() { "" } else { ", " };
    let right = Line::of(Ink::Plain, step).with(Ink::Plain, comma).with(ink, state);
    if left.width() + 2 + right.width() > columns {
        return right.cut(columns);
    }
    Line::ends(left, right, columns)
}

/// How far it is, as a bar.
pub fn progress(story: &Story, columns: usize) -> Line {
    if story.steps == 0 {
        return dim("─".repeat(columns));
    }
    let share = story.done() as f64 / story.steps as f64;
    let percent = format!(" {:>3.0}%", (100.0 * share).floor());
    let width = columns.saturating_sub(percent.len());
    let full = spark::bar(share, width);
    let rest = width - full.chars().count();
    Line::of(Ink::Good, full).with(Ink::Dim, "─".repeat(rest)).with(Ink::Plain, percent).cut(columns)
}

/// What is saved, and what can be done.
pub fn foot(story: &Story, now: f64, view: View<'_>) -> Line {
    let left = match story.saved {
        Some(saved) => {
            dim(format!("saved at step {}, {} ago", saved.step, time::span((now - saved.at).max(0.0))))
        }
        None => dim("nothing saved yet"),
    };
    Line::ends(left, dim(view.hint), view.columns)
}

/// The last losses, and what is what in the chart.
pub fn loss_title(story: &Story, columns: usize) -> Line {
    let Some(latest) = &story.latest else { return dim("loss") };
    let line = dim("loss ").with(Ink::Train, format!("{:.3}", latest.loss));
    let line = match story.evaluated {
        Some(evaluated) => line.with(Ink::Dim, "  val ").with(Ink::Held, format!("{:.3}", evaluated.loss)),
        None => line,
    };
    let best = story.best.filter(|best| story.evaluated.is_some_and(|last| last.step != best.step));
    let best = best.map_or(Line::default(), |best| dim(format!(", best {:.3} at {}", best.loss, best.step)));
    let line = if line.width() + best.width() <= columns { line.and(best) } else { line };
    let log = match chart::values_of(&story.loss, &story.val) {
        Some(axis) if axis.is_log => " log scale",
        _ => "",
    };
    let legend = Line::of(Ink::Train, "⣀⡠").with(Ink::Dim, " loss  ");
    let legend = legend.with(Ink::Held, MARK).with(Ink::Dim, format!(" val {log}").trim_end());
    Line::ends(line, legend, columns)
}

/// Loss and speed over the steps, in exactly so many rows.
pub fn curves(story: &Story, columns: usize, rows: usize) -> Vec<Line> {
    let (bars, gap) = match rows {
        0..8 => (0, 0),
        8..11 => (1, 0),
        11..16 => (2, 0),
        _ => (3, 1),
    };
    let mut lines = vec![loss_title(story, columns)];
    // Two titles, the axis, the bars: the rest is the chart's.
    let high = rows.saturating_sub(3 + bars + gap);
    let end = chart::shown(story.done(), story.steps);
    let (most, speed_name) = speed_scale(story);
    let axis = chart::values_of(&story.loss, &story.val);
    let names = axis.map_or(0, |axis| chart::gutter(&axis, high));
    let gutter = if bars > 0 { names.max(speed_name.len()) } else { names };
    let width = columns.saturating_sub(gutter + 2);
    if high >= 2 {
        match axis {
            Some(axis) => {
                lines.extend(chart::curves(&story.loss, &story.val, &axis, end, (width, high), gutter));
            }
            None => lines.extend((0..high).map(|_| dim(format!("{:gutter$} │", "")))),
        }
        lines.push(chart::steps_axis(end, width, gutter));
    }
    lines.extend((0..gap).map(|_| Line::default()));
    lines.push(speed_title(story, columns));
    let bars = if story.latest.is_some() { bars } else { 0 };
    let bars = spark::bars(&held(story.speed.columns(width, end)), most, bars);
    lines.extend(bars.into_iter().enumerate().map(|(row, bar)| {
        let (name, edge) = if row == 0 { (speed_name.as_str(), '┤') } else { ("", '│') };
        dim(format!("{name:>gutter$} {edge}{bar}"))
    }));
    lines.truncate(rows);
    lines
}

/// Where a column has no step, it shows the one before, up to the last one there is.
fn held(mut columns: Vec<Option<f64>>) -> Vec<Option<f64>> {
    let last = columns.iter().rposition(Option::is_some).unwrap_or(0);
    let mut before = None;
    for column in &mut columns[..last] {
        before = column.or(before);
        *column = before;
    }
    columns
}

/// Up to which speed the bars reach, and its name: the peak, or a round part of it where all are far below.
fn speed_scale(story: &Story) -> (f64, String) {
    let most = story.speed.points().map(|(_, speed)| speed).fold(0.0, f64::max);
    let of_peak = story.latest.as_ref().map(|latest| latest.mfu / latest.tokens_per_s);
    match of_peak.filter(|of_peak| of_peak.is_finite() && *of_peak > 0.0) {
        Some(of_peak) => {
            let shares = [1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01];
            // At least a third of the height is used, but by what hardly uses the machine at all.
            let fits = |share: &&f64| most * of_peak <= **share;
            let share = shares.iter().rev().find(fits).copied().unwrap_or(most * of_peak);
            let share = if share > 0.2 { share.max(1.0) } else { share };
            (share / of_peak, format!("{:.0}%", 100.0 * share))
        }
        None => (most, String::new()),
    }
}

/// Tokens a second, against the peak.
fn speed_title(story: &Story, columns: usize) -> Line {
    /// Columns of the meter.
    const METER: usize = 20;
    let Some(latest) = &story.latest else { return dim("speed") };
    let per_second = |speed: f64| number::grouped(format!("{speed:.0}"));
    let now = dim("speed ").with(Ink::Plain, format!("{} tokens/s", per_second(latest.tokens_per_s)));
    let average = story
        .throughput()
        .map_or(Line::default(), |(speed, _)| dim(format!("  {} on average", per_second(speed))));
    let full = spark::bar(latest.mfu, METER);
    let rest = METER - full.chars().count();
    let meter = Line::of(Ink::Plain, full).with(Ink::Dim, "─".repeat(rest));
    let share = Line::of(Ink::Plain, format!("{:.0}%", 100.0 * latest.mfu));
    let peak = match story.peak {
        Some(peak) => format!("the {}FLOP/s peak", number::short(peak, Unit::FlopPerToken)),
        None => "the peak".into(),
    };
    let against = |of: &str| share.clone().with(Ink::Dim, format!(" of {of}"));
    // The longest that fits.
    let rights = [meter.with(Ink::Plain, " ").and(against(&peak)), against(&peak), against("peak")];
    let lefts = [now.clone().and(average), now];
    if !latest.mfu.is_finite() {
        // Nobody measured the peak.
        let fitting = lefts.iter().find(|left| left.width() <= columns).or(lefts.last());
        return fitting.cloned().unwrap_or_default();
    }
    let all = lefts.iter().flat_map(|left| rights.iter().map(move |right| (left, right)));
    let fitting = all.clone().find(|(left, right)| left.width() + 2 + right.width() <= columns);
    match fitting {
        Some((left, right)) => Line::ends(left.clone(), right.clone(), columns),
        None => lefts[1].clone().cut(columns),
    }
}

/// Rows that the figures would fill, if they could.
pub fn wanted(story: &Story, columns: usize, rows: usize) -> usize {
    let experts =
        heat::Layout::of(&story.loads, columns, rows / 4).map_or(0, |layout| 2 + layout.rows(&story.loads));
    let budgets = if story.budgets.is_empty() { 0 } else { 1 + story.budgets.len() };
    let blocks = [experts, budgets].iter().filter(|&&rows| rows > 0).count();
    experts + budgets + blocks + 1
}

/// Experts, budgets and what else there is to know, in at most so many rows.
pub fn figures(story: &Story, view: View<'_>) -> Vec<Line> {
    let View { columns, rows, .. } = view;
    let is_over = story.standing != Standing::Going;
    let layout = heat::Layout::of(&story.loads, columns, rows.saturating_sub(4 + story.budgets.len()));
    let map_rows = layout.map_or(0, |layout| layout.rows(&story.loads));
    let has = |wanted: bool, left: &mut usize| {
        let fits = wanted && *left > 0;
        *left -= usize::from(fits);
        fits
    };
    // Titles first, which say the most important in one line; then what does not hold, the map, and what does;
    // then air.
    let mut left = rows;
    let has_budgets = has(!story.budgets.is_empty(), &mut left);
    let has_experts = has(layout.is_some(), &mut left);
    let has_facts = has(story.latest.is_some(), &mut left);
    let broken = meter::broken(&story.budgets).min(left / 2);
    let for_map = left - broken;
    let map = if has_experts && for_map >= 2 { map_rows.min(for_map - 1) } else { 0 };
    left -= if map > 0 { map + 1 } else { 0 };
    let meters = meter::within(&story.budgets, is_over, columns, if has_budgets { left } else { 0 });
    left -= meters.len();
    let blocks = [has_experts, has_budgets, has_facts].iter().filter(|&&has| has).count();
    let is_airy = left + 1 >= blocks;

    let mut lines: Vec<Line> = Vec::new();
    let mut part = |block: Vec<Line>| {
        if is_airy && !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.extend(block);
    };
    if let (true, Some(layout)) = (has_experts, layout) {
        let hidden = map_rows - map;
        let mut block =
            vec![experts_title(story, layout, (map > 0 && hidden > 0).then_some((map, map_rows)), columns)];
        if map > 0 {
            block.push(heat::legend(columns));
            block.extend(heat::map(&story.loads, layout, map, view.skipped));
        }
        part(block);
    }
    if has_budgets {
        let title = dim("budgets ").and(meter::summary(&story.budgets, is_over)).cut(columns);
        part([title].into_iter().chain(meters).collect());
    }
    if has_facts {
        part(vec![facts(story, columns)]);
    }
    lines
}

fn experts_title(story: &Story, layout: heat::Layout, shown: Option<(usize, usize)>, columns: usize) -> Line {
    let (most, idle) = heat::worst(&story.loads);
    let busiest = Line::of(if most > 2.5 { Ink::Warm } else { Ink::Plain }, format!("busiest {most:.1}×"));
    let line = dim("experts ").and(busiest);
    let line = match idle {
        0 => line,
        idle => line.with(Ink::Plain, ", ").with(Ink::Bad, format!("{idle} idle")),
    };
    let experts = story.loads.values().map(Vec::len).max().unwrap_or(0);
    let more = [
        Some(format!("to step {}", story.loads_at)),
        Some(layout.grouped(experts)).filter(|&group| group > 1).map(|group| format!("{group} to a column")),
        shown.map(|(shown, all)| format!("{shown} of {all} rows shown")),
    ];
    let more = more.into_iter().flatten().collect::<Vec<_>>().join(DOT);
    let full = line.clone().with(Ink::Dim, DOT).with(Ink::Dim, more);
    if full.width() <= columns { full } else { line.cut(columns) }
}

/// What else a step is like, as much as fits.
fn facts(story: &Story, columns: usize) -> Line {
    let Some(latest) = &story.latest else { return Line::default() };
    let broken = match story.broken {
        0 => None,
        1 => Some(Line::of(Ink::Bad, "1 step left out, not finite")),
        count => Some(Line::of(Ink::Bad, format!("{count} steps left out, not finite"))),
    };
    let figure = |name: &str, value: String| Some(dim(format!("{name} ")).with(Ink::Plain, value));
    let all = [
        broken,
        figure("lr", format!("{:.2e}", latest.lr)),
        figure("gradient", format!("{:.3}", latest.grad_norm)),
        figure("tokens", number::short(latest.tokens as f64, Unit::Calls)),
        (latest.aux_loss != 0.0)
            .then(|| figure("balance loss", format!("{:.2e}", latest.aux_loss)))
            .flatten(),
    ];
    all.into_iter().flatten().fold(Line::default(), |line, fact| {
        let gap = if line == Line::default() { "" } else { "   " };
        let longer = line.clone().with(Ink::Plain, gap).and(fact);
        if longer.width() <= columns { longer } else { line }
    })
}
