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
    world::{self, World, together},
};
use serde_json::json;

use screen::Screen;

use crate::{
    cli::TrainArgs,
    disk::Disk,
    failure::{Done, Failure},
    judge::{self, judged, judged_so_far},
    ranks,
    render::{
        self,
        json::{json_of, print_json},
        verdicts,
    },
    run_spec,
    signals::Stop,
};

pub fn run(args: &TrainArgs) -> Result<Done, Failure> {
    let world = ranks::world()?;
    let done = on_rank(args, &*world);
    match (world.rank(), done) {
        (0, done) => done,
        // The first rank has the words for all of them.
        (_, Ok(done)) => Ok(Done::Elsewhere(done.exit_code())),
        (_, Err(failure)) => Ok(Done::Elsewhere(failure.exit_code())),
    }
}

/// What each rank does, and all of them in the same order.
fn on_rank(args: &TrainArgs, world: &dyn World) -> Result<Done, Failure> {
    memory::keep_freed();
    let is_quiet = args.json.json || world.rank() > 0;
    let control = Arc::new(Control::default());
    let stop =
        Stop::listen(control.clone(), args.max_time.map(|time| time.0), args.json.json).map_err(|error| {
            Failure::environment(
                "coec::train::signals",
                format!("cannot listen for signals: {error}"),
                "try again",
            )
        });
    let stop = together(world, stop)?;
    let mut screen = Screen::new(is_quiet, args.plain, control.clone());
    let asked = match args.resume {
        true => resume(args, world, &mut screen)?,
        false => Some(together(world, begin(args, world))?),
    };
    match asked {
        Some(asked) => train(args, world, asked, &control, &stop, &mut screen),
        None => Ok(Done::Well),
    }
}

/// A new run.
fn begin<'a>(args: &'a TrainArgs, world: &dyn World) -> Result<Asked<'a>, Failure> {
    let (spec, input) = spec::asked_for(args, world.size())?;
    let place = match &args.out {
        Some(out) => Place::At(out.clone()),
        None => Place::Next { parent: PathBuf::from("runs"), name: spec.model.name.clone() },
    };
    let start = |place| match &args.weights {
        Some(weights) => Start::Weights(place, weights),
        None => Start::Fresh(place),
    };
    Ok(Asked { spec, start: start(place.clone()), place: Some(place), input })
}

/// A run that goes on; one whose steps are all done shows its card, and nothing is asked for.
fn resume<'a>(
    args: &TrainArgs,
    world: &dyn World,
    screen: &mut Screen,
) -> Result<Option<Asked<'a>>, Failure> {
    let path = directory(args);
    // The first rank holds the run, and sets aside what is damaged; then the others look.
    let is_first = world.rank() == 0;
    let of_first = match path {
        Ok(path) if is_first => RunDir::resume(&path).map_err(Failure::from).and_then(|dir| {
            let resumed = Resumed::read(args, dir, screen)?;
            let finished = resumed.finished();
            Ok((path, Some((resumed, finished))))
        }),
        path => path.map(|path| (path, None)),
    };
    let (path, of_first) = together(world, of_first)?;
    let is_finished = of_first.as_ref().is_some_and(|(_, finished)| finished.is_some());
    let is_finished = world::of_first(world, vec![u8::from(is_finished)])? == [1];
    let resumed = match of_first {
        Some((resumed, Some(summary))) => {
            resumed.show(args, &summary, screen);
            return Ok(None);
        }
        _ if is_finished => return Ok(None),
        Some((resumed, None)) => Ok(resumed),
        None => {
            RunDir::read_only(&path).map_err(Failure::from).and_then(|dir| Resumed::read(args, dir, screen))
        }
    };
    let Resumed { dir, spec, commit } = together(world, resumed)?;
    Ok(Some(Asked { spec, start: Start::Resume(dir, commit.map(Box::new)), place: None, input: None }))
}

/// A run as it is found.
struct Resumed {
    dir: RunDir,
    spec: Spec,
    /// The newest there is.
    commit: Option<Commit>,
}

impl Resumed {
    fn read(args: &TrainArgs, dir: RunDir, screen: &mut Screen) -> Result<Self, Failure> {
        let spec = spec::of_run(&dir, args)?;
        let Found { newest: commit, damaged } = dir.newest()?;
        for damage in &damaged {
            screen.show(Event::damage(damage));
        }
        if let Some(commit) = &commit {
            let train = spec.train_or_default()?;
            run::check_spec(&dir, &commit.state.identity, &spec.model, &train)?;
            let (done, steps) = (commit.state.step, train.length(&spec.model));
            if done > steps {
                return Err(Failure::input(
                    "coec::train::resume",
                    format!("{done} steps are done, and train.steps is {steps}"),
                    format!("a run cannot become shorter than it is: --set train.steps={} or more", done + 1),
                ));
            }
        }
        Ok(Self { dir, spec, commit })
    }

    /// The summary of a run whose steps are all done.
    fn finished(&self) -> Option<Summary> {
        let commit = self.commit.as_ref()?;
        let steps = self.spec.train_or_default().ok()?.length(&self.spec.model);
        let is_done = commit.state.step == steps && commit.state.unevaluated.is_none();
        is_done.then(|| run::finished(&self.dir, commit).ok()).flatten()
    }

    /// Shows that nothing is left to do.
    fn show(&self, args: &TrainArgs, summary: &Summary, screen: &mut Screen) {
        let Self { dir, commit: Some(commit), .. } = self else { return };
        if let Err(error) = dir.write_waiting(&commit.state) {
            screen.show(Event::Warning(error.into()));
        }
        show_finished(args, summary, dir, commit, screen);
    }
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

/// What is to be trained.
struct Asked<'a> {
    spec: Spec,
    start: Start<'a>,
    /// Where a new run goes.
    place: Option<Place>,
    /// Data that came from standard input, to be kept with the run.
    input: Option<PathBuf>,
}

fn train(
    args: &TrainArgs,
    world: &dyn World,
    asked: Asked<'_>,
    control: &Control,
    stop: &Stop,
    screen: &mut Screen,
) -> Result<Done, Failure> {
    let Asked { spec, start, place, input } = asked;
    let spec = &spec;
    let train = run_spec::located(spec, spec.train_or_default()?);
    let report = together(world, check(spec, &Disk).map_err(Failure::from))?;
    let is_first = world.rank() == 0;
    if !args.json.json && is_first {
        verdicts::show(spec, &report);
    }
    if report.is_violated() {
        if args.json.json && is_first {
            let document = verdicts::document(spec, &report);
            print_json(&json!({ "schema": coec_ir::SCHEMA, "specs": [document] }));
        }
        return Ok(Done::BudgetFails);
    }
    let place = place.filter(|_| is_first).map_or(Ok(()), |place| place.check().map_err(Failure::from));
    together(world, place)?;
    let device = together(world, args.at.open())?;
    let backend = args.at.backend.name();
    let memory = Allocator { counter: &crate::MEMORY, base: Default::default() };
    let job = Job {
        model: &spec.model,
        train: &train,
        bases: Bases { data: &spec.bases.data, tokenizer: &spec.bases.tokenizer },
        device,
        backend,
        threads: rayon::current_num_threads(),
        world,
        reference: args.at.backend.reference(),
        gemm_most: args.at.backend.gemm_most(),
        judge: &|measured: Option<&Measured>| judged(spec, &report, backend, measured),
        spec: &run_spec::explicit(spec, &report, &train_of(&spec::kept(&train, input.as_deref()))),
        input: input.as_deref(),
        tensorboard: args.tensorboard,
        version: env!("CARGO_PKG_VERSION"),
        start,
        memory: &memory,
    };
    screen.expect(job.steps());
    let mut tell = |event| {
        screen.show(event);
        screen.judge(|value| judged_so_far(spec, &report, backend, value));
    };
    let outcome = run::run(&job, &mut tell, control);
    screen.finish(outcome.as_ref().ok().and_then(Option::as_ref).map(|outcome| &outcome.summary));
    let outcome = outcome?;
    // Who was asked to end may be another rank, whose signal came first.
    let elsewhere = signal_of_any(world, stop.signal())?;
    let signal = || stop.signal().or(elsewhere);
    let Some(outcome) = outcome else { return Ok(signal().map_or(Done::Well, Done::Interrupted)) };
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
    match (unsaved, signal()) {
        (Some(error), _) => Err(error.into()),
        (None, Some(signal)) => Ok(Done::Interrupted(signal)),
        (None, None) if summary.card.fails() => Ok(Done::BudgetFails),
        (None, None) => Ok(Done::Well),
    }
}

/// The signal of the first rank that had one.
fn signal_of_any(world: &dyn World, here: Option<i32>) -> Result<Option<i32>, Failure> {
    let said = world.messages(here.unwrap_or_default().to_le_bytes().into())?;
    let signals = said.iter().filter_map(|bytes| Some(i32::from_le_bytes(*bytes.first_chunk()?)));
    Ok(signals.into_iter().find(|&signal| signal != 0))
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
