//! What people see of a run while it goes on, and at its end.

use std::path::Path;
use std::time::{Duration, Instant};

use coec_ir::Unit;
use coec_train::{
    run::{Event, Summary},
    samples::Sample,
    tokenizer::Lost,
};
use indicatif::{HumanDuration, ProgressBar};

use crate::{
    failure::Failure,
    render::{self, number, progress, reading::Reading, terminal::Stream},
};

/// Between two lines about saving.
const QUIET: Duration = Duration::from_secs(10);

/// Live progress where the error stream is a terminal, and lines of the steps where nobody sees it beside
/// them: in a pipe, a file, or a terminal without it. Nothing but errors with `--json`.
pub struct Screen {
    bar: Option<ProgressBar>,
    /// Data on its way to tokens.
    reading: Reading,
    quiet: bool,
    val_loss: Option<f64>,
    /// When a line last told of a commit.
    told: Option<Instant>,
    /// What was said that is no figure: notes and warnings.
    pub notes: Vec<String>,
    /// How much of the text the tokens do not say, once that is known.
    pub lost: Option<Lost>,
}

impl Screen {
    pub fn new(quiet: bool) -> Self {
        Self {
            bar: None,
            reading: Reading::new(quiet),
            quiet,
            val_loss: None,
            told: None,
            notes: Vec::new(),
            lost: None,
        }
    }

    pub fn show(&mut self, event: Event) {
        if !matches!(event, Event::Reading(_)) {
            self.reading.finish();
        }
        match event {
            Event::Note(text) => self.remark(text),
            Event::Lost(lost) => {
                self.lost = Some(lost);
                lost.words().into_iter().for_each(|words| self.remark(words));
            }
            Event::Warning(error) => {
                let failure = Failure::from(error);
                self.remark(format!("warning: {}", failure.one_line()));
            }
            _ if self.quiet => {}
            Event::Experts(_) => {}
            Event::Counted(counts) => render::line(&format!(
                "counted: {} parameters; closed form and captured graph ({} operations) agree, forward and backward",
                number::exact(&counts.params.to_string()),
                counts.operations
            )),
            Event::Reading(progress) => self.reading.show(progress),
            Event::Data { train, validation, epochs, vocab } => render::line(&format!(
                "data: {} tokens to learn from, {} held out; {epochs:.1} epochs; {vocab} distinct tokens",
                number::exact(&train.to_string()),
                number::exact(&validation.to_string())
            )),
            Event::Peak(peak) => {
                let peak = number::short(peak, Unit::FlopPerToken);
                render::line(&format!("GEMM peak: {peak}FLOP/s, the measure of utilisation"));
            }
            Event::Begins { path, step: 0 } => render::line(&format!("run: {}", path.display())),
            Event::Begins { path, step } => {
                render::line(&format!("run: {}, going on from step {step}", path.display()));
            }
            Event::Step { metrics, applied, steps } => {
                self.val_loss = metrics.val_loss.or(self.val_loss);
                let val = self.val_loss.map_or(String::new(), |loss| format!(", val {loss:.3}"));
                let text = format!(
                    "loss {:.3}{val}, {:.0} tokens/s, {:.0}% of peak",
                    metrics.loss,
                    metrics.tokens_per_s,
                    100.0 * metrics.mfu
                );
                let every = (steps / 20).max(1) as u64;
                if !applied {
                    self.line(&format!("step {}: not finite; left out, weights unchanged", metrics.step));
                }
                if self.bar.is_none() {
                    self.bar = progress::bar(steps, "{bar:24} step {pos}/{len}, {eta} left, {msg}");
                }
                if let Some(bar) = &self.bar {
                    bar.set_position(metrics.step);
                    bar.set_message(text.clone());
                }
                let is_seen = self.bar.is_some() && Stream::Output.is_terminal();
                let is_round = metrics.step == 1 || metrics.step.is_multiple_of(every);
                if !is_seen && (is_round || metrics.val_loss.is_some()) {
                    self.line(&format!("step {:>5}/{steps}: {text}", metrics.step));
                }
            }
            Event::Saved { step, bytes, seconds, stretched } => {
                if self.told.is_some_and(|told| told.elapsed() < QUIET) && stretched.is_none() {
                    return;
                }
                self.told = Some(Instant::now());
                let next = stretched.map_or(String::new(), |next| {
                    let next = HumanDuration(Duration::from_secs_f64(next));
                    format!("; the next in {next}, fifty times as long")
                });
                let bytes = number::short(bytes as f64, Unit::Bytes);
                self.line(&format!("saved at step {step}: {bytes} in {seconds:.2} s{next}"));
            }
        }
    }

    /// Something worth keeping beside the figures.
    pub fn remark(&mut self, text: String) {
        if !self.quiet {
            self.line(&text);
        }
        self.notes.push(text);
    }

    /// A line that does not tear the bar.
    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| render::line(text)),
            None => render::line(text),
        }
    }

    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }
}

/// The end of a run.
pub fn finish(summary: &Summary, samples: &[Sample], path: &Path, saved: bool) {
    for sample in samples {
        render::line(&format!("\n> {}", sample.decoded.trim_end()));
    }
    render::card::print(&summary.card);
    let val = match (summary.val_loss, summary.val_loss_per_byte) {
        (Some(loss), Some(byte)) => format!("; validation loss {loss:.4} nats a token, {byte:.4} a byte"),
        _ => String::new(),
    };
    let skipped = match summary.skipped {
        0 => String::new(),
        n => format!("; {n} steps were left out because something was not finite"),
    };
    render::line(&format!("{} steps in {:.0} s{val}{skipped}", summary.steps, summary.seconds));
    let path = path.display();
    match (saved, summary.interrupted) {
        (false, _) => render::line(&format!("NOT saved; what is: coec train --resume {path}")),
        (true, true) => render::line(&format!("stopped and saved; go on with: coec train --resume {path}")),
        (true, false) => {
            render::line(&format!("saved {path}; try: coec generate {path} --prompt 'Ana has 3 apples.'"));
        }
    }
}
