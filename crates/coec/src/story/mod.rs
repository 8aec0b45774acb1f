//! What is known of a run: everything a picture of it shows.
//!
//! A story is made of the lines of a run's logs, whoever reads them: `coec train` tells it while it trains, `coec
//! watch` reads it from the directory. It knows no clock; seconds are those of who tells it.

mod curve;
mod pace;

use std::collections::BTreeMap;

use coec_ir::Figure;
use coec_train::{ExpertLine, report::Judged, run_dir::Metrics};

pub use curve::Curve;
use pace::Pace;

/// Steps before the average of throughput begins: allocators and caches fill.
const WARM: u64 = 2;

/// A run so far.
#[derive(Debug, Clone, Default)]
pub struct Story {
    /// Its directory, as people name it.
    pub name: String,
    /// Steps of the whole run; 0 where that is not known.
    pub steps: u64,
    /// How it stands.
    pub standing: Standing,
    /// Loss of the steps.
    pub loss: Curve,
    /// Loss on held-out text.
    pub val: Curve,
    /// Tokens a second.
    pub speed: Curve,
    /// The last line of the metrics.
    pub latest: Option<Metrics>,
    /// The last evaluation, and the best.
    pub evaluated: Option<Evaluated>,
    pub best: Option<Evaluated>,
    /// Steps whose loss or gradient was no number.
    pub broken: u64,
    /// How often each expert was selected, by layer and iteration, and the step it was counted to.
    pub loads: BTreeMap<(usize, usize, usize), Vec<u64>>,
    pub loads_at: usize,
    /// FLOP/s of the best matrix product.
    pub peak: Option<f64>,
    /// The declared budgets.
    pub budgets: Vec<Judged>,
    /// Steps of the last commit.
    pub saved: Option<Saved>,
    average: Average,
    pace: Pace,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Standing {
    /// It goes on.
    #[default]
    Going,
    /// All its steps are done.
    Done,
    /// It was asked to end, and can go on.
    Stopped,
    /// Nobody works on it: it was asked to end, or killed.
    Left,
}

/// An evaluation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluated {
    pub step: u64,
    pub loss: f64,
}

/// A commit, and when it was made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Saved {
    pub step: usize,
    pub at: f64,
}

/// What the steps came to together.
#[derive(Debug, Clone, Copy, Default)]
struct Average {
    tokens: f64,
    seconds: f64,
    /// Utilisation, weighed by seconds.
    used: f64,
}

impl Story {
    /// A run of so many steps before the first of them; 0 where it is not known how many.
    pub fn begun(name: String, steps: u64) -> Self {
        Self { name, steps, ..Self::default() }
    }

    /// Adds a line of the metrics; `now` if its step ended just now.
    pub fn step(&mut self, line: Metrics, now: Option<f64>) {
        let before = self.latest.as_ref();
        if before.is_some_and(|before| before.step >= line.step) {
            return;
        }
        let tokens = line.tokens.saturating_sub(before.map_or(0, |before| before.tokens)) as f64;
        let seconds = tokens / line.tokens_per_s;
        if line.step > WARM && seconds.is_finite() && line.mfu.is_finite() {
            self.average.tokens += tokens;
            self.average.seconds += seconds;
            self.average.used += line.mfu * seconds;
        }
        self.loss.push(line.step, line.loss);
        self.speed.push(line.step, line.tokens_per_s);
        self.broken += u64::from(!(line.loss.is_finite() && line.grad_norm.is_finite()));
        if let Some(loss) = line.val_loss {
            self.val.push(line.step, loss);
            let evaluated = Evaluated { step: line.step, loss };
            self.evaluated = Some(evaluated);
            if loss.is_finite() && self.best.is_none_or(|best| loss < best.loss) {
                self.best = Some(evaluated);
            }
        }
        if let Some(now) = now {
            self.pace.note(now, line.step);
        }
        self.latest = Some(line);
    }

    /// Adds a line of the expert loads.
    pub fn experts(&mut self, line: ExpertLine) {
        self.loads_at = line.step;
        self.loads.insert((line.layer, line.pass, line.iteration), line.counts);
    }

    /// Forgets the metrics, which come again.
    pub fn forget_steps(&mut self) {
        let Self { name, steps, standing, loads, loads_at, peak, budgets, saved, .. } = std::mem::take(self);
        *self = Self { name, steps, standing, loads, loads_at, peak, budgets, saved, ..Self::default() };
    }

    /// Forgets the expert loads, which come again.
    pub fn forget_experts(&mut self) {
        self.loads.clear();
        self.loads_at = 0;
    }

    /// Steps done.
    pub fn done(&self) -> u64 {
        self.latest.as_ref().map_or(0, |line| line.step)
    }

    /// Tokens a second and utilisation, all steps together.
    pub fn throughput(&self) -> Option<(f64, f64)> {
        let Average { tokens, seconds, used } = self.average;
        (seconds > 0.0).then(|| (tokens / seconds, used / seconds))
    }

    /// The measured figures as far as the logs tell them.
    pub fn measured(&self, figure: Figure) -> Option<f64> {
        let (throughput, mfu) = self.throughput()?;
        match figure {
            Figure::MeasuredThroughput => Some(throughput),
            Figure::MeasuredMfu => Some(mfu),
            _ => None,
        }
    }

    /// Seconds until its end, for somebody whose clock says `now`.
    pub fn seconds_left(&self, now: f64) -> Option<f64> {
        let left = self.steps.saturating_sub(self.done());
        if self.standing != Standing::Going || left == 0 {
            return None;
        }
        let of_steps = || {
            let (tokens, seconds) = (self.average.tokens, self.average.seconds);
            let of_step = self.latest.as_ref()?.tokens as f64 / self.done() as f64;
            (tokens > 0.0).then(|| seconds / tokens * of_step)
        };
        let whole = self.pace.seconds().or_else(of_steps)? * left as f64;
        let since = self.pace.last().map_or(0.0, |last| (now - last).max(0.0));
        Some((whole - since).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(step: u64, val_loss: Option<f64>) -> Metrics {
        let tokens_per_s = if step <= WARM { 1.0 } else { 50.0 };
        Metrics {
            loss: 1.0,
            grad_norm: 1.0,
            tokens_per_s,
            mfu: 0.5,
            val_loss,
            ..Metrics::new(step, 100 * step)
        }
    }

    fn story(steps: u64) -> Story {
        let mut story = Story { steps: 100, ..Story::default() };
        (1..=steps).for_each(|step| story.step(line(step, None), None));
        story
    }

    #[test]
    fn averages_leave_the_first_steps_out() {
        let story = story(10);
        assert_eq!(story.throughput(), Some((50.0, 0.5)));
        // Two seconds a step.
        assert_eq!(story.seconds_left(0.0), Some(180.0));
    }

    #[test]
    fn time_left_is_what_was_seen_and_runs_down() {
        let mut story = story(10);
        for second in 0..=10u64 {
            story.step(line(11 + second, None), Some(second as f64));
        }
        assert_eq!(story.seconds_left(10.0), Some(79.0));
        assert_eq!(story.seconds_left(12.0), Some(77.0));
        story.standing = Standing::Stopped;
        assert_eq!(story.seconds_left(12.0), None);
    }

    #[test]
    fn the_best_evaluation_is_a_number() {
        let mut story = story(1);
        for (step, loss) in [(2, 3.0), (3, 2.0), (4, f64::NAN)] {
            story.step(line(step, Some(loss)), None);
        }
        assert_eq!(story.best, Some(Evaluated { step: 3, loss: 2.0 }));
        assert!(story.evaluated.unwrap().loss.is_nan());
    }

    #[test]
    fn a_step_that_comes_again_is_not_counted_twice() {
        let mut story = story(5);
        story.step(line(5, None), None);
        assert_eq!((story.done(), story.loss.points().count()), (5, 5));
        story.forget_steps();
        assert_eq!((story.done(), story.steps, story.throughput()), (0, 100, None));
    }
}
