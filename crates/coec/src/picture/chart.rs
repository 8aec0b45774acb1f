//! Loss over the steps: a curve of dots for what was trained on, marks for what was held out, so that both are
//! told apart without colours.

use super::{
    axis::{Axis, name, round_above},
    canvas::Canvas,
    line::{Ink, Line},
};
use crate::story::Curve;

/// The mark of an evaluation.
pub const MARK: char = 'o';

/// Steps that a chart has at least.
const LEAST: u64 = 20;

/// The steps that a picture shows: the least half, quarter, eighth and so on of the run that holds what is
/// done, so that the curve fills at least half of it and stands still most of the time.
pub fn shown(done: u64, steps: u64) -> f64 {
    if steps == 0 {
        return round_above(done.max(LEAST) as f64);
    }
    let mut shown = steps.max(done);
    while done > 0 && shown.div_ceil(2) >= done.max(LEAST) {
        shown = shown.div_ceil(2);
    }
    shown as f64
}

/// The axis that all of both curves stand on.
pub fn values_of(train: &Curve, held: &Curve) -> Option<Axis> {
    Axis::of(train.points().chain(held.points()).map(|(_, value)| value))
}

/// The columns that names at the left of a chart take.
pub fn gutter(axis: &Axis, rows: usize) -> usize {
    axis.ticks(most_ticks(rows)).iter().map(|(_, name)| name.len()).max().unwrap_or(0)
}

fn most_ticks(rows: usize) -> usize {
    (rows / 2).clamp(2, 7)
}

/// Both curves in `rows` rows and `columns` columns behind a gutter.
pub fn curves(
    train: &Curve,
    held: &Curve,
    axis: &Axis,
    end: f64,
    (columns, rows): (usize, usize),
    gutter: usize,
) -> Vec<Line> {
    let mut canvas = Canvas::new(columns, rows);
    let (width, height) = canvas.size();
    let down = |value: f64| ((1.0 - axis.place(value)) * (height - 1) as f64).round() as usize;
    let mut before: Option<(usize, usize)> = None;
    for (x, value) in train.columns(width, end).into_iter().enumerate() {
        if let Some(value) = value {
            let dot = (x, down(value));
            canvas.line(before.unwrap_or(dot), dot);
            before = Some(dot);
        }
    }
    let marks = marks(held, columns, end, |value| down(value) / 4);
    let ticks: Vec<(usize, String)> =
        axis.ticks(most_ticks(rows)).into_iter().map(|(value, name)| (down(value) / 4, name)).collect();
    let row = |row: usize| {
        let tick = ticks.iter().find(|(at, _)| *at == row);
        let (name, edge) = tick.map_or(("", '│'), |(_, name)| (name.as_str(), '┤'));
        let start = Line::of(Ink::Dim, format!("{name:>gutter$} {edge}"));
        (0..columns).fold(start, |line, column| match canvas.char(column, row) {
            _ if marks[column] == Some(row) => line.mark(Ink::Held, MARK),
            Some(dots) => line.mark(Ink::Train, dots),
            None => line.mark(Ink::Plain, ' '),
        })
    };
    (0..rows).map(row).collect()
}

/// The row in which an evaluation is marked, by column: of those in one column, their mean. Where there are many,
/// not all are.
fn marks(held: &Curve, columns: usize, end: f64, row: impl Fn(f64) -> usize) -> Vec<Option<usize>> {
    let values = held.columns(columns, end);
    let known: Vec<usize> = (0..columns).filter(|&column| values[column].is_some()).collect();
    // One in three columns at most, the last of all among them.
    let apart = (3 * known.len()).div_ceil(columns.max(1)).max(1);
    let mut marks = vec![None; columns];
    for &column in known.iter().rev().step_by(apart) {
        marks[column] = values[column].map(&row);
    }
    marks
}

/// The axis of the steps, its names in it.
pub fn steps_axis(end: f64, columns: usize, gutter: usize) -> Line {
    let mut line: Vec<char> = vec!['─'; columns];
    let last = format!(" {} steps", name(end));
    let has_last = last.len() + 2 <= columns;
    let room = if has_last { columns - last.len() } else { columns };
    let axis = Axis::between(0.0, end);
    for (step, name) in axis.ticks((columns / 14).clamp(1, 8)) {
        let name = format!(" {name} ");
        let place = (axis.place(step) * columns as f64).round() as usize;
        let start = place.saturating_sub(name.len() / 2);
        // A name that does not fit is left out; the first begins at the edge.
        if start + name.len() < room {
            line[start..start + name.len()].copy_from_slice(&name.chars().collect::<Vec<_>>());
        }
    }
    if has_last {
        line.truncate(room);
        line.extend(last.chars());
    }
    Line::of(Ink::Dim, format!("{:gutter$} └{}", "", line.into_iter().collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_is_at_least_half_full() {
        assert_eq!(shown(0, 400), 400.0);
        assert_eq!(shown(1, 400), 25.0);
        assert_eq!(shown(100, 400), 100.0);
        assert_eq!(shown(101, 400), 200.0);
        assert_eq!(shown(400, 400), 400.0);
        // A run of unknown length.
        assert_eq!(shown(130, 0), 200.0);
    }

    #[test]
    fn names_on_the_axis_do_not_touch() {
        for columns in 0..120 {
            let line = steps_axis(2500.0, columns, 0).plain();
            let names: Vec<&str> = line.split([' ', '─', '└']).filter(|name| !name.is_empty()).collect();
            let known = ["0", "200", "400", "500", "1000", "1500", "2000", "2500", "steps"];
            assert!(names.iter().all(|name| known.contains(name)), "{line}");
        }
    }
}
