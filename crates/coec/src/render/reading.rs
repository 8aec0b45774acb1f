//! Progress of data on its way to tokens.

use std::mem::{Discriminant, discriminant};
use std::time::{Duration, Instant};

use coec_ir::Unit;
use coec_train::data::Progress;
use indicatif::ProgressBar;

use super::{number, progress::bar};

/// Progress of data on its way to tokens: a bar in a terminal; elsewhere a line now and then, of what takes
/// long.
pub struct Reading {
    bar: Option<(Discriminant<Progress>, ProgressBar)>,
    quiet: bool,
    plain: bool,
    told: Instant,
}

/// Between two lines.
const PATIENCE: Duration = Duration::from_secs(20);

impl Reading {
    /// For programs, or for people, with a bar or `plain`.
    pub fn new(quiet: bool, plain: bool) -> Self {
        Self { bar: None, quiet, plain, told: Instant::now() }
    }

    pub fn show(&mut self, progress: Progress) {
        let (doing, done, of) = match progress {
            Progress::Reading { done } => ("reading", done, None),
            Progress::Learning { done, of } => ("learning tokens from", done, Some(of)),
            Progress::Tokenising { done, of } => ("tokenising", done, Some(of)),
        };
        if self.quiet {
            return;
        }
        let kind = discriminant(&progress);
        if self.bar.as_ref().is_none_or(|(shown, _)| *shown != kind) {
            self.finish();
            let layout = match of {
                Some(_) => format!("{{bar:24}} {doing} {{bytes}}/{{total_bytes}}, {{eta}} left"),
                None => format!("{{spinner}} {doing} {{bytes}}"),
            };
            let bar = if self.plain { None } else { bar(of.unwrap_or(done) as usize, &layout) };
            self.bar = bar.map(|bar| (kind, bar));
        }
        if let Some((_, bar)) = &self.bar {
            bar.set_position(done);
        } else if self.told.elapsed() > PATIENCE {
            self.told = Instant::now();
            let short = |bytes: u64| number::short(bytes as f64, Unit::Bytes);
            let of = of.map_or(String::new(), |of| format!(" of {}", short(of)));
            super::line(&format!("{doing} text: {}{of}", short(done)));
        }
    }

    pub fn finish(&mut self) {
        if let Some((_, bar)) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
