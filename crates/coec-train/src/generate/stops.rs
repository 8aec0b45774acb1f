//! Texts at which generation ends.

use crate::overlap::overlap;

/// Looks for the first of some texts in one that comes piece by piece.
#[derive(Debug)]
pub(super) struct Stops<'a> {
    stops: &'a [String],
    /// The end of the text so far that a stop may begin with.
    held: String,
}

/// What there is of a text before a stop.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// No stop yet.
    On(String),
    /// All there is: a stop follows.
    Stopped(String),
}

impl<'a> Stops<'a> {
    pub fn new(stops: &'a [String]) -> Self {
        Self { stops, held: String::new() }
    }

    /// What of `piece`, and of the text held back, surely comes before a stop.
    ///
    /// The stop that is complete first counts; of two that end together, the longer one.
    pub fn push(&mut self, piece: &str) -> Passed {
        self.held.push_str(piece);
        let found = self.stops.iter().filter_map(|stop| {
            let start = self.held.find(stop.as_str())?;
            Some((start + stop.len(), start))
        });
        if let Some((_, start)) = found.min() {
            self.held.truncate(start);
            return Passed::Stopped(std::mem::take(&mut self.held));
        }
        let kept = self.stops.iter().map(|stop| overlap(&self.held, stop)).max().unwrap_or(0);
        let held = self.held.split_off(self.held.len() - kept);
        Passed::On(std::mem::replace(&mut self.held, held))
    }

    /// What was held back and begins no stop after all.
    pub fn finish(self) -> String {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What passes of `text` given in pieces of `size` characters, and whether it was stopped.
    fn passed(text: &str, stops: &[&str], size: usize) -> (String, bool) {
        let stops: Vec<String> = stops.iter().map(|&stop| stop.to_owned()).collect();
        let mut looking = Stops::new(&stops);
        let mut all = String::new();
        let chars: Vec<char> = text.chars().collect();
        for piece in chars.chunks(size) {
            match looking.push(&piece.iter().collect::<String>()) {
                Passed::On(text) => all += &text,
                Passed::Stopped(text) => return (all + &text, true),
            }
        }
        (all + &looking.finish(), false)
    }

    #[test]
    fn a_stop_is_found_across_pieces_and_never_given() {
        for size in 1..8 {
            assert_eq!(passed("one\n\ntwo", &["\n\n"], size), ("one".into(), true), "{size}");
            assert_eq!(passed("aaab", &["aab"], size), ("a".into(), true), "{size}");
            assert_eq!(passed("one\ntwo\n", &["\n\n"], size), ("one\ntwo\n".into(), false), "{size}");
            assert_eq!(passed("één äh", &["n ä"], size), ("éé".into(), true), "{size}");
        }
    }

    #[test]
    fn of_several_stops_the_first_that_is_complete_counts() {
        for size in 1..8 {
            assert_eq!(passed("xabcd", &["abcd", "bc"], size), ("xa".into(), true), "{size}");
            assert_eq!(passed("xabcd", &["bc", "abc"], size), ("x".into(), true), "{size}");
        }
    }

    #[test]
    fn nothing_is_held_back_without_stops() {
        let mut looking = Stops::new(&[]);
        assert_eq!(looking.push("any"), Passed::On("any".into()));
    }
}
