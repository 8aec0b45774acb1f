//! The state that a session begins with: new, or a commit's.

use burn::tensor::Device;
use coec_nn::{LanguageModel, Source};

use super::{Event, Job, Start, prepare::Prepared};
use crate::{
    disk,
    error::TrainError,
    load::load_model,
    optimizer::AdamW,
    run_dir::{
        Clock, Commit, Contents, Origin, Place, RunDir, RunError, RunFile, Stage, State,
        commit::{MODEL, OPTIMIZER},
    },
    step::Trainer,
    weights::Weights,
    world,
};

/// A run with its directory, before the first step of this session.
pub(super) struct Begun {
    /// Of the first rank.
    pub dir: Option<RunDir>,
    pub trainer: Trainer,
    pub state: State,
    pub clock: Clock,
    /// The stage of the newest commit.
    pub committed: Option<Stage>,
}

/// Makes the state on every rank, and on the first the directory of a new run around it.
pub(super) fn begin(
    job: &Job<'_>,
    data: &Prepared,
    device: &Device,
    tell: &mut dyn FnMut(Event),
) -> Result<Begun, TrainError> {
    let begun = world::together(job.world, state_of(job, data, device))?;
    let begun = match job.world.rank() {
        0 => written(job, data, begun),
        _ => Ok(begun),
    };
    let begun = world::together(job.world, begun)?;
    if let Some(dir) = &begun.dir {
        tell(Event::Begins { path: dir.path().to_owned(), step: begun.state.step });
    }
    Ok(begun)
}

/// The state in memory.
fn state_of(job: &Job<'_>, data: &Prepared, device: &Device) -> Result<Begun, TrainError> {
    let new = |model, origin| Begun {
        dir: None,
        trainer: Trainer { model, optimizer: AdamW::new(job.train.optimizer), device: device.clone() },
        state: State::new(data.identity.clone(), origin),
        clock: Clock::default(),
        committed: None,
    };
    match &job.start {
        Start::Fresh(_) | Start::Resume(_, None) => {
            let model = LanguageModel::new(job.model, device, Source::Seed(job.train.seed))?;
            Ok(new(model, Origin::Seed))
        }
        Start::Weights(_, weights) => {
            Ok(new(load_model(job.model, &Weights::open(weights)?, device)?, Origin::Weights))
        }
        Start::Resume(_, Some(commit)) => of_commit(job, data, commit, device),
    }
}

/// With its directory.
fn written(job: &Job<'_>, data: &Prepared, begun: Begun) -> Result<Begun, TrainError> {
    let dir = match &job.start {
        Start::Fresh(place) => place.begin(disk::system(), &mut |dir| write_first(job, data, dir))?,
        Start::Weights(place, _) => return begin_committed(job, data, place, begun),
        Start::Resume(dir, commit) => {
            write_spec(job, dir)?;
            if let Some(commit) = commit {
                // What was killed behind a commit may show an older one, and keep more than it would.
                dir.show_commit(commit.state.stage())?;
                dir.commits().prune(job.train.keep)?;
            }
            dir.clone()
        }
    };
    Ok(Begun { dir: Some(dir), ..begun })
}

/// What every run's directory has from its first moment.
fn write_first(job: &Job<'_>, data: &Prepared, dir: &RunDir) -> Result<(), RunError> {
    dir.write(RunFile::Tokenizer, data.tokenizer_json.as_bytes())?;
    if let Some(input) = job.input {
        dir.copy(RunFile::Input, input)?;
    }
    for (file, text) in data.tokenizer.companions() {
        dir.write(RunFile::Companion(file), text.as_bytes())?;
    }
    dir.write(RunFile::Spec, job.spec.as_bytes())
}

/// A run from given weights: committed before its first step, since nothing else says what it
/// started from.
fn begin_committed(job: &Job<'_>, data: &Prepared, place: &Place, begun: Begun) -> Result<Begun, TrainError> {
    let Begun { trainer: Trainer { model, optimizer, .. }, state, clock, .. } = &begun;
    let contents = Contents { model, optimizer, state, clock };
    let dir = place.begin(disk::system(), &mut |dir| {
        dir.commit(contents)?;
        dir.show_commit(state.stage())?;
        dir.keep_start(state.stage())?;
        write_first(job, data, dir)
    })?;
    Ok(Begun { dir: Some(dir), committed: Some(begun.state.stage()), ..begun })
}

/// The state of a commit.
fn of_commit(job: &Job<'_>, data: &Prepared, commit: &Commit, device: &Device) -> Result<Begun, TrainError> {
    let model = load_model(job.model, &Weights::open(&commit.path.join(MODEL))?, device)?;
    let moments = Weights::open(&commit.path.join(OPTIMIZER))?;
    let optimizer = AdamW::restore(job.train.optimizer, &model, commit.state.updates, &moments)?;
    let (mut state, mut clock) = (commit.state.clone(), commit.clock.clone());
    let committed = Some(state.stage());
    if state.identity.train.recompute != job.train.recompute {
        // Another step from here on: of what was measured before, nothing can be held against it.
        (state.expert_flops, state.uncounted) = (0, state.tokens);
        (clock.seconds, clock.tokens, clock.memory) = (0.0, 0, 0);
    }
    state.identity = data.identity.clone().into();
    let trainer = Trainer { model, optimizer, device: device.clone() };
    Ok(Begun { dir: None, trainer, state, clock, committed })
}

/// The spec may say another length, or where the data is now.
fn write_spec(job: &Job<'_>, dir: &RunDir) -> Result<(), TrainError> {
    if dir.read(RunFile::Spec)? != job.spec {
        dir.write(RunFile::Spec, job.spec.as_bytes())?;
    }
    Ok(())
}
