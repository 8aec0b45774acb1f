//! SIGKILL, anywhere: the run that is gone on with is the run that was left alone.
//!
//! Thirty kills, ten of them inside a commit. For more, as docs/reliability.md records them:
//!
//! ```text
//! COEC_KILLS=1000 cargo test --release --test kill -- --nocapture
//! ```
#![cfg(unix)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{Shell, run_of};

/// Wide enough that a commit takes a while, and short enough to be run often.
const SPEC: &str = "model killed {
    vocab=256 context=16 dim=64 layers=2 embedding=tokens(tied=true) attention=mha(heads=2)
    ffn=coe(iter=2, k=2, experts=16, shared=1, hidden=64, residual=delta, balance=[seq_aux(0.01), bias(0.01)])
}
train { steps=60 batch=4 context=16 eval=every(4, batches=2) save=every(2) keep=2 }
";

/// Text of its own, so that a start takes no time.
fn shell() -> Shell {
    let shell = Shell::new();
    shell.write("killed.coe", SPEC);
    shell.write("text.txt", "the quick brown fox jumps over the lazy dog again and again. ".repeat(60));
    shell
}

fn start(shell: &Shell, run: &str) -> Child {
    let goes_on = shell.path().join(run).exists();
    let args: &[&str] = match goes_on {
        true => &["train", "--resume", run],
        false => &["train", "killed.coe", "--data", "text.txt", "--out", run],
    };
    Command::new(env!("CARGO_BIN_EXE_coec"))
        .args(args)
        .current_dir(shell.path())
        .env("COEC_CACHE", shell.path().join(".cache"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Half-written commits in a run.
fn scratch(run: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(run.join("commits")).into_iter().flatten().flatten();
    let scratch = |path: &PathBuf| path.extension().is_some_and(|end| end == "tmp");
    names.map(|entry| entry.path()).filter(scratch).collect()
}

/// Waits until a commit is being written, or the process has ended.
fn wait_for_a_commit(child: &mut Child, run: &Path) {
    let begun = Instant::now();
    while scratch(run).is_empty() && child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no commit");
        thread::yield_now();
    }
}

/// The newest commit's name.
fn newest(run: &Path) -> Option<String> {
    let names = fs::read_dir(run.join("commits")).into_iter().flatten().flatten();
    names.map(|entry| entry.file_name().into_string().unwrap()).filter(|name| name.starts_with("step-")).max()
}

/// Waits until there is a commit that was not there, or the process has ended.
fn wait_for_progress(child: &mut Child, run: &Path) {
    let (begun, before) = (Instant::now(), newest(run));
    while newest(run) <= before && child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no progress");
        thread::yield_now();
    }
}

/// Uniform enough to kill everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[test]
fn killed_anywhere_a_run_ends_as_if_it_had_not_been() {
    let kills: usize = std::env::var("COEC_KILLS").map_or(30, |kills| kills.parse().unwrap());
    let shell = shell();
    shell.ok(&["train", "killed.coe", "--data", "text.txt", "--out", "whole"]);
    let whole = run_of(&shell.path().join("whole"));

    let mut random = Random(1);
    let (mut killed, mut inside, mut runs) = (0, 0, 0);
    while killed < kills || inside < kills.div_ceil(3) {
        runs += 1;
        let name = format!("killed-{runs}");
        let run = shell.path().join(&name);
        loop {
            let mut child = start(&shell, &name);
            match killed % 3 {
                // At any moment of its life, before the first step too.
                0 => thread::sleep(Duration::from_millis(random.below(700))),
                1 => wait_for_a_commit(&mut child, &run),
                // However slow the machine is, the run comes to its end.
                _ => wait_for_progress(&mut child, &run),
            }
            // Of a commit, most moments are in its first milliseconds.
            if killed % 3 > 0 {
                thread::sleep(Duration::from_micros(random.below(2000)));
            }
            let ended = child.try_wait().unwrap();
            child.kill().unwrap();
            let status = ended.unwrap_or_else(|| child.wait().unwrap());
            if status.success() {
                break;
            }
            assert_eq!(status.code(), None, "it was killed, and did not fail");
            killed += 1;
            inside += usize::from(!scratch(&run).is_empty());
        }
        assert_eq!(scratch(&run), Vec::<PathBuf>::new());
        let resumed = run_of(&run);
        for (file, bytes) in &whole {
            assert!(resumed.get(file) == Some(bytes), "{file} of {name} is not that of the run left alone");
        }
        assert_eq!(resumed.len(), whole.len());
        fs::remove_dir_all(run).unwrap();
    }
    println!("{killed} kills in {runs} runs, {inside} of them inside a commit: byte for byte the same");
}
