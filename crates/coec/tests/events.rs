//! Event files for TensorBoard, beside the logs they are made of.
#![cfg(unix)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use coec_train::{run_dir::RunDir, tensorboard};
use common::{Shell, TINY};

fn shell() -> Shell {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    shell
}

/// The event files of a run, those that hold something.
fn files(run: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(run.join("tensorboard")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = all.filter(|path| path.metadata().unwrap().len() > 0).collect();
    files.sort();
    files
}

/// The records of a file, times apart: they are a field of eight bytes behind the first byte.
fn records(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut rest, mut records) = (bytes, Vec::new());
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        let event = &rest[12..12 + length];
        assert_eq!(event[0], 0x09, "an event begins with its time");
        records.push(event[9..].to_vec());
        rest = &rest[length + 16..];
    }
    records
}

/// What the logs of a run come to.
fn expected(run: &Path) -> Vec<Vec<u8>> {
    let run = RunDir::read_only(run).unwrap();
    let mut events = Vec::new();
    let (metrics, experts) = (run.read_metrics().unwrap(), run.read_experts().unwrap());
    tensorboard::write(&mut events, &metrics, &experts, 0.0).unwrap();
    records(&events)
}

/// Asserts that a run has one event file, of what its logs say.
fn holds(shell: &Shell, run: &str) {
    let run = shell.path().join(run);
    let files = files(&run);
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(
        records(&fs::read(&files[0]).unwrap()) == expected(&run),
        "{} says what the logs say",
        run.display()
    );
}

#[test]
fn a_run_has_event_files_where_it_is_asked_for_them() {
    let shell = shell();
    shell.ok(&["train", "tiny.coe", "--out", "with", "--tensorboard"]);
    holds(&shell, "with");
    shell.ok(&["train", "tiny.coe", "--out", "without"]);
    assert!(!shell.path().join("without/tensorboard").exists());
    // A run that goes on has each step once, and goes on to write them.
    shell.ok(&["train", "--resume", "with", "--set", "train.steps=8"]);
    holds(&shell, "with");
    // One that has none can have them from any session on.
    shell.ok(&["train", "--resume", "without", "--set", "train.steps=8", "--tensorboard"]);
    holds(&shell, "without");
    assert_eq!(expected(&shell.path().join("with")).len(), 2 + 8 + 4 * 4);
}

#[test]
fn a_killed_run_has_each_step_once() {
    let shell = shell();
    let args = ["train", "tiny.coe", "--out", "run", "--tensorboard", "--set", "train.steps=800"];
    let mut killed =
        shell.command(&[&args[..], &["--set", "train.save=every(100)"]].concat()).spawn().unwrap();
    let metrics = shell.path().join("run/metrics.jsonl");
    while fs::read_to_string(&metrics).unwrap_or_default().lines().count() < 150 {
        thread::sleep(Duration::from_millis(5));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    shell.ok(&["train", "--resume", "run"]);
    holds(&shell, "run");
}

#[test]
fn event_files_that_cannot_be_written_are_a_warning_and_come_later() {
    let shell = shell();
    shell.ok(&["train", "tiny.coe", "--out", "run"]);
    // Something else has the name.
    shell.write("run/tensorboard", "mine");
    let said = shell.ok(&["train", "--resume", "run", "--set", "train.steps=6", "--tensorboard"]);
    assert!(said.contains("warning: cannot write") && said.contains("coec::run::unwritable"), "{said}");
    assert_eq!(shell.read("run/tensorboard"), "mine");
    fs::remove_file(shell.path().join("run/tensorboard")).unwrap();
    shell.ok(&["train", "--resume", "run", "--set", "train.steps=8", "--tensorboard"]);
    holds(&shell, "run");
}

#[test]
fn logs_of_any_run_become_an_event_file() {
    let shell = shell();
    shell.ok(&["train", "tiny.coe", "--out", "run"]);
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    fs::File::options()
        .append(true)
        .open(shell.path().join("run/metrics.jsonl"))
        .unwrap()
        .set_modified(then)
        .unwrap();
    let said = shell.ok(&["export", "run", "--format", "tensorboard", "--out", "events"]);
    let file = "events/events.out.tfevents.1700000000.coec";
    assert_eq!(said, format!("wrote {file}: 4 steps\n"));
    assert!(records(&fs::read(shell.path().join(file)).unwrap()) == expected(&shell.path().join("run")));
    shell.fails(&["export", "run", "--format", "tensorboard", "--out", "events"], 2, "coec::");
    shell.fails(&["export", "missing", "--format", "tensorboard", "--out", "other"], 3, "coec::run::no_run");
}
