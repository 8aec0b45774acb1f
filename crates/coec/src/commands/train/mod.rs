//! `coec train`: a run, watched.

mod live;
mod screen;
mod spec;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coec_ir::Precision;
use coec_lang::{Report, Spec, check};
use coec_train::{
    generate::{Generated, Generator, Options},
    memory::{self, CountingAllocator},
    report::Measured,
    run::{self, Bases, Control, Event, Job, MemoryMeter, Outcome, Start, Summary},
    run_dir::{Commit, Found, Place, RunDir, RunError, RunFile, train_of},
    sample::Sampler,
    samples::{Sample, Samples},
};
use serde_json::json;

use screen::Screen;

use crate::{
    cli::TrainArgs,
    disk::Disk,
    failure::{Done, Failure},
    judge::{self, judged, judged_so_far},
    render::{
        self,
        json::{json_of, print_json},
        verdicts,
    },
    run_spec,
    signals::Stop,
};

pub fn run(args: &TrainArgs) -> Result<Done, Failure> {
    memory::keep_freed();
    let control = Arc::new(Control::default());
    let stop =
        Stop::listen(control.clone(), args.max_time.map(|time| time.0), args.json.json).map_err(|error| {
            Failure::environment(
                "coec::train::signals",
                format!("cannot listen for signals: {error}"),
                "try again",
            )
        })?;
    let mut screen = Screen::new(args.json.json, args.plain, control.clone());
    match args.resume {
        true => resume(args, &control, &stop, &mut screen),
        false => begin(args, &control, &stop, &mut screen),
    }
}

/// A new run.
fn begin(args: &TrainArgs, control: &Control, stop: &Stop, screen: &mut Screen) -> Result<Done, Failure> {
    let (spec, input) = spec::asked_for(args)?;
    let place = match &args.out {
        Some(out) => Place::At(out.clone()),
        None => Place::Next { parent: PathBuf::from("runs"), name: spec.model.name.clone() },
    };
    let start = |place| match &args.weights {
        Some(weights) => Start::Weights(place, weights),
        None => Start::Fresh(place),
    };
    let begin = Begin { start: start(place.clone()), place: Some(place), input };
    train(args, &spec, begin, control, stop, screen)
}

/// A run that goes on; one whose steps are all done shows its card.
fn resume(args: &TrainArgs, control: &Control, stop: &Stop, screen: &mut Screen) -> Result<Done, Failure> {
    let dir = RunDir::resume(&directory(args)?)?;
    let spec = spec::of_run(&dir, args)?;
    let train_block = spec.train_or_default()?;
    let steps = train_block.length(&spec.model);
    let Found { newest, damaged } = dir.newest()?;
    for damage in &damaged {
        screen.show(Event::damage(damage));
    }
    if let Some(commit) = &newest {
        run::check_spec(&dir, &commit.state.identity, &spec.model, &train_block)?;
        let done = commit.state.step;
        if done > steps {
            return Err(Failure::input(
                "coec::train::resume",
                format!("{done} steps are done, and train.steps is {steps}"),
                format!("a run cannot become shorter than it is: --set train.steps={} or more", done + 1),
            ));
        }
        if done == steps
            && commit.state.unevaluated.is_none()
            && let Ok(summary) = run::finished(&dir, commit)
        {
            if let Err(error) = dir.write_waiting(&commit.state) {
                screen.show(Event::Warning(error.into()));
            }
            show_finished(args, &summary, &dir, commit, screen);
            return Ok(Done::Well);
        }
    }
    let start = Start::Resume(dir, newest.map(Box::new));
    train(args, &spec, Begin { start, place: None, input: None }, control, stop, screen)
}

/// The directory that `--resume` means.
fn directory(args: &TrainArgs) -> Result<PathBuf, Failure> {
    let wrong = |message: &str| {
        Err(Failure::input(
            "coec::train::resume",
            message,
            "coec train --resume RUN, for example runs/tiny-1",
        ))
    };
    match (&args.spec, &args.out) {
        (Some(run), None) => Ok(PathBuf::from(run)),
        (None, Some(run)) => Ok(run.clone()),
        (Some(_), Some(_)) => wrong("a run goes on in its own directory: RUN and --out name two"),
        (None, None) => wrong("--resume needs the directory of a run"),
    }
}

/// What a session begins with.
struct Begin<'a> {
    start: Start<'a>,
    /// Where a new run goes.
    place: Option<Place>,
    /// Data that came from standard input, to be kept with the run.
    input: Option<PathBuf>,
}

fn train(
    args: &TrainArgs,
    spec: &Spec,
    begin: Begin<'_>,
    control: &Control,
    stop: &Stop,
    screen: &mut Screen,
) -> Result<Done, Failure> {
    let train = run_spec::located(spec, spec.train_or_default()?);
    let report = check(spec, &Disk)?;
    if !args.json.json {
        verdicts::show(spec, &report);
    }
    if report.is_violated() {
        if args.json.json {
            let document = verdicts::document(spec, &report);
            print_json(&json!({ "schema": coec_ir::SCHEMA, "specs": [document] }));
        }
        return Ok(Done::BudgetFails);
    }
    if let Some(place) = &begin.place {
        place.check()?;
    }
    let backend = args.at.backend.name();
    let memory = Allocator { counter: &crate::MEMORY, base: Default::default() };
    let job = Job {
        model: &spec.model,
        train: &train,
        bases: Bases { data: &spec.bases.data, tokenizer: &spec.bases.tokenizer },
        device: args.at.open()?,
        backend,
        threads: rayon::current_num_threads(),
        reference: args.at.backend.reference(),
        gemm_most: args.at.backend.gemm_most(),
        judge: &|measured: Option<&Measured>| judged(spec, &report, backend, measured),
        spec: &run_spec::explicit(spec, &report, &train_of(&spec::kept(&train, begin.input.as_deref()))),
        input: begin.input.as_deref(),
        tensorboard: args.tensorboard,
        version: env!("CARGO_PKG_VERSION"),
        start: begin.start,
        memory: &memory,
    };
    screen.expect(job.steps());
    let mut tell = |event| {
        screen.show(event);
        screen.judge(|value| judged_so_far(spec, &report, backend, value));
    };
    let outcome = run::run(&job, &mut tell, control);
    screen.finish(outcome.as_ref().ok().map(|outcome| &outcome.summary));
    let outcome = outcome?;
    let samples = match outcome.summary.interrupted {
        true => Vec::new(),
        false => samples(&outcome, train.seed, control, screen),
    };
    if !samples.is_empty()
        && let Err(error) = keep(&outcome, &samples)
    {
        screen.show(Event::Warning(error.into()));
    }
    show_outcome(args, spec, &report, &outcome, &samples, screen);
    let Outcome { summary, unsaved, .. } = outcome;
    match (unsaved, stop.signal()) {
        (Some(error), _) => Err(error.into()),
        (None, Some(signal)) => Ok(Done::Interrupted(signal)),
        (None, None) if summary.card.fails() => Ok(Done::BudgetFails),
        (None, None) => Ok(Done::Well),
    }
}

fn show_outcome(
    args: &TrainArgs,
    spec: &Spec,
    report: &Report,
    outcome: &Outcome,
    samples: &[Sample],
    screen: &Screen,
) {
    let summary = &outcome.summary;
    // What the build could not judge; the rest was said before the run.
    let verdicts = judge::verdicts(spec, report, args.at.backend.name(), summary.card.measured.as_ref());
    let late: Vec<_> = verdicts
        .into_iter()
        .filter(|verdict| verdict.rule.figure.is_measured())
        .filter_map(|verdict| verdict.diagnostic)
        .collect();
    let saved = outcome.unsaved.is_none();
    if !args.json.json {
        screen::finish(summary, samples, outcome.dir.path(), saved);
        late.iter().for_each(render::diagnostic);
        return;
    }
    // A run that is not saved ends with that error, which is then the document.
    if saved {
        print_json(&document(outcome.dir.path(), summary, json_of(&late), samples, screen));
    }
}

fn show_finished(args: &TrainArgs, summary: &Summary, dir: &RunDir, commit: &Commit, screen: &Screen) {
    if args.json.json {
        print_json(&document(dir.path(), summary, Vec::new(), &[], screen));
        return;
    }
    screen::finish(summary, &[], dir.path(), true);
    render::line(&format!(
        "all {} steps are done; to make it longer: coec train --resume {} --set train.steps=N",
        commit.state.step,
        dir.path().display()
    ));
}

fn document(
    path: &Path,
    summary: &Summary,
    diagnostics: Vec<coec_lang::DiagnosticJson>,
    samples: &[Sample],
    screen: &Screen,
) -> serde_json::Value {
    json!({
        "schema": coec_ir::SCHEMA,
        "run": path,
        "diagnostics": diagnostics,
        "notes": screen.notes,
        "lost": screen.lost,
        "summary": summary,
        "samples": samples,
    })
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

/// Greedy continuations of held-out documents. The run is over and saved: one that fails is a remark.
fn samples(outcome: &Outcome, seed: u64, control: &Control, screen: &mut Screen) -> Vec<Sample> {
    let mut samples = Vec::new();
    for prompt in &outcome.openings {
        if control.is_stopping() {
            break;
        }
        match sample(&outcome.generator, prompt, seed) {
            Ok(sample) => samples.push(sample),
            Err(error) => screen.remark(format!("warning: no sample: {}", error.one_line())),
        }
    }
    samples
}

/// Leaves the samples in the run's directory, for its report.
fn keep(outcome: &Outcome, samples: &[Sample]) -> Result<(), RunError> {
    let step = outcome.summary.steps;
    let document = Samples { schema: coec_ir::SCHEMA.into(), step, samples: samples.to_vec() };
    let text = serde_json::to_string_pretty(&document).unwrap_or_default();
    outcome.dir.write(RunFile::Samples, text.as_bytes())
}

fn sample(generator: &Generator, prompt: &str, seed: u64) -> Result<Sample, Failure> {
    let sampler = Sampler::new(0.0, 1.0)?;
    let options = Options { tokens: 96, sampler, seed, stops: Vec::new(), precision: Precision::F32 };
    let mut decoded = String::new();
    let Generated { text, .. } = generator.generate(prompt, &options, &mut |piece| {
        decoded.push_str(piece);
        ControlFlow::Continue(())
    })?;
    Ok(Sample { prompt: prompt.to_owned(), text, decoded })
}
