//! A run as a picture in text: pure functions from a story to lines.
//!
//! At the top how far it is, at the bottom what is saved; between them loss and speed over the steps, the load
//! of the experts, and the budgets. Where there is room, side by side; where there is little, the curves stay
//! and what else there is becomes shorter, down to one line.

mod axis;
mod canvas;
mod chart;
mod heat;
mod line;
mod meter;
mod parts;
mod spark;
#[cfg(test)]
mod tests;

pub use line::Line;

use crate::story::Story;
use line::Ink;
use parts::{curves, figures};

/// Where a picture is seen.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    pub columns: usize,
    /// Most rows it takes.
    pub rows: usize,
    /// What can be done there.
    pub hint: &'a str,
    /// Rows of the experts' map that are scrolled past.
    pub skipped: usize,
}

/// Columns from which curves and figures stand side by side.
const WIDE: usize = 140;

/// Columns between them.
const BETWEEN: usize = 4;

/// Rows that curves need to be worth it, titles included.
const LEAST_CURVES: usize = 6;

/// Most rows of curves: higher ones say no more.
const MOST_CURVES: usize = 60;

/// The picture of a run, for somebody whose clock says `now`.
pub fn picture(story: &Story, now: f64, view: View<'_>) -> Vec<Line> {
    laid_out(story, now, view).into_iter().map(|line| line.cut(view.columns)).collect()
}

fn laid_out(story: &Story, now: f64, view: View<'_>) -> Vec<Line> {
    let View { columns, rows, .. } = view;
    let (head, foot) = (parts::head(story, now, columns), parts::foot(story, now, view));
    let progress = parts::progress(story, columns);
    let Some(body) = rows.checked_sub(3).filter(|&body| body >= 2) else {
        // Next to nothing: the state, then the last figures, then the rest.
        let loss = parts::loss_title(story, columns);
        return match rows {
            0 => Vec::new(),
            1 => vec![head],
            2 => vec![head, loss],
            3 => vec![head, loss, foot],
            _ => vec![head, progress, loss, foot],
        };
    };
    // Air above and below, where there is enough of it.
    let is_airy = body >= 24;
    let body = body - if is_airy { 2 } else { 0 };
    let air = || is_airy.then(Line::default);
    let middle = match columns >= WIDE && body >= 12 {
        true => beside(story, view, body),
        false => below(story, view, body),
    };
    [head, progress].into_iter().chain(air()).chain(middle).chain(air()).chain([foot]).collect()
}

/// Curves at the left, figures at the right.
fn beside(story: &Story, view: View<'_>, rows: usize) -> Vec<Line> {
    let right = (view.columns - BETWEEN) * 48 / 100;
    let left = view.columns - BETWEEN - right;
    let mut figures = figures(story, View { columns: right, rows, ..view }).into_iter();
    let curves = curves(story, left, rows.min(MOST_CURVES.max(figures.len())));
    let count = curves.len().max(figures.len());
    let mut curves = curves.into_iter();
    let line = |_| {
        let (left_line, right_line) = (curves.next().unwrap_or_default(), figures.next().unwrap_or_default());
        left_line.padded(left + BETWEEN).and(right_line)
    };
    (0..count).map(line).collect()
}

/// Curves, and figures below them.
fn below(story: &Story, view: View<'_>, rows: usize) -> Vec<Line> {
    let wanted = parts::wanted(story, view.columns, rows);
    let least = LEAST_CURVES.max(rows * 45 / 100).min(rows);
    let figures = figures(story, View { rows: wanted.min(rows - least), ..view });
    let mut lines = curves(story, view.columns, (rows - figures.len()).min(MOST_CURVES));
    if lines.len() + figures.len() < rows && !figures.is_empty() {
        lines.push(Line::default());
    } else if rows >= 22 && !figures.is_empty() {
        // A row of the curves is given for one between them and the figures.
        lines = curves(story, view.columns, lines.len() - 1);
        lines.push(Line::default());
    }
    lines.into_iter().chain(figures).collect()
}

/// What stands between two things in a line.
const DOT: &str = " · ";

fn dim(text: impl Into<String>) -> Line {
    Line::of(Ink::Dim, text)
}
