//! How lines are told apart: by colour, by dashes, and by marks, each enough without the others.

/// The look of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    number: usize,
    /// Whether the reader can take it out of the plots.
    is_arm: bool,
}

/// There are seven colours, four dashes and five marks: dashes and marks together differ among 20 series,
/// with colours among 140.
const COLOURS: usize = 7;
const DASHES: usize = 4;
const MARKS: usize = 5;

/// Outlines of the marks, from their middle.
const SHAPES: [&str; MARKS] = [
    "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "m-3.5-3.5h7v7h-7z",
    "m0-5l4.6 8.2h-9.2z",
    "m0-5.2l5.2 5.2-5.2 5.2-5.2-5.2z",
    "m-1.5-5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5v-3h3.5z",
];

impl Style {
    /// That of an arm.
    pub fn arm(number: usize) -> Self {
        Self { number, is_arm: true }
    }

    /// That of something else, which nobody takes out.
    pub fn fixed(number: usize) -> Self {
        Self { number, is_arm: false }
    }

    /// Its classes.
    pub fn class(self) -> String {
        let look = format!("c{} d{}", self.number % COLOURS, self.number % DASHES);
        if self.is_arm { format!("s{} {look}", self.number) } else { look }
    }

    /// The outline of its mark, from its middle.
    pub fn mark(self) -> &'static str {
        SHAPES[self.number % MARKS]
    }

    /// Its place among the series, to set marks where those of others are not.
    pub fn number(self) -> usize {
        self.number
    }

    /// A piece of its line, to stand beside its name.
    pub fn swatch(self) -> String {
        format!(
            "<svg class=\"swatch\" viewBox=\"0 0 40 14\" aria-hidden=\"true\"><g class=\"{}\">\
             <path class=\"line\" d=\"M1 7H39\"/><path class=\"mark\" d=\"M20 7{}\"/></g></svg>",
            self.class(),
            self.mark()
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn twenty_series_differ_without_colours() {
        let looks: HashSet<_> = (0..20).map(|n| (n % DASHES, Style::arm(n).mark())).collect();
        assert_eq!(looks.len(), 20);
    }

    #[test]
    fn only_arms_can_be_taken_out() {
        assert_eq!(Style::arm(9).class(), "s9 c2 d1");
        assert_eq!(Style::fixed(9).class(), "c2 d1");
    }
}
