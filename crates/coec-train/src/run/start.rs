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
};

/// A run with its directory, before the first step of this session.
pub(super) struct Begun {
    pub dir: RunDir,
    pub trainer: Trainer,
    pub state: State,
    pub clock: Clock,
    /// The stage of the newest commit.
    pub committed: Option<Stage>,
}

/// Makes the state, and the directory of a new run around it.
pub(super) fn begin(
    job: &Job<'_>,
    data: &Prepared,
    device: &Device,
    tell: &mut dyn FnMut(Event),
) -> Result<Begun, TrainError> {
    let trainer =
        |model| Trainer { model, optimizer: AdamW::new(job.train.optimizer), device: device.clone() };
    let fresh = || LanguageModel::new(job.model, device, Source::Seed(job.train.seed));
    let origin = match &job.start {
        Start::Weights(..) => Origin::Weights,
        Start::Fresh(_) | Start::Resume(..) => Origin::Seed,
    };
    let state = State::new(data.identity.clone(), origin);
    let begun = match &job.start {
        Start::Fresh(place) => {
            let trainer = trainer(fresh()?);
            let dir = place.begin(disk::system(), &mut |dir| write_first(job, data, dir))?;
            Begun { dir, trainer, state, clock: Clock::default(), committed: None }
        }
        Start::Weights(place, weights) => {
            let trainer = trainer(load_model(job.model, &Weights::open(weights)?, device)?);
            begin_committed(job, data, place, trainer, state)?
        }
        Start::Resume(dir, None) => {
            write_spec(job, dir)?;
            Begun {
                dir: dir.clone(),
                trainer: trainer(fresh()?),
                state,
                clock: Clock::default(),
                committed: None,
            }
        }
        Start::Resume(dir, Some(commit)) => go_on(job, data, dir, commit, device)?,
    };
    tell(Event::Begins { path: begun.dir.path().to_owned(), step: begun.state.step });
    Ok(begun)
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
fn begin_committed(
    job: &Job<'_>,
    data: &Prepared,
    place: &Place,
    trainer: Trainer,
    state: State,
) -> Result<Begun, TrainError> {
    let clock = Clock::default();
    let contents =
        Contents { model: &trainer.model, optimizer: &trainer.optimizer, state: &state, clock: &clock };
    let dir = place.begin(disk::system(), &mut |dir| {
        dir.commit(contents)?;
        dir.show_commit(state.stage())?;
        dir.keep_start(state.stage())?;
        write_first(job, data, dir)
    })?;
    let committed = Some(state.stage());
    Ok(Begun { dir, trainer, state, clock, committed })
}

/// The run of a commit.
fn go_on(
    job: &Job<'_>,
    data: &Prepared,
    dir: &RunDir,
    commit: &Commit,
    device: &Device,
) -> Result<Begun, TrainError> {
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
    write_spec(job, dir)?;
    // What was killed behind a commit may show an older one, and keep more than it would.
    dir.show_commit(commit.state.stage())?;
    dir.commits().prune(job.train.keep)?;
    let trainer = Trainer { model, optimizer, device: device.clone() };
    Ok(Begun { dir: dir.clone(), trainer, state, clock, committed })
}

/// The spec may say another length, or where the data is now.
fn write_spec(job: &Job<'_>, dir: &RunDir) -> Result<(), TrainError> {
    if dir.read(RunFile::Spec)? != job.spec {
        dir.write(RunFile::Spec, job.spec.as_bytes())?;
    }
    Ok(())
}
