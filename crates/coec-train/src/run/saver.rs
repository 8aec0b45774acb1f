//! When a run is committed.

use std::time::{Duration, Instant};

use coec_ir::Save;

/// By the clock, so many times what a commit took lie between it and the next: saving takes at most
/// a fiftieth of the time.
const TIMES: u32 = 50;

/// How long a commit that failed waits to be tried again, by the clock.
const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// Decides when the next commit is due.
#[derive(Debug)]
pub(super) struct Saver {
    save: Save,
    last: Instant,
    took: Duration,
}

impl Saver {
    /// Nothing saved yet.
    pub fn new(save: Save) -> Self {
        Self { save, last: Instant::now(), took: Duration::ZERO }
    }

    /// Whether a commit is due after `step` steps; `best` says that the evaluation after the last of
    /// them was the best so far.
    pub fn is_due(&self, step: usize, best: bool) -> bool {
        match self.save {
            Save::Every(steps) => step.is_multiple_of(steps),
            Save::Minutes(_) => {
                let since = self.last.elapsed();
                since >= self.interval() || (best && since >= self.took * TIMES)
            }
        }
    }

    /// Notes a commit that took so long, or was tried for so long.
    pub fn note(&mut self, took: Duration) {
        (self.last, self.took) = (Instant::now(), took);
    }

    /// How long the last commit took.
    pub fn took(&self) -> Option<Duration> {
        (self.took > Duration::ZERO).then_some(self.took)
    }

    /// Notes a commit that failed: the next is tried soon.
    pub fn note_failure(&mut self) {
        let wait = self.interval().min(AFTER_FAILURE);
        self.last = Instant::now().checked_sub(self.interval() - wait).unwrap_or_else(Instant::now);
    }

    /// Time until the next commit by the clock, where saving takes so long that it is more than the
    /// spec says.
    pub fn stretched(&self) -> Option<Duration> {
        let declared = self.declared()?;
        (self.interval() > declared).then(|| self.interval())
    }

    fn interval(&self) -> Duration {
        self.declared().unwrap_or_default().max(self.took * TIMES)
    }

    fn declared(&self) -> Option<Duration> {
        match self.save {
            Save::Minutes(minutes) => Some(Duration::from_secs_f64(60.0 * minutes)),
            Save::Every(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_steps_whatever_is_best() {
        let saver = Saver::new(Save::Every(3));
        let due: Vec<usize> = (1..10).filter(|&step| saver.is_due(step, true)).collect();
        assert_eq!(due, [3, 6, 9]);
    }

    #[test]
    fn by_the_clock_it_is_due_when_time_has_passed_or_for_the_best() {
        let mut saver = Saver::new(Save::Minutes(1.0));
        assert!(!saver.is_due(1, false));
        assert!(saver.is_due(1, true));
        saver.last = Instant::now().checked_sub(Duration::from_secs(61)).unwrap();
        assert!(saver.is_due(1, false));
    }

    #[test]
    fn a_slow_disk_stretches_the_interval_and_nothing_is_due_before() {
        let mut saver = Saver::new(Save::Minutes(1.0));
        saver.note(Duration::from_secs(2));
        assert_eq!(saver.stretched(), Some(Duration::from_secs(100)));
        saver.last = Instant::now().checked_sub(Duration::from_secs(70)).unwrap();
        assert!(!saver.is_due(1, false) && !saver.is_due(1, true));
        saver.last = Instant::now().checked_sub(Duration::from_secs(101)).unwrap();
        assert!(saver.is_due(1, false));
        saver.note(Duration::from_millis(1));
        assert_eq!(saver.stretched(), None);
    }
}
