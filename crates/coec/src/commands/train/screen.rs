//! What people see of a run while it goes on, and at its end.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use coec_ir::{Figure, Unit};
use coec_train::{
    report::Judged,
    run::{Control, Event, Summary},
    run_dir::{News, RunDir, commit::Latest},
    samples::Sample,
    tokenizer::Lost,
};
use indicatif::HumanDuration;

use super::live::Live;
use crate::{
    failure::Failure,
    render::{self, agreement, number, reading::Reading, steps::Steps, terminal::Stream},
    story::{Saved, Standing, Story},
};

/// Between two lines about saving.
const QUIET: Duration = Duration::from_secs(10);

/// Between two judgements of what is measured while the run goes on.
const JUDGED: Duration = Duration::from_secs(1);

/// A picture that moves where the error stream is a terminal, and lines of the steps where nobody sees it beside
/// them: in a pipe, a file, or a terminal without it. Nothing but errors with `--json`.
pub struct Screen {
    live: Option<Live>,
    /// Whether there is to be one.
    is_live: bool,
    /// Data on its way to tokens.
    reading: Reading,
    quiet: bool,
    steps: Steps,
    control: Arc<Control>,
    /// FLOP/s of the best matrix product.
    peak: Option<f64>,
    /// When a line last told of a commit.
    told: Option<Instant>,
    /// When the budgets were last judged.
    judged: Option<Instant>,
    /// What was said that is no figure: notes and warnings.
    pub notes: Vec<String>,
    /// How much of the text the tokens do not say, once that is known.
    pub lost: Option<Lost>,
}

impl Screen {
    /// For programs, or for people, with a picture or `plain`.
    pub fn new(quiet: bool, plain: bool, control: Arc<Control>) -> Self {
        Self {
            live: None,
            is_live: !quiet && !plain && cfg!(unix) && Stream::Errors.has_cursor(),
            reading: Reading::new(quiet, plain),
            quiet,
            steps: Steps::default(),
            control,
            peak: None,
            told: None,
            judged: None,
            notes: Vec::new(),
            lost: None,
        }
    }

    /// The run will have so many steps.
    pub fn expect(&mut self, steps: usize) {
        self.steps.steps = steps;
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
            Event::Counted(counts) => render::line(&format!(
                "counted: {} parameters; closed form and captured graph ({} operations) agree, forward and backward",
                number::grouped(counts.params),
                counts.operations
            )),
            Event::Reading(progress) => self.reading.show(progress),
            Event::Data { train, validation, epochs, vocab } => render::line(&format!(
                "data: {} tokens to learn from, {} held out; {epochs:.1} epochs; {vocab} distinct tokens",
                number::grouped(train),
                number::grouped(validation)
            )),
            Event::Checked(agreement) => {
                render::line(&format!("device: {}", agreement::sentence(&agreement)))
            }
            Event::Peak(peak) => {
                self.peak = Some(peak);
                let peak = number::short(peak, Unit::FlopPerToken);
                render::line(&format!("GEMM peak: {peak}FLOP/s, the measure of utilisation"));
            }
            Event::Begins { path, step } => {
                let going_on = if step > 0 { format!(", going on from step {step}") } else { String::new() };
                render::line(&format!("run: {}{going_on}", path.display()));
                if self.is_live {
                    let mut begun = Story::begun(path.display().to_string(), self.steps.steps as u64);
                    begun.peak = self.peak;
                    self.live = Some(Live::begin(so_far(begun, &path, step), self.control.clone()));
                }
            }
            Event::Experts(lines) => {
                self.tell(|story, _| lines.into_iter().for_each(|line| story.experts(line)));
            }
            Event::Step { metrics, applied, steps } => {
                self.steps.steps = steps;
                if !applied {
                    render::line(&format!("step {}: not finite; left out, weights unchanged", metrics.step));
                }
                let line = self.steps.line(&metrics);
                let is_seen = self.live.is_some() && Stream::Output.is_terminal();
                if let Some(line) = line.filter(|_| !is_seen) {
                    render::line(&line);
                }
                self.tell(|story, now| story.step(metrics, Some(now)));
            }
            Event::Saved { step, bytes, seconds, stretched } => {
                self.tell(|story, at| story.saved = Some(Saved { step, at }));
                // The picture says it in its own place.
                let is_seen = self.live.is_some() && Stream::Output.is_terminal();
                let is_soon = self.told.is_some_and(|told| told.elapsed() < QUIET) || is_seen;
                if is_soon && stretched.is_none() {
                    return;
                }
                self.told = Some(Instant::now());
                let next = stretched.map_or(String::new(), |next| {
                    let next = HumanDuration(Duration::from_secs_f64(next));
                    format!("; the next in {next}, fifty times as long")
                });
                let bytes = number::short(bytes as f64, Unit::Bytes);
                render::line(&format!("saved at step {step}: {bytes} in {seconds:.2} s{next}"));
            }
        }
    }

    /// Shows the budgets as `judge` finds them, given what is measured so far: now and then, where they are seen.
    pub fn judge(&mut self, judge: impl FnOnce(&dyn Fn(Figure) -> Option<f64>) -> Vec<Judged>) {
        if self.live.is_none() || self.judged.is_some_and(|judged| judged.elapsed() < JUDGED) {
            return;
        }
        self.judged = Some(Instant::now());
        self.tell(|story, _| story.budgets = judge(&|figure| story.measured(figure)));
    }

    fn tell(&self, tell: impl FnOnce(&mut Story, f64)) {
        if let Some(live) = &self.live {
            live.tell(tell);
        }
    }

    /// Something worth keeping beside the figures.
    pub fn remark(&mut self, text: String) {
        if !self.quiet {
            render::line(&text);
        }
        self.notes.push(text);
    }

    /// The run is over; the picture stays as it is then, with the budgets of the card.
    pub fn finish(&mut self, summary: Option<&Summary>) {
        if let Some(summary) = summary {
            let standing = if summary.interrupted { Standing::Stopped } else { Standing::Done };
            let budgets = summary.card.budgets.clone();
            self.tell(|story, _| (story.standing, story.budgets) = (standing, budgets));
        }
        self.live = None;
    }
}

/// The steps of a run that goes on, as its logs have them. Lines that cannot be read are not seen.
fn so_far(mut story: Story, path: &Path, done: usize) -> Story {
    if done > 0
        && let Ok(run) = RunDir::read_only(path)
    {
        // What lies behind the commit is cut off, and written again.
        let _ = run.follow_metrics().read(&mut |news| match news {
            News::Line(line) if line.step <= done as u64 => story.step(line, None),
            News::Line(_) | News::Anew => {}
        });
        let _ = run.follow_experts().read(&mut |news| match news {
            News::Line(line) if line.step <= done => story.experts(line),
            News::Line(_) | News::Anew => {}
        });
        let ago = |at: SystemTime| at.elapsed().map_or(0.0, |ago| ago.as_secs_f64());
        let saved = |latest: Latest| Saved { step: latest.step, at: -ago(latest.at) };
        story.saved = run.commits().latest(None).map(saved);
    }
    story
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
