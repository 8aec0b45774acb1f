//! Commits under faults: what is found afterwards is exactly an old state or exactly a new one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use coec_ir::{Model, Train, Verified};
use coec_nn::{LanguageModel, Source};

use super::*;
use crate::run_dir::{Clock, Identity, Metrics, Origin, Place, RunDir, RunFile, State, state::Evaluation};
use crate::{
    data::Batch,
    disk,
    fingerprint::Fingerprint,
    load::load_model,
    optimizer::AdamW,
    run_dir::faulty::{Fault, FaultyDisk},
    step::Trainer,
    weights::{self, Values, Weights},
};

const IR: &str = include_str!("tiny.json");

fn tiny() -> (Verified<Model>, Train) {
    let ir: serde_json::Value = serde_json::from_str(IR).unwrap();
    let model = serde_json::from_value(ir["model"].clone()).unwrap();
    let train = serde_json::from_value(ir["train"].clone()).unwrap();
    (coec_ir::verify(model).unwrap(), train)
}

/// A run whose state after `step` steps is told from every other by all its parts.
struct Run {
    model: Verified<Model>,
    train: Train,
    device: Device,
    /// Weights and moments by step.
    states: Vec<(LanguageModel, AdamW)>,
}

/// One state of it.
struct At {
    model: LanguageModel,
    optimizer: AdamW,
    state: State,
    clock: Clock,
}

impl Run {
    fn new() -> Self {
        let (model, train) = tiny();
        let mut run = Self { model, train, device: Device::flex(), states: Vec::new() };
        run.states = (0..=6).map(|step| run.make(step)).collect();
        run
    }

    fn first(&self) -> State {
        let sum = Fingerprint::of(b"");
        let identity = Identity {
            version: "1".into(),
            model: (*self.model).clone(),
            train: self.train.clone(),
            data: sum.clone(),
            tokenizer: sum,
            bytes_per_token: 1.0,
            backend: "cpu".into(),
            threads: 1,
        };
        State::new(identity, Origin::Seed)
    }

    /// Weights and moments that no other step has: those after a step that moves nothing, from the
    /// weights of another seed.
    fn make(&self, step: usize) -> (LanguageModel, AdamW) {
        let device = self.device.clone().autodiff();
        let model = LanguageModel::new(&self.model, &device, Source::Seed(step as u64)).unwrap();
        let optimizer = AdamW::new(self.train.optimizer);
        let batch = Batch {
            inputs: vec![1, 2, 3, 4],
            targets: vec![2, 3, 4, 5],
            weights: None,
            sequences: 1,
            context: 4,
        };
        let trainer = Trainer { model, optimizer, device }.step(&self.train, &batch, 0.0).unwrap().0;
        (trainer.model, trainer.optimizer)
    }

    /// `state` with the weights and moments of `step`.
    fn at(&self, mut state: State, step: usize) -> At {
        let (model, optimizer) = self.states[step].clone();
        state.step = step;
        state.updates = optimizer.updates();
        let clock = Clock { seconds: step as f64, ..Clock::default() };
        At { model, optimizer, state, clock }
    }

    /// A commit holds the weights and moments of its step.
    fn holds(&self, commit: &Commit) {
        let step = commit.state.step;
        assert_eq!(commit.clock.seconds, step as f64);
        let weights = Weights::open(&commit.path.join(MODEL)).unwrap();
        let loaded = load_model(&self.model, &weights, &self.device).unwrap();
        let expected = self.at(self.first(), step);
        for ((param, found), (_, expected)) in loaded.tensors().iter().zip(expected.model.tensors()) {
            assert!(*found == expected, "{} at step {step}", param.name);
        }
        let moments = Weights::open(&commit.path.join(OPTIMIZER)).unwrap();
        let (config, updates) = (self.train.optimizer, commit.state.updates);
        let restored = AdamW::restore(config, &loaded, updates, &moments).unwrap();
        assert!(moments_of(&restored, &loaded) == moments_of(&expected.optimizer, &expected.model));
    }
}

fn moments_of(optimizer: &AdamW, model: &LanguageModel) -> Vec<(String, Vec<f32>)> {
    let mut moments = Vec::new();
    let taken: Result<(), ()> = optimizer.each_moment(model.bindings(), |name, values| {
        moments.push((name.to_owned(), values.to_vec()));
        Ok(())
    });
    taken.unwrap();
    assert!(moments.iter().any(|(_, values)| values.iter().any(|&value| value != 0.0)));
    moments
}

/// Steps of the scenario. Each is logged and committed; all commits but the newest are removed.
const STEPS: usize = 2;

fn line(step: usize) -> Metrics {
    Metrics::new(step as u64, 8 * step as u64)
}

/// Begins a run in `path`, or goes on with it, to its end.
fn play(run: &Run, disk: Arc<dyn Disk>, path: &Path) -> Result<(), RunError> {
    let (dir, mut state) = match RunDir::resume_on(disk.clone(), path) {
        Ok(dir) => {
            let found = dir.newest()?;
            assert_eq!(found.damaged, [], "no fault of the disk leaves a damaged commit");
            match found.newest {
                Some(commit) => {
                    run.holds(&commit);
                    dir.show_commit(commit.state.stage())?;
                    dir.commits().prune(1)?;
                    (dir, commit.state)
                }
                None => (dir, run.first()),
            }
        }
        Err(RunError::NoRun { .. }) => {
            let mut fill = |dir: &RunDir| {
                dir.write(RunFile::Tokenizer, b"{}")?;
                dir.write(RunFile::Spec, b"spec")
            };
            (Place::At(path.to_owned()).begin(disk, &mut fill)?, run.first())
        }
        Err(error) => return Err(error),
    };
    let mut log = dir.metrics(state.logs.metrics.clone());
    for step in state.step + 1..=STEPS {
        // As in a run, a log that fails does not end it; its lines wait.
        let _ = log.push(&line(step));
        let mut at = run.at(state, step);
        at.state.logs.metrics = log.state().clone();
        let At { model, optimizer, state: next, clock } = &at;
        let _ = dir.sync_logs();
        let contents = Contents { model, optimizer, state: next, clock };
        dir.commit(contents)?;
        dir.show_commit(next.stage())?;
        assert_eq!(dir.commit(contents)?, 0, "what is committed is not written again");
        dir.commits().prune(1)?;
        state = at.state;
    }
    log.write_waiting()?;
    Ok(())
}

/// The run of `path` is the one that nothing happened to.
fn is_complete(run: &Run, path: &Path) {
    let dir = RunDir::resume(path).unwrap();
    let commit = dir.newest().unwrap().newest.unwrap();
    assert_eq!(commit.state.step, STEPS);
    run.holds(&commit);
    assert_eq!(fs::read(path.join(MODEL)).unwrap(), fs::read(commit.path.join(MODEL)).unwrap());
    let steps: Vec<u64> = dir.read_metrics().unwrap().iter().map(|line| line.step).collect();
    assert_eq!(steps, (1..=STEPS as u64).collect::<Vec<_>>(), "each step stands once in the log");
    let left: Vec<_> = fs::read_dir(path.join("commits")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["step-00000002"], "old commits are removed, and no scratch is left");
}

/// Plays with a fault at each operation in turn, then again without one; `folder` says where what the
/// fault left is found.
fn with_every_fault(fault: Fault, folder: impl Fn(&FaultyDisk, &Path, &Path) -> PathBuf) {
    let run = Run::new();
    let (mut at, mut ended) = (0, false);
    while !ended {
        let (root, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let faulty = FaultyDisk::new(root.path(), Some((at, fault)));
        let played = play(&run, Arc::new(faulty.clone()), &root.path().join("run"));
        // Only a fault that is one may fail the run.
        assert!(fault != Fault::ShortWrite || played.is_ok(), "operation {at}: {played:?}");
        ended = faulty.operations() <= at;
        assert!(!ended || played.is_ok());
        let path = folder(&faulty, root.path(), other.path()).join("run");
        drop(faulty);
        let disk = FaultyDisk::over(path.parent().unwrap());
        play(&run, Arc::new(disk), &path).unwrap_or_else(|error| panic!("operation {at}: {error:?}"));
        is_complete(&run, &path);
        at += 1;
    }
    assert!(at > 60, "{at} operations");
}

fn as_it_stands(_: &FaultyDisk, root: &Path, _: &Path) -> PathBuf {
    root.to_owned()
}

#[test]
fn an_error_at_any_operation_leaves_the_old_state_or_the_new() {
    with_every_fault(Fault::Error, as_it_stands);
}

#[test]
fn a_full_disk_at_any_operation_leaves_the_old_state_or_the_new() {
    with_every_fault(Fault::NoSpace, as_it_stands);
}

#[test]
fn short_writes_are_no_faults() {
    with_every_fault(Fault::ShortWrite, as_it_stands);
}

#[test]
fn a_kill_at_any_operation_leaves_the_old_state_or_the_new() {
    with_every_fault(Fault::Crash, as_it_stands);
}

#[test]
fn a_loss_of_power_at_any_operation_leaves_the_old_state_or_the_new() {
    with_every_fault(Fault::Crash, |disk, _, other| {
        disk.after_power_loss(other);
        other.to_owned()
    });
}

/// A finished run in a folder of its own.
fn finished() -> (tempfile::TempDir, PathBuf, Run) {
    let (folder, run) = (tempfile::tempdir().unwrap(), Run::new());
    let path = folder.path().join("run");
    play(&run, disk::system(), &path).unwrap();
    (folder, path, run)
}

/// The same with two commits.
fn with_two_commits() -> (tempfile::TempDir, PathBuf) {
    let (folder, path, run) = finished();
    let dir = RunDir::resume(&path).unwrap();
    let At { model, optimizer, state, clock } = &run.at(run.first(), STEPS + 1);
    dir.commit(Contents { model, optimizer, state, clock }).unwrap();
    (folder, path)
}

#[test]
fn a_damaged_commit_is_named_and_set_aside_and_the_one_before_it_used() {
    for file in [MODEL, OPTIMIZER, STATE, CLOCK, MANIFEST] {
        for cut in [false, true] {
            let (_folder, path) = with_two_commits();
            let damaged = path.join("commits/step-00000003").join(file);
            let mut bytes = fs::read(&damaged).unwrap();
            if cut {
                bytes.pop();
                bytes.pop();
            } else {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 0x10;
            }
            fs::write(&damaged, bytes).unwrap();
            let dir = RunDir::resume(&path).unwrap();
            let found = dir.newest().unwrap();
            assert_eq!(found.newest.unwrap().state.step, STEPS, "{file}");
            assert_eq!(found.damaged.len(), 1);
            assert_eq!(found.damaged[0].file, damaged);
            let aside = path.join("commits/step-00000003.damaged");
            assert_eq!(found.damaged[0].aside.as_deref(), Some(aside.as_path()));
            assert!(aside.is_dir());
            assert_eq!(dir.newest().unwrap().damaged, [], "once set aside, it is no commit any more");
        }
    }
}

#[test]
fn a_missing_file_is_damage() {
    let (_folder, path) = with_two_commits();
    fs::remove_file(path.join("commits/step-00000003").join(STATE)).unwrap();
    let found = RunDir::resume(&path).unwrap().newest().unwrap();
    assert_eq!((found.newest.unwrap().state.step, found.damaged[0].reason.as_str()), (2, "it is missing"));
}

#[test]
fn where_no_commit_is_sound_nothing_is_touched() {
    let (_folder, path) = with_two_commits();
    for step in ["step-00000002", "step-00000003"] {
        fs::write(path.join("commits").join(step).join(STATE), "{}").unwrap();
    }
    let error = RunDir::resume(&path).unwrap().newest().unwrap_err();
    assert_eq!(error.code(), "coec::run::damaged");
    assert!(error.to_string().contains("state.json"), "{error}");
    assert!(path.join("commits/step-00000003").is_dir());
}

#[test]
fn readers_pass_a_damaged_commit_over_and_touch_nothing() {
    let (_folder, path) = with_two_commits();
    let damaged = path.join("commits/step-00000003").join(MODEL);
    let text = fs::read(&damaged).unwrap();
    // As a new file: the run's own name for the weights is another name of this one.
    fs::remove_file(&damaged).unwrap();
    fs::write(&damaged, &text[..text.len() - 1]).unwrap();
    let (weights, damage) = RunDir::open(&path).unwrap().weights().unwrap();
    assert_eq!(weights.path(), path.join("commits/step-00000002").join(MODEL));
    assert_eq!(damage[0].file, damaged);
    assert!(path.join("commits/step-00000003").is_dir());
}

#[test]
fn the_newest_and_the_best_stay() {
    let (folder, run) = (tempfile::tempdir().unwrap(), Run::new());
    let path = folder.path().join("run");
    let dir =
        Place::At(path.clone()).begin(disk::system(), &mut |dir| dir.write(RunFile::Spec, b"")).unwrap();
    for (step, loss) in [(1, 3.0), (2, 1.5), (3, 2.0), (4, 1.5), (5, f64::NAN), (6, 2.5)] {
        let mut at = run.at(run.first(), step);
        let val_loss = Some(loss);
        at.state.evaluation = Some(Evaluation { step, val_loss, best: None });
        let At { model, optimizer, state, clock } = &at;
        dir.commit(Contents { model, optimizer, state, clock }).unwrap();
        dir.commits().prune(2).unwrap();
    }
    let mut left: Vec<_> = fs::read_dir(path.join("commits"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["step-00000002", "step-00000005", "step-00000006"]);
}

#[test]
fn a_full_disk_is_given_room_by_older_commits() {
    let run = Run::new();
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("run");
    play(&run, Arc::new(FaultyDisk::new(root.path(), None)), &path).unwrap();
    let committed = |step: usize, disk: FaultyDisk| {
        let dir = RunDir::resume_on(Arc::new(disk), &path).unwrap();
        let At { model, optimizer, state, clock } = &run.at(run.first(), step);
        dir.commit(Contents { model, optimizer, state, clock }).unwrap();
        dir.commits().entries().unwrap().iter().map(|entry| entry.stage.step).collect::<Vec<_>>()
    };
    assert_eq!(committed(3, FaultyDisk::over(root.path())), [2, 3]);
    // The first write of the next commit finds no space: what is not the newest, nor the best, goes.
    assert_eq!(committed(4, FaultyDisk::over(root.path()).full_at_first_write()), [3, 4]);
}

#[test]
fn a_commit_before_an_evaluation_gives_way_to_the_one_after_it() {
    let (folder, run) = (tempfile::tempdir().unwrap(), Run::new());
    let begun =
        Place::At(folder.path().join("run")).begin(disk::system(), &mut |dir| dir.write(RunFile::Spec, b""));
    let dir = begun.unwrap();
    for (step, unevaluated) in [(1, false), (2, true), (2, false)] {
        let mut at = run.at(run.first(), step);
        at.state.unevaluated = unevaluated.then(|| line(step));
        let At { model, optimizer, state, clock } = &at;
        dir.commit(Contents { model, optimizer, state, clock }).unwrap();
    }
    dir.commits().prune(2).unwrap();
    let left: Vec<_> = dir.commits().entries().unwrap().iter().map(|entry| entry.stage).collect();
    assert_eq!(left, [1, 2].map(|step| Stage { step, evaluated: true }));
}

#[test]
fn what_is_no_file_is_damage() {
    let (_folder, path) = with_two_commits();
    let state = path.join("commits/step-00000003").join(STATE);
    fs::remove_file(&state).unwrap();
    fs::create_dir(&state).unwrap();
    let found = RunDir::resume(&path).unwrap().newest().unwrap();
    assert_eq!((found.newest.unwrap().state.step, found.damaged[0].reason.as_str()), (2, "it is no file"));
    fs::write(path.join("commits/step-00000009"), "no folder").unwrap();
    assert_eq!(RunDir::resume(&path).unwrap().newest().unwrap().newest.unwrap().state.step, 2);
}

#[test]
fn a_commit_can_be_read_before_its_weights_are_shown() {
    let (_folder, path, _) = finished();
    fs::remove_file(path.join(MODEL)).unwrap();
    let (weights, _) = RunDir::open(&path).unwrap().weights().unwrap();
    assert_eq!(weights.path(), path.join("commits/step-00000002").join(MODEL));
}

#[test]
fn moments_that_are_not_all_there_are_an_error() {
    let (folder, run) = (tempfile::tempdir().unwrap(), Run::new());
    let At { model, optimizer, .. } = run.at(run.first(), 1);
    let moments = moments_of(&optimizer, &model);
    let restore = |moments: &[(String, Vec<f32>)]| {
        let path = folder.path().join("moments");
        let shapes: Vec<_> =
            moments.iter().map(|(name, values)| shape_of(&model, name, values.len())).collect();
        let tensors = moments.iter().zip(&shapes);
        let tensors: Vec<(&str, &[usize], Values<'_>)> = tensors
            .map(|((name, values), shape)| (name.as_str(), shape.as_slice(), Values::F32(values)))
            .collect();
        weights::write(&path, &tensors, &[]).unwrap();
        AdamW::restore(run.train.optimizer, &model, 1, &Weights::open(&path).unwrap())
    };
    let restored = restore(&moments).unwrap();
    assert!(moments_of(&restored, &model) == moments);
    for missing in 1..moments.len() {
        let mut some = moments.clone();
        some.remove(missing);
        let error = restore(&some).err().unwrap();
        assert_eq!(error.code(), "coec::weights::mismatch", "without {}", moments[missing].0);
    }
}

fn shape_of(model: &LanguageModel, moment: &str, elements: usize) -> Vec<usize> {
    let name = moment.split_once('.').unwrap().1;
    let params = model.bindings().iter().flat_map(|binding| &binding.parts);
    let param = params.into_iter().find(|param| param.name == name).unwrap();
    assert_eq!(param.elements() as usize, elements);
    param.shape.clone()
}

#[test]
fn a_commit_takes_the_room_it_says_and_little_more() {
    let (_folder, path, run) = finished();
    let files = fs::read_dir(path.join("commits/step-00000002")).unwrap();
    let written: u64 = files.map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    let said = bytes_of(&run.model);
    assert!(written <= said && said - written < 100_000, "{written} of {said}");
}

#[test]
fn a_state_of_an_earlier_version_does_not_say_what_the_run_began_with() {
    let mut state = serde_json::to_value(Run::new().first()).unwrap();
    assert_eq!(state["origin"], "seed");
    state.as_object_mut().unwrap().remove("origin");
    state["logs"].as_object_mut().unwrap().remove("routing");
    assert_eq!(serde_json::from_value::<State>(state).unwrap().origin, None);
}
