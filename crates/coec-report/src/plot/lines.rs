//! Lines over an axis, with bands around them.

use std::fmt::Write as _;

use super::frame::{Axis, Frame};
use super::path::Path;
use super::{Words, scale};
use crate::html::escape;
use crate::series::Style;

/// A point of a line. The band is from the least to the greatest of what it is the mean of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Along the axis.
    pub x: f64,
    /// The mean.
    pub y: f64,
    /// The band, where it is the mean of several.
    pub band: Option<(f64, f64)>,
}

/// A line with its name and look.
#[derive(Debug, Clone)]
pub struct Line {
    /// What it is of.
    pub name: String,
    /// How it looks.
    pub style: Style,
    /// Its points, in order.
    pub points: Vec<Point>,
}

/// Lines and their axes.
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    /// What is read out.
    pub words: Words,
    /// The title of the axis along.
    pub x: String,
    /// Where it ends, if not where the longest line does.
    pub to: Option<f64>,
    /// The title of the upright axis.
    pub y: String,
    /// The lines.
    pub lines: &'a [Line],
    /// A value to hold them against, and its name.
    pub reference: Option<(f64, String)>,
    /// Something that everybody who sees the plot must know.
    pub note: Option<&'a str>,
}

/// Marks that a line has at most, so that it stays a line.
const MOST_MARKS: usize = 8;

/// How many times the least value the greatest must be for logarithms.
const LOG_FROM: f64 = 3.0;

impl Lines<'_> {
    /// The plot; nothing where there is no point.
    pub fn svg(&self) -> Option<String> {
        let points = || self.lines.iter().flat_map(|line| &line.points).filter(|point| point.x.is_finite());
        let (_, longest) = scale::extent(points().map(|point| point.x))?;
        let of_band = |point: &Point| {
            let (low, high) = point.band.unwrap_or((point.y, point.y));
            [point.y, low, high]
        };
        let reference = self.reference.as_ref().map(|(value, _)| *value);
        let (low, high) = scale::extent(points().flat_map(of_band).chain(reference))?;
        let is_log = low > 0.0 && high / low >= LOG_FROM && reference.is_none();
        let note = if is_log { ", logarithmic" } else { "" };
        let x = Axis { title: self.x.clone(), values: (0.0, self.to.unwrap_or(longest)), is_log: false };
        let y = Axis { title: format!("{}{note}", self.y), values: (low, high), is_log };
        let mut frame = Frame::new(&x, &y, self.note);
        for line in self.lines {
            let band = line.band(&frame);
            frame.add(&band);
        }
        if let Some((value, word)) = &self.reference {
            frame.reference(*value, word);
        }
        for line in self.lines {
            let drawn = line.drawn(&frame);
            frame.add(&drawn);
        }
        Some(frame.finish(&self.words))
    }
}

impl Line {
    fn band(&self, frame: &Frame) -> String {
        let mut out = String::new();
        // Where there is no band, one ends and another begins.
        for part in self.points.split(|point| point.band.is_none()).filter(|part| part.len() > 1) {
            let edge = |high: bool| {
                part.iter().filter_map(move |point| {
                    let (low, top) = point.band?;
                    Some(frame.at(point.x, if high { top } else { low }))
                })
            };
            let mut path = Path::new();
            edge(true).for_each(|point| path.to(point));
            path.close_over(edge(false));
            out += &path.element("band");
        }
        if out.is_empty() { out } else { format!("<g class=\"{}\">{out}</g>", self.style.class()) }
    }

    fn drawn(&self, frame: &Frame) -> String {
        let mut line = Path::new();
        self.points.iter().for_each(|point| line.to(frame.at(point.x, point.y)));
        let mut marks = Path::new();
        let shown = self.points.iter().filter(|point| point.x.is_finite() && point.y.is_finite());
        let shown: Vec<_> = shown.collect();
        let every = shown.len().div_ceil(MOST_MARKS).max(1);
        // Each series begins elsewhere, so that marks of lines that run together stand side by side.
        let first = self.style.number() % every;
        for point in shown.iter().skip(first).step_by(every) {
            marks.shape(frame.at(point.x, point.y), self.style.mark());
        }
        let mut out = format!("<g class=\"{}\"><title>{}</title>", self.style.class(), escape(&self.name));
        let _ = write!(out, "{}{}</g>", line.element("line"), marks.element("mark"));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(points: &[(f64, f64)], band: f64) -> Line {
        let band = |y: f64| (band > 0.0).then_some((y - band, y + band));
        let points = points.iter().map(|&(x, y)| Point { x, y, band: band(y) }).collect();
        Line { name: "a <b>".into(), style: Style::arm(1), points }
    }

    fn drawn(lines: &[Line], note: Option<&str>) -> Option<String> {
        let words = Words { id: "p".into(), title: "T & U".into(), description: "d".into() };
        Lines { words, x: "steps".into(), to: None, y: "loss".into(), lines, reference: None, note }.svg()
    }

    #[test]
    fn a_line_has_its_band_its_name_and_its_marks() {
        let svg = drawn(&[line(&[(0.0, 2.0), (10.0, 1.5), (20.0, 1.2)], 0.1)], None).unwrap();
        assert!(svg.contains("<title>a &lt;b&gt;</title>"), "{svg}");
        assert!(svg.contains("class=\"band\"") && svg.contains("class=\"mark\""), "{svg}");
        assert!(svg.contains("aria-labelledby=\"p-t p-d\"") && svg.contains(">T &amp; U<"), "{svg}");
        assert!(!svg.contains("logarithmic"));
    }

    #[test]
    fn one_run_has_no_band() {
        let svg = drawn(&[line(&[(0.0, 2.0), (10.0, 1.5)], 0.0)], None).unwrap();
        assert!(!svg.contains("class=\"band\""), "{svg}");
    }

    #[test]
    fn values_that_fall_far_are_drawn_in_logarithms() {
        assert!(drawn(&[line(&[(0.0, 5.0), (10.0, 0.5)], 0.0)], None).unwrap().contains("loss, logarithmic"));
    }

    #[test]
    fn a_note_is_in_the_plot() {
        let svg = drawn(&[line(&[(0.0, 2.0), (1.0, 1.0)], 0.0)], Some("not compute-fair")).unwrap();
        assert!(svg.contains("class=\"unfair\"") && svg.contains(">not compute-fair<"), "{svg}");
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert_eq!(drawn(&[], None), None);
        assert_eq!(drawn(&[line(&[(0.0, f64::NAN)], 0.0)], None), None);
    }
}
