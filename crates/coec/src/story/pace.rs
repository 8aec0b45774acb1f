//! How fast a run gets on, evaluations and saving included, as far as somebody has looked on.

use std::collections::VecDeque;

/// Seconds that are looked back.
const BACK: f64 = 120.0;

/// Seconds that must have been looked on for something to be said.
const LEAST: f64 = 5.0;

/// Steps as they were seen to end.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    /// Seconds on the looker's clock, and steps done then: about one a second.
    marks: VecDeque<(f64, u64)>,
    /// The last one.
    last: Option<(f64, u64)>,
}

impl Pace {
    /// Notes that `step` steps are done at `now`.
    pub fn note(&mut self, now: f64, step: u64) {
        self.last = Some((now, step));
        if self.marks.back().is_none_or(|(at, _)| now - at >= 1.0) {
            self.marks.push_back((now, step));
        }
        while self.marks.len() > 2 && self.marks.front().is_some_and(|(at, _)| now - at > BACK) {
            self.marks.pop_front();
        }
    }

    /// Seconds a step.
    pub fn seconds(&self) -> Option<f64> {
        let (since, first) = *self.marks.front()?;
        let (until, last) = self.last?;
        (until - since >= LEAST && last > first).then(|| (until - since) / (last - first) as f64)
    }

    /// When the last step ended.
    pub fn last(&self) -> Option<f64> {
        self.last.map(|(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_count_and_what_is_long_ago_does_not() {
        let mut pace = Pace::default();
        pace.note(0.0, 10);
        pace.note(2.0, 12);
        assert_eq!(pace.seconds(), None);
        // Two steps a second, and an evaluation that takes as long as twenty.
        pace.note(10.0, 30);
        pace.note(20.0, 30);
        assert_eq!(pace.seconds(), Some(1.0));
        for second in 21..400 {
            pace.note(f64::from(second), 30 + 4 * (second - 20) as u64);
        }
        assert_eq!(pace.seconds(), Some(0.25));
    }
}
