//! Outlines in few bytes: steps from point to point, in tenths.

use std::fmt::Write as _;

/// An outline in the making.
#[derive(Debug, Default)]
pub struct Path {
    d: String,
    /// Where it is, in tenths.
    at: (i64, i64),
    /// Whether the next point begins a new line.
    is_up: bool,
    /// Whether the last step was a line, so that its letter need not be said again.
    lines: bool,
}

impl Path {
    /// Nothing yet.
    pub fn new() -> Self {
        Self { is_up: true, ..Self::default() }
    }

    /// A line to a point; the first, or one behind a gap, begins there.
    pub fn to(&mut self, (x, y): (f64, f64)) {
        if !(x.is_finite() && y.is_finite()) {
            return self.lift();
        }
        let to = (tenths(x), tenths(y));
        if self.is_up {
            let _ = write!(self.d, "M{}{}", number(to.0), second(to.1));
            (self.is_up, self.lines) = (false, false);
        } else {
            let step = (to.0 - self.at.0, to.1 - self.at.1);
            match self.lines {
                true => self.d += &second(step.0),
                false => {
                    let _ = write!(self.d, "l{}", number(step.0));
                }
            }
            self.d += &second(step.1);
            self.lines = true;
        }
        self.at = to;
    }

    /// A gap.
    pub fn lift(&mut self) {
        self.is_up = true;
    }

    /// A rectangle.
    pub fn rect(&mut self, (x, y): (f64, f64), width: f64, height: f64) {
        let (width, height) = (tenths(width), tenths(height));
        let _ = write!(
            self.d,
            "M{}{}h{}v{}h{}z",
            number(tenths(x)),
            second(tenths(y)),
            number(width),
            number(height),
            number(-width)
        );
        self.is_up = true;
    }

    /// A point, as a line without length: round caps make it a dot.
    pub fn dot(&mut self, (x, y): (f64, f64)) {
        let _ = write!(self.d, "M{}{}h0", number(tenths(x)), second(tenths(y)));
        self.is_up = true;
    }

    /// Something else, relative to a point.
    pub fn shape(&mut self, (x, y): (f64, f64), relative: &str) {
        let _ = write!(self.d, "M{}{}{relative}", number(tenths(x)), second(tenths(y)));
        self.is_up = true;
    }

    /// The area between the line to here and `back`, another one over the same width.
    pub fn close_over(&mut self, back: impl DoubleEndedIterator<Item = (f64, f64)>) {
        back.rev().for_each(|point| self.to(point));
        self.d.push('z');
        self.lift();
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.d.is_empty()
    }

    /// As an element of a class; nothing where there is nothing.
    pub fn element(&self, class: &str) -> String {
        match self.is_empty() {
            true => String::new(),
            false => format!("<path class=\"{class}\" d=\"{}\"/>", self.d),
        }
    }
}

fn tenths(value: f64) -> i64 {
    (value * 10.0).round() as i64
}

/// Tenths as SVG reads them: `12`, `-.4`, `3.5`.
fn number(tenths: i64) -> String {
    let (sign, size) = (if tenths < 0 { "-" } else { "" }, tenths.unsigned_abs());
    match (size / 10, size % 10) {
        (whole, 0) => format!("{sign}{whole}"),
        (0, tenth) => format!("{sign}.{tenth}"),
        (whole, tenth) => format!("{sign}{whole}.{tenth}"),
    }
}

/// The same behind another number: a sign parts them too.
fn second(tenths: i64) -> String {
    if tenths < 0 { number(tenths) } else { format!(" {}", number(tenths)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_relative_and_do_not_drift() {
        let mut path = Path::new();
        for i in 0..4 {
            path.to((f64::from(i) * 0.34, 10.0 - f64::from(i)));
        }
        assert_eq!(path.d, "M0 10l.3-1 .4-1 .3-1");
    }

    #[test]
    fn what_is_no_number_leaves_a_gap() {
        let mut path = Path::new();
        [(0.0, 0.0), (1.0, f64::NAN), (2.0, 2.0), (3.5, 2.0)].into_iter().for_each(|point| path.to(point));
        assert_eq!(path.d, "M0 0M2 2l1.5 0");
    }

    #[test]
    fn shapes_close() {
        let mut path = Path::new();
        path.rect((1.0, 2.0), 3.0, -4.0);
        assert_eq!(path.element("a"), "<path class=\"a\" d=\"M1 2h3v-4h-3z\"/>");
        assert_eq!(Path::new().element("a"), "");
    }
}
