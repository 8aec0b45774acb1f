//! The axes around a plot.

use std::fmt::Write as _;

use super::Words;
use super::scale::Scale;
use crate::html::escape;

/// Columns of every plot.
pub const WIDTH: f64 = 520.0;

/// The largest size that text in a plot is shown in, on narrow screens; all room is reckoned with it.
const TEXT: i32 = 18;

/// Room for the marks of the upright axis, and below for those of the other.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 14.0;
const BELOW: f64 = 52.0;
/// A line of text.
const LINE: f64 = 22.0;

/// An axis before it has a scale.
#[derive(Debug, Clone)]
pub struct Axis {
    /// What it says, with its unit.
    pub title: String,
    /// The values at both ends.
    pub values: (f64, f64),
    /// Whether it is logarithmic.
    pub is_log: bool,
}

/// A plot with axes in the making.
#[derive(Debug)]
pub struct Frame {
    pub x: Scale,
    pub y: Scale,
    x_title: String,
    y_title: String,
    note: Option<String>,
    height: f64,
    body: String,
}

impl Frame {
    /// Axes over `x` and `y`; `note` is set above the plot for everybody to see.
    pub fn new(x: &Axis, y: &Axis, note: Option<&str>) -> Self {
        let top = LINE + if note.is_some() { LINE } else { 0.0 } + 10.0;
        let height = top + 240.0 + BELOW;
        let (right, bottom) = (WIDTH - RIGHT, height - BELOW);
        let scale = |axis: &Axis, to: (f64, f64), padded: bool, most: usize| match axis.is_log {
            true => Scale::log(axis.values, to, most),
            false => Scale::linear(axis.values, to, padded, most),
        };
        Self {
            x: scale(x, (LEFT, right), false, 5),
            y: scale(y, (bottom, top), true, 5),
            x_title: x.title.clone(),
            y_title: y.title.clone(),
            note: note.map(str::to_owned),
            height,
            body: String::new(),
        }
    }

    /// Adds something that is SVG already.
    pub fn add(&mut self, svg: &str) {
        self.body.push_str(svg);
        self.body.push('\n');
    }

    /// The place of a pair of values.
    pub fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.x.at(x), self.y.at(y))
    }

    /// A line across the plot at a value, with a word to it.
    pub fn reference(&mut self, value: f64, word: &str) {
        let y = self.y.at(value);
        let right = WIDTH - RIGHT;
        self.add(&format!("<path class=\"reference\" d=\"M{LEFT} {y:.1}H{right}\"/>"));
        self.add(&text((right, y - 5.0), "end", "muted", word));
    }

    /// The whole picture.
    pub fn finish(self, words: &Words) -> String {
        let (right, bottom) = (WIDTH - RIGHT, self.height - BELOW);
        let mut under = String::new();
        for tick in &self.y.ticks {
            let y = self.y.at(tick.value);
            let _ = write!(under, "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/>");
            under += &text((LEFT - 8.0, y + 5.0), "end", "muted", &tick.label);
        }
        let _ = write!(under, "<path class=\"axis\" d=\"M{LEFT} {bottom:.1}H{right}\"/>");
        // Marks that would touch are left out: on a narrow screen text is wide.
        let mut free = f64::NEG_INFINITY;
        for tick in &self.x.ticks {
            let x = self.x.at(tick.value);
            let half = width(&tick.label) / 2.0;
            let middle = x.min(WIDTH - half);
            if middle - half < free + 8.0 {
                continue;
            }
            free = middle + half;
            let _ = write!(under, "<path class=\"axis\" d=\"M{x:.1} {bottom:.1}v5\"/>");
            under += &text((middle, bottom + 21.0), "middle", "muted", &tick.label);
        }
        let mut over = text((0.0, LINE - 6.0), "start", "title", &self.y_title);
        over += &text((right, self.height - 6.0), "end", "muted", &self.x_title);
        if let Some(note) = &self.note {
            over += &text((0.0, 2.0 * LINE - 6.0), "start", "unfair", &cut_bold(note, WIDTH));
        }
        svg(words, self.height, &format!("{under}\n{}{over}", self.body))
    }
}

/// Columns that a text takes in the largest size: fonts differ, and the widest of the usual ones is a tenth
/// wider than what is reckoned with elsewhere.
pub fn width(text: &str) -> f64 {
    f64::from(coec_graph::text_width(text, TEXT)) * 1.1
}

/// A text, or its beginning where it takes more columns than `room`.
pub fn cut(text: &str, room: f64) -> String {
    coec_graph::text_cut(text, TEXT, (room / 1.1) as i32)
}

/// The same of bold text.
pub fn cut_bold(text: &str, room: f64) -> String {
    cut(text, room / 1.12)
}

/// A text in a plot.
pub fn text((x, y): (f64, f64), anchor: &str, class: &str, text: &str) -> String {
    let anchor = if anchor == "start" { String::new() } else { format!(" text-anchor=\"{anchor}\"") };
    format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\"{anchor}>{}</text>", escape(text))
}

/// A picture with what is read out in place of it.
pub fn svg(words: &Words, height: f64, body: &str) -> String {
    let Words { id, title, description } = words;
    let (title, description) = (escape(title), escape(description));
    format!(
        "<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" \
         aria-labelledby=\"{id}-t {id}-d\">\n<title id=\"{id}-t\">{title}</title>\n\
         <desc id=\"{id}-d\">{description}</desc>\n{body}\n</svg>\n"
    )
}
