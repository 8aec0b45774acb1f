//! Progress of copying tensors.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressStyle};

/// A bar in a terminal, nothing elsewhere: copying is quick, and says at its end what it did.
pub struct Progress {
    bar: Option<ProgressBar>,
    shown: bool,
}

impl Progress {
    pub fn new(quiet: bool) -> Self {
        Self { bar: None, shown: !quiet && io::stderr().is_terminal() }
    }

    pub fn show(&mut self, done: usize, all: usize) {
        if self.shown {
            let bar = self.bar.get_or_insert_with(|| {
                let style = ProgressStyle::with_template("{bar:24} tensor {pos}/{len}, {eta} left");
                let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
                ProgressBar::new(all as u64).with_style(style)
            });
            bar.set_position(done as u64);
        }
    }

    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
