//! `coec train`: a run, watched.

use std::io::{self, IsTerminal};
use std::path::Path;

use coec_ir::Quantity;
use coec_lang::{Outcome, Report, Spec, Verdict, check, load_one};
use coec_train::{
    generate::{Generator, Options},
    peak::CountingAllocator,
    report::{self, Judged, Measured},
    run::{self, Bases, Event, Job, MemoryMeter, Start, Summary},
    run_dir::{RunDir, RunFile},
    sample::Sampler,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::{check as check_command, generate::path_of, json_of, print_json};
use crate::{
    cli::TrainArgs,
    disk::{Disk, QUICKSTART},
    failure::{Done, Failure},
    render::{self, number},
    signals::Stop,
};

pub fn run(args: &TrainArgs) -> Result<Done, Failure> {
    let resumed = match (&args.out, args.resume) {
        (Some(out), true) => Some(RunDir::open(out)?),
        _ => None,
    };
    let spec = match &resumed {
        Some(run) => load_one(&path_of(&run.file(RunFile::Spec))?, &[], &Disk)?,
        None => {
            let mut sets = args.set.sets.clone();
            sets.extend(args.data.as_deref().map(data_setting));
            load_one(args.spec.as_deref().unwrap_or(QUICKSTART), &sets, &Disk)?
        }
    };
    let train = spec.train_or_default()?;
    let report = check(&spec, &Disk)?;
    if !args.json.json {
        check_command::show(&spec, &report);
    }
    if report.is_violated() {
        if args.json.json {
            let document = check_command::document(&spec, &report);
            print_json(&json!({ "schema": coec_ir::SCHEMA, "specs": [document] }));
        }
        return Ok(Done::BudgetFails);
    }
    let device = args.backend.device()?;
    let dir = match (resumed, &args.out) {
        (Some(run), _) => run,
        (None, Some(out)) => RunDir::create_at(out)?,
        (None, None) => RunDir::create_next(Path::new("runs"), &spec.model.name)?,
    };
    let stop = Stop::listen().map_err(|error| {
        Failure::environment(
            "coec::train::signals",
            format!("cannot listen for signals: {error}"),
            "try again",
        )
    })?;

    let backend = args.backend.name();
    let text = explicit(&spec, &train);
    let memory = Allocator { counter: &crate::MEMORY, base: Default::default() };
    let judge = |measured: Option<&Measured>| judged(&spec, &report, backend, measured);
    let job = Job {
        model: &spec.model,
        train: &train,
        bases: Bases { data: &spec.bases.data, tokenizer: &spec.bases.tokenizer },
        device: device.clone(),
        backend,
        gemm_size: args.backend.gemm_size(),
        judge: &judge,
        spec: &text,
        dir: &dir,
        start: match &args.weights {
            Some(weights) => Start::Weights(weights),
            None if args.resume => Start::Resume,
            None => Start::Fresh,
        },
        memory: &memory,
    };
    let mut screen = Screen::new(args.json.json);
    let summary = run::run(&job, &mut |event| screen.show(event), stop.flag());
    screen.finish();
    let summary = summary?;

    let samples = match summary.interrupted {
        true => Vec::new(),
        false => samples(&spec, &train, &dir, &device)?,
    };
    // What the build could not judge; the rest was said before the run.
    let late: Vec<_> = verdicts(&spec, &report, backend, summary.card.measured.as_ref())
        .into_iter()
        .filter(|verdict| verdict.rule.figure.is_measured())
        .filter_map(|verdict| verdict.diagnostic)
        .collect();
    if args.json.json {
        print_json(&json!({
            "schema": coec_ir::SCHEMA,
            "run": dir.path(),
            "diagnostics": json_of(&late),
            "summary": summary,
            "samples": samples.iter().map(|s| json!({ "prompt": s.prompt, "text": s.text })).collect::<Vec<_>>(),
        }));
    } else {
        finish(&summary, &samples, &dir);
        late.iter().for_each(render::diagnostic);
    }
    Ok(match stop.signal() {
        Some(signal) if summary.interrupted => Done::Interrupted(signal),
        _ if summary.card.fails() => Done::BudgetFails,
        _ => Done::Well,
    })
}

/// `--data PATH` as the setting it is short for.
fn data_setting(path: &str) -> String {
    let quoted = coec_ir::text::string(path);
    if !path.ends_with(".jsonl") {
        return format!("train.data=text({quoted})");
    }
    // The fields of the first record say which template fits.
    let has_text = std::fs::File::open(path).is_ok_and(|file| {
        let mut first = String::new();
        let _ = io::BufRead::read_line(&mut io::BufReader::new(file), &mut first);
        serde_json::from_str::<serde_json::Value>(&first).is_ok_and(|record| record.get("text").is_some())
    });
    let template = if has_text { "{text}" } else { "{question}\\n{answer}" };
    format!("train.data=jsonl({quoted}, template=\"{template}\")")
}

/// The spec as the run keeps it: explicit, its training included, and its data where it can be
/// found from inside the run directory.
fn explicit(spec: &Spec, train: &coec_ir::Train) -> String {
    let absolute = |base: &Path, path: &str| {
        let joined = base.join(path);
        std::path::absolute(&joined).unwrap_or(joined).to_string_lossy().into_owned()
    };
    let mut train = train.clone();
    match &mut train.data {
        coec_ir::Data::Text { glob } | coec_ir::Data::Jsonl { glob, .. } => {
            *glob = absolute(&spec.bases.data, glob)
        }
        coec_ir::Data::Builtin { .. } => {}
    }
    if let coec_ir::Tokenizer::File { path } = &mut train.tokenizer {
        *path = absolute(&spec.bases.tokenizer, path);
    }
    // Budgets that name other specs by path would not find them from here; the card has their verdicts.
    let rules: Vec<_> = spec
        .rules
        .iter()
        .map(|rule| rule.rule.clone())
        .filter(|rule| !matches!(&rule.target, coec_ir::Target::Figure { spec: Some(_), .. }))
        .collect();
    let parts =
        [coec_ir::text::model(&spec.model), coec_ir::text::budget(&rules), coec_ir::text::train(&train)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The verdicts of a spec's budgets, given what was measured.
fn verdicts(spec: &Spec, report: &Report, backend: &str, measured: Option<&Measured>) -> Vec<Verdict> {
    let value = |figure| {
        let value = measured?.figure(figure)?;
        Quantity::parse(&format!("{value:.9}")).ok()
    };
    let verdicts = report.verdicts.iter();
    match measured {
        Some(_) => verdicts.map(|verdict| verdict.measured(spec, backend, value)).collect(),
        None => verdicts.cloned().collect(),
    }
}

/// The declared budgets of a spec as rows of the report card.
pub fn judged(spec: &Spec, report: &Report, backend: &str, measured: Option<&Measured>) -> Vec<Judged> {
    let row = |verdict: Verdict| {
        let reading = verdict.readings.first();
        let number = |quantity: Option<&Quantity>| quantity.map(Quantity::to_f64);
        Judged {
            rule: coec_ir::text::rule(&verdict.rule),
            figure: verdict.rule.figure,
            actual: number(reading.and_then(|r| r.actual.as_ref())),
            target: number(reading.and_then(|r| r.target.as_ref())),
            verdict: match verdict.outcome {
                Outcome::Holds => report::Verdict::Holds,
                Outcome::Violated => report::Verdict::Fails,
                Outcome::Warned => report::Verdict::Warns,
                Outcome::Deferred => report::Verdict::NotMeasured,
            },
        }
    };
    verdicts(spec, report, backend, measured).into_iter().map(row).collect()
}

/// Peak bytes beyond what was held when training began.
struct Allocator<'a> {
    counter: &'a CountingAllocator,
    base: std::cell::Cell<usize>,
}

impl MemoryMeter for Allocator<'_> {
    fn reset(&self) {
        self.base.set(self.counter.current());
        self.counter.reset_peak();
    }

    fn peak(&self) -> u64 {
        self.counter.peak().saturating_sub(self.base.get()) as u64
    }
}

/// Live progress in a terminal, plain lines in a pipe, nothing but errors with `--json`.
struct Screen {
    bar: Option<ProgressBar>,
    quiet: bool,
    val_loss: Option<f64>,
}

impl Screen {
    fn new(quiet: bool) -> Self {
        Self { bar: None, quiet, val_loss: None }
    }

    fn show(&mut self, event: Event) {
        match event {
            _ if self.quiet => {}
            Event::Counted(counts) => render::line(&format!(
                "counted: {} parameters; closed form and captured graph ({} operations) agree, forward and backward",
                number::exact(&counts.params.to_string()),
                counts.operations
            )),
            Event::Data { train, validation, epochs, vocab } => render::line(&format!(
                "data: {} tokens to learn from, {} held out; {epochs:.1} epochs; {vocab} distinct tokens",
                number::exact(&train.to_string()),
                number::exact(&validation.to_string())
            )),
            Event::Peak(peak) => {
                let peak = number::short(peak, coec_ir::Unit::FlopPerToken);
                render::line(&format!("GEMM peak: {peak}FLOP/s, the measure of utilisation"));
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
                    self.note(&format!("step {}: not finite; left out, weights unchanged", metrics.step));
                }
                if io::stderr().is_terminal() {
                    let bar = self.bar.get_or_insert_with(|| bar(steps as u64));
                    bar.set_position(metrics.step);
                    bar.set_message(text);
                } else if metrics.step == 1
                    || metrics.step.is_multiple_of(every)
                    || metrics.val_loss.is_some()
                {
                    render::line(&format!("step {:>5}/{steps}: {text}", metrics.step));
                }
            }
        }
    }

    fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => render::line(text),
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }
}

fn bar(steps: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:24} step {pos}/{len}, {eta} left, {msg}");
    ProgressBar::new(steps).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

struct Sample {
    prompt: String,
    text: String,
}

/// Greedy continuations of held-out documents.
fn samples(
    spec: &Spec,
    train: &coec_ir::Train,
    dir: &RunDir,
    device: &burn::tensor::Device,
) -> Result<Vec<Sample>, Failure> {
    let corpus = coec_train::data::load(&train.data, &spec.bases.data)?;
    let generator = Generator::open(dir, &spec.model, device)?;
    let options = Options { tokens: 96, sampler: Sampler::new(0.0, 1.0)?, seed: train.seed };
    let mut samples = Vec::new();
    for document in corpus.validation.iter().take(3) {
        let mut text = String::new();
        let prompt = opening(document);
        generator.generate(&prompt, options, &mut |piece| text.push_str(piece))?;
        samples.push(Sample { prompt, text });
    }
    Ok(samples)
}

/// The first line of a document, or as much of it as makes a prompt.
fn opening(document: &str) -> String {
    match document.split_once('\n') {
        Some((first, _)) if first.chars().count() <= 200 => format!("{first}\n"),
        _ => document.chars().take(80).collect(),
    }
}

fn finish(summary: &Summary, samples: &[Sample], dir: &RunDir) {
    for sample in samples {
        render::line(&format!("\n> {}{}", sample.prompt, sample.text.trim_end()));
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
    let path = dir.path().display();
    if summary.interrupted {
        render::line(&format!("stopped and saved; go on with: coec train --resume --out {path}"));
    } else {
        render::line(&format!("saved {path}; try: coec generate {path} --prompt 'Ana has 3 apples.'"));
    }
}
