//! What people see while runs are trained.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use coec_train::run_dir::{Metrics, RunDir};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::run::Run;
use crate::render::{self, terminal::Stream};

/// Between two looks at the logs.
const TICK: Duration = Duration::from_millis(500);

/// A bar for each run that goes on, where the error stream is a terminal, and a line for each that is done.
pub struct Progress {
    bars: MultiProgress,
    active: HashMap<PathBuf, ProgressBar>,
    quiet: bool,
    done: usize,
    of: usize,
    looked: Option<Instant>,
}

impl Progress {
    pub fn new(quiet: bool) -> Self {
        let bars = MultiProgress::new();
        if quiet || !Stream::Errors.has_cursor() {
            bars.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self { bars, active: HashMap::new(), quiet, done: 0, of: 0, looked: None }
    }

    /// Of so many runs, so many are done already.
    pub fn begin(&mut self, of: usize, done: usize) {
        (self.done, self.of) = (done, of);
        if done > 0 && done < of {
            self.line(&format!("{done} of {of} runs are done already"));
        }
    }

    /// Those that go on.
    pub fn show<'r>(&mut self, running: impl Iterator<Item = &'r Run>) {
        if self.looked.is_some_and(|looked| looked.elapsed() < TICK) {
            return;
        }
        self.looked = Some(Instant::now());
        for run in running {
            let bar = self.active.entry(run.dir.clone()).or_insert_with(|| {
                let layout = format!("{{bar:24}} {}: step {{pos}}/{{len}}, {{eta}} left{{msg}}", run.title);
                let style = ProgressStyle::with_template(&layout);
                let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
                self.bars.add(ProgressBar::new(run.steps as u64).with_style(style))
            });
            if let Some(last) = last(&run.dir) {
                bar.set_position(last.step);
                bar.set_message(format!(", loss {:.3}", last.loss));
            }
        }
    }

    /// One is done.
    pub fn done(&mut self, run: &Run, status: ExitStatus) {
        self.done += 1;
        if let Some(bar) = self.active.remove(&run.dir) {
            bar.finish_and_clear();
        }
        let val = val_loss(&run.dir).map_or(String::new(), |loss| format!("validation loss {loss:.4}"));
        let budget = if status.code() == Some(1) { "; a budget fails" } else { "" };
        self.line(&format!("{}: {val}{budget} ({} of {})", run.title, self.done, self.of));
    }

    /// One failed.
    pub fn failed(&mut self, run: &Run) {
        self.done += 1;
        if let Some(bar) = self.active.remove(&run.dir) {
            bar.finish_and_clear();
        }
        self.line(&format!("{}: failed ({} of {})", run.title, self.done, self.of));
    }

    pub fn finish(&mut self) {
        self.active.drain().for_each(|(_, bar)| bar.finish_and_clear());
    }

    fn line(&self, text: &str) {
        if !self.quiet {
            self.bars.suspend(|| render::line(text));
        }
    }
}

/// The last line of a run's log.
fn last(dir: &Path) -> Option<Metrics> {
    RunDir::read_only(dir).ok()?.read_metrics().ok()?.pop()
}

/// The last validation loss of a run.
pub fn val_loss(dir: &Path) -> Option<f64> {
    let metrics = RunDir::read_only(dir).ok()?.read_metrics().ok()?;
    metrics.iter().rev().find_map(|line| line.val_loss)
}
