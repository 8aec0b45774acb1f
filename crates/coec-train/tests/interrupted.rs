//! Runs that end before their time, and how they go on.

mod common;

use std::cell::Cell;
use std::fs;
use std::path::Path;

use coec_train::{
    TrainError,
    run::{self, Control, MemoryMeter, Outcome, Start},
    run_dir::{Place, RunDir, RunFile},
    weights::Weights,
    world::Alone,
};
use common::{job, tiny, verified};

/// Asks for an end when it is asked so many times: it is, whenever a run lends its state.
struct StopsAt<'a> {
    control: &'a Control,
    left: Cell<usize>,
}

impl MemoryMeter for StopsAt<'_> {
    fn reset(&self) {}

    fn peak(&self) -> u64 {
        self.left.set(self.left.get().saturating_sub(1));
        if self.left.get() == 0 {
            self.control.stop();
        }
        0
    }
}

fn run(steps: u64, start: Start<'_>, stop_at: usize) -> Result<Outcome, TrainError> {
    let (model, train) = tiny(steps);
    let model = verified(model);
    let control = Control::default();
    let memory = StopsAt { control: &control, left: Cell::new(stop_at) };
    let job = job(&model, &train, &Alone, start, &memory);
    run::run(&job, &mut |_| {}, &control).map(Option::unwrap)
}

fn resumed(path: &Path) -> Start<'static> {
    let dir = RunDir::resume(path).unwrap();
    let commit = dir.newest().unwrap().newest.unwrap();
    Start::Resume(dir, Some(Box::new(commit)))
}

fn losses(path: &Path) -> Vec<(u64, f64, Option<f64>)> {
    let lines = RunDir::open(path).unwrap().read_metrics().unwrap();
    lines.iter().map(|line| (line.step, line.loss, line.val_loss)).collect()
}

#[test]
fn an_evaluation_that_is_cut_short_is_made_when_the_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (cut, whole) = (folder.path().join("cut"), folder.path().join("whole"));
    drop(run(4, Start::Fresh(Place::At(whole.clone())), usize::MAX).unwrap());
    // Lent before the first step, before the second, and before the evaluation after it.
    let outcome = run(4, Start::Fresh(Place::At(cut.clone())), 3).unwrap();
    assert!(outcome.summary.interrupted);
    assert_eq!(outcome.summary.steps, 2);
    drop(outcome);
    assert!(cut.join("commits/step-00000002-unevaluated").is_dir());
    assert_eq!(losses(&cut).len(), 1, "the line of the step waits for its evaluation");

    drop(run(4, resumed(&cut), usize::MAX).unwrap());
    assert_eq!(losses(&cut), losses(&whole));
    for log in ["experts.jsonl", "routing.jsonl"] {
        let lines = |path: &Path| fs::read_to_string(path.join(log)).unwrap();
        assert_eq!(lines(&cut), lines(&whole));
    }
    let model = |path: &Path| fs::read(path.join("model.safetensors")).unwrap();
    assert!(model(&cut) == model(&whole));
}

#[test]
fn a_run_that_diverges_ends_saved() {
    let folder = tempfile::tempdir().unwrap();
    let (sane, mad) = (folder.path().join("sane"), folder.path().join("mad"));
    drop(run(2, Start::Fresh(Place::At(sane.clone())), usize::MAX).unwrap());
    let weights = folder.path().join("weights");
    let mut bytes = fs::read(sane.join("model.safetensors")).unwrap();
    let last = bytes.len() - 4;
    bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&weights, bytes).unwrap();

    let ended = run(50, Start::Weights(Place::At(mad.clone()), &weights), usize::MAX);
    assert_eq!(ended.err().unwrap().code(), "coec::train::diverged");
    let dir = RunDir::resume(&mad).unwrap();
    let state = dir.newest().unwrap().newest.unwrap().state;
    assert_eq!((state.step, state.skipped, state.updates), (10, 10, 0));
    let (before, after) =
        (Weights::open(&weights).unwrap(), Weights::open(&dir.file(RunFile::Model)).unwrap());
    for name in before.names() {
        assert!(before.bytes(name).unwrap() == after.bytes(name).unwrap(), "{name} is as it was");
    }
}
