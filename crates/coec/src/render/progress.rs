//! How far something is, drawn on one line while it goes on.

use indicatif::{ProgressBar, ProgressStyle};

use super::terminal::Stream;

/// A bar on the error stream, for `template` to lay out; `None` where nobody would see it move.
pub fn bar(length: usize, template: &str) -> Option<ProgressBar> {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    Stream::Errors.has_cursor().then(|| ProgressBar::new(length as u64).with_style(style))
}

/// Progress of what is soon done and says at its end what it did: a bar in a terminal, nothing elsewhere.
pub struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    /// What is counted: `tensor`.
    thing: &'static str,
}

impl Progress {
    pub fn new(quiet: bool, thing: &'static str) -> Self {
        Self { bar: None, quiet, thing }
    }

    pub fn show(&mut self, done: usize, all: usize) {
        if self.bar.is_none() && !self.quiet {
            self.bar = bar(all, &format!("{{bar:24}} {} {{pos}}/{{len}}, {{eta}} left", self.thing));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(done as u64);
        }
    }

    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
