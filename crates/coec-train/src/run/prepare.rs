//! What a run needs before its first step: counts that agree, room on the disk, data as tokens.

use coec_ir::{Figure, LENGTHS, Model, Train};
use coec_nn::capture::{self, Counts};

use super::{
    Event, Job, Start,
    corpus::{Corpus, Numbered},
};
use crate::{
    data::{TrainBatches, ValidationBatches},
    disk::{self, Disk},
    error::TrainError,
    report::figure,
    run_dir::{Identity, RunDir, RunError, commit, train_of},
    tokenizer::Tokenizer,
    world,
};

/// Commits that must fit on the disk: the newest, the best, and the one that is being written. More
/// stay where there is room.
const COMMITS: u64 = 3;

/// The data of a run, ready to be learned from.
pub(super) struct Prepared {
    pub counts: Counts,
    pub tokenizer: Tokenizer,
    /// As it is kept in the run directory.
    pub tokenizer_json: String,
    pub batches: TrainBatches,
    pub validation: ValidationBatches,
    pub identity: Identity,
    pub openings: Vec<String>,
}

/// Everything, on every rank: the first makes what is kept in the cache, and the others find it there where they
/// have the same disk.
pub(super) fn prepare(job: &Job<'_>, tell: &mut dyn FnMut(Event)) -> Result<Prepared, TrainError> {
    let world = job.world;
    world::check_parts(world.size(), job.train.accumulate)?;
    let is_first = world.rank() == 0;
    let of_first = if is_first { prepare_here(job, None, tell).map(Some) } else { Ok(None) };
    let of_first = world::together(world, of_first)?;
    let json =
        of_first.as_ref().map_or_else(Vec::new, |prepared| prepared.tokenizer_json.clone().into_bytes());
    let json = world::of_first(world, json)?;
    let prepared = match of_first {
        Some(prepared) => Ok(prepared),
        None => prepare_here(job, Some(&json), tell),
    };
    let prepared = world::together(world, prepared)?;
    for (what, bytes) in prepared.identity.parts() {
        world::check_same(world, what, bytes)?;
    }
    Ok(prepared)
}

/// The same on one rank. `learnt` is the tokenizer of the first, which is not learnt again.
fn prepare_here(
    job: &Job<'_>,
    learnt: Option<&[u8]>,
    tell: &mut dyn FnMut(Event),
) -> Result<Prepared, TrainError> {
    // The counts first: they need no data, and a wrong module must not train.
    let counts = capture::check_built(job.model, job.setting())?;
    tell(Event::Counted(counts));
    if job.world.rank() == 0 {
        check_room(job)?;
    }

    let train = job.train;
    let numbered = match (&job.start, learnt) {
        (Start::Resume(dir, _), _) => Numbered::AsIn(dir),
        (Start::Fresh(_) | Start::Weights(..), Some(learnt)) => Numbered::Learnt(learnt),
        (Start::Fresh(_) | Start::Weights(..), None) => Numbered::BySpec,
    };
    let corpus = Corpus::read(job.model, train, job.bases, numbered, tell)?;
    let Corpus { tokenizer, tokenizer_json, learned, held_out, texts } = corpus;
    let batches = TrainBatches::new(learned, &train.weights, train.seed, train.batch, train.context)?;
    let validation = ValidationBatches::new(held_out, train.batch, train.context, train.eval.batches)?;
    tell(Event::Data {
        train: batches.tokens(),
        validation: validation.tokens(),
        epochs: batches.epochs(job.steps()),
        vocab: tokenizer.vocab_size(),
    });
    let identity = Identity {
        version: job.version.into(),
        model: (**job.model).clone(),
        train: train_of(train),
        data: texts.fingerprint(),
        tokenizer: tokenizer.fingerprint(&tokenizer_json),
        bytes_per_token: validation.bytes_per_token(),
        backend: job.backend.into(),
        threads: job.threads,
    };
    if let Start::Resume(dir, Some(commit)) = &job.start {
        for note in goes_on(job, dir, &commit.state.identity, &identity, commit.state.step)? {
            tell(Event::Note(note));
        }
    }
    let openings = texts.openings();
    Ok(Prepared { counts, tokenizer, tokenizer_json, batches, validation, identity, openings })
}

/// A disk that fills up in the night costs more than asking before.
fn check_room(job: &Job<'_>) -> Result<(), TrainError> {
    let commit = commit::bytes_of(job.model);
    let needed = match &job.start {
        Start::Fresh(_) => commit.saturating_mul(COMMITS),
        // Given weights are kept: without the two moments, a third of a commit.
        Start::Weights(..) => commit.saturating_mul(COMMITS).saturating_add(commit / 3),
        // What is committed already gives way to what comes.
        Start::Resume(_, held) => commit.saturating_mul(COMMITS - u64::from(held.is_some())),
    };
    let folder = match &job.start {
        Start::Fresh(place) | Start::Weights(place, _) => place.ground(),
        Start::Resume(dir, _) => dir.path(),
    };
    // A disk that does not say how much is free is found out about later.
    match disk::System.free(folder) {
        Ok(Some(free)) if free < needed => {
            Err(RunError::NoRoom { path: folder.to_owned(), free, needed }.into())
        }
        _ => Ok(()),
    }
}

/// Holds what a run is of against what it was; what may differ, and does, in words.
fn goes_on(
    job: &Job<'_>,
    dir: &RunDir,
    old: &Identity,
    new: &Identity,
    step: usize,
) -> Result<Vec<String>, RunError> {
    let mut changes = spec_changes(old, &new.model, &new.train);
    let spec = !changes.is_empty();
    let sums = [("the data", &old.data, &new.data), ("the tokenizer", &old.tokenizer, &new.tokenizer)];
    for (what, old, new) in sums {
        if old.bytes != new.bytes {
            changes.push(format!("{what} had {} bytes, and has {}", old.bytes, new.bytes));
        } else if old != new {
            changes.push(format!("{what} has as many bytes as before, {}, and others", old.bytes));
        }
    }
    if !changes.is_empty() {
        return Err(RunError::Changed { path: dir.path().to_owned(), changes, spec });
    }
    let mut notes = Vec::new();
    let (was, is) = (old.train.length(job.model), new.train.length(job.model));
    if was != is {
        let lr = |train: &coec_ir::Train, steps: usize| {
            train.optimizer.lr * train.schedule.factor(step.min(steps.saturating_sub(1)), steps)
        };
        notes.push(format!(
            "train.steps was {was} and is {is}: the schedule is that of {is} steps from step {} on, where the \
             learning rate goes from {:.3e} to {:.3e}",
            step + 1,
            lr(&old.train, was),
            lr(&new.train, is)
        ));
    }
    let [was, is] = [old, new].map(|identity| identity.train.recompute);
    if was != is {
        notes.push(format!(
            "train.recompute was {} and is {}: what is measured of FLOPs, memory and speed is measured anew",
            was.word(),
            is.word()
        ));
    }
    let places = [
        ("backend", old.backend.clone(), new.backend.clone()),
        ("threads", old.threads.to_string(), new.threads.to_string()),
        ("version of coec", old.version.clone(), new.version.clone()),
    ];
    for (what, old, new) in places.iter().filter(|(_, old, new)| old != new) {
        notes.push(format!(
            "{what}: {old} so far, {new} from here on; the run may differ in its last bits from one without \
             the change"
        ));
    }
    Ok(notes)
}

/// Whether `model` and `train` are those of a run, its length and what is [`FREE`] apart.
///
/// # Errors
///
/// What changed.
pub fn check_spec(dir: &RunDir, old: &Identity, model: &Model, train: &Train) -> Result<(), RunError> {
    let changes = spec_changes(old, model, train);
    match changes.is_empty() {
        true => Ok(()),
        false => Err(RunError::Changed { path: dir.path().to_owned(), changes, spec: true }),
    }
}

/// What differs in the spec and may not.
fn spec_changes(old: &Identity, model: &Model, train: &Train) -> Vec<String> {
    // How long a run is, and where its tokenizer lies, whose content is compared instead.
    let may_change = |field: &str| is_length(field) || is_free(field) || field == "train.tokenizer.path";
    let changes = coec_ir::diff::model(&old.model, model)
        .into_iter()
        .chain(coec_ir::diff::train(Some(&old.train), Some(&at_places_of(&old.train, train))))
        .filter(|change| !may_change(&change.field));
    let text = |value: Option<String>| value.unwrap_or_else(|| "nothing".into());
    changes
        .map(|change| {
            let name = change.name();
            format!("{name} was {} and is {}", text(change.old), text(change.new))
        })
        .collect()
}

/// The fields that change no number of a run: what is kept of it, and what is computed twice.
pub const FREE: [&str; 3] = ["train.save", "train.keep", "train.recompute"];

/// Whether a field, by its whole name, is one of [`FREE`], or of a block there.
pub fn is_free(field: &str) -> bool {
    let is_of =
        |free: &str| field.strip_prefix(free).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    FREE.into_iter().any(is_of)
}

/// Whether a field, by its whole name, says how long a training is.
pub fn is_length(field: &str) -> bool {
    field.strip_prefix("train.").is_some_and(|field| LENGTHS.contains(&field))
}

/// `train` with its data where `old` has it: of data, the content is compared.
fn at_places_of(old: &Train, train: &Train) -> Train {
    let mut train = train.clone();
    for (data, old) in train.data.0.iter_mut().zip(&old.data.0) {
        if let (Some(files), Some(old)) = (data.files_mut(), old.files()) {
            files.clone_from(old);
        }
    }
    train
}

/// FLOPs a token that training counts as useful.
pub(super) fn flops_train(job: &Job<'_>) -> f64 {
    figure(job.model, job.setting(), Figure::FlopsTrain)
}
