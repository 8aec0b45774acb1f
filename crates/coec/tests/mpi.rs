//! The command under MPI: several ranks are one. Needs the `mpiexec` of the MPI that coec is built with, or another in
//! `MPIEXEC`, with its arguments.
#![cfg(all(feature = "mpi", target_os = "linux"))]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{Shell, TINY, run_of};

/// Trains with so many ranks of one thread each.
fn launch(shell: &Shell, ranks: usize, args: &[&str]) -> Command {
    let launcher = std::env::var("MPIEXEC").unwrap_or_else(|_| "mpiexec".into());
    let mut words = launcher.split_whitespace();
    let alone = shell.command(&[]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args(["-n", &ranks.to_string()]).arg(alone.get_program()).args(args);
    command.current_dir(shell.path()).env("RAYON_NUM_THREADS", "1");
    for (name, value) in alone.get_envs() {
        command.env(name, value.unwrap());
    }
    command
}

fn on_ranks(shell: &Shell, ranks: usize, args: &[&str]) {
    let output = launch(shell, ranks, args).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{ranks} ranks, {args:?}: {shown}");
}

fn alone(shell: &Shell, args: &[&str]) {
    let output = shell.command(args).env("RAYON_NUM_THREADS", "1").output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[track_caller]
fn assert_same(shell: &Shell, found: &str, expected: &str) {
    let [found, expected] = [found, expected].map(|run| run_of(&shell.path().join(run)));
    assert!(found.keys().eq(expected.keys()), "{:?} and {:?}", found.keys(), expected.keys());
    for (name, bytes) in &found {
        assert!(bytes == &expected[name], "{name} differs");
    }
}

/// A spec with every balance term, whose batch divides by 2, 3 and 6.
fn write_spec(shell: &Shell) {
    let spec = TINY.replace("batch=4", "batch=6").replace(
        "balance=seq_aux(alpha=0.01)",
        "balance=[seq_aux(alpha=0.01), switch_aux(alpha=0.01), bias(rate=0.01)]",
    );
    shell.write("tiny.coe", spec);
}

#[test]
fn ranks_are_one_rank_with_as_many_parts() {
    let shell = Shell::new();
    write_spec(&shell);
    for parts in ["2", "3", "6"] {
        let accumulate = format!("train.accumulate={parts}");
        let train = ["train", "tiny.coe", "--set", &accumulate, "--out"];
        let [one, two, three] = ["one", "two", "three"].map(|name| format!("{name}-{parts}"));
        alone(&shell, &[&train[..], &[&one]].concat());
        match parts {
            // Left out, there are as many parts as ranks.
            "2" => on_ranks(&shell, 2, &["train", "tiny.coe", "--out", &two]),
            "3" => on_ranks(&shell, 3, &["train", "tiny.coe", "--out", &two]),
            _ => {
                on_ranks(&shell, 2, &[&train[..], &[&two]].concat());
                on_ranks(&shell, 3, &[&train[..], &[&three]].concat());
                assert_same(&shell, &three, &one);
            }
        }
        assert_same(&shell, &two, &one);
    }
}

/// Starts two ranks with far to go, waits until they have come a bit, and returns what `end` makes of that.
fn ended_by(shell: &Shell, run: &str, end: impl FnOnce(&Child)) -> (Option<i32>, Duration) {
    let args = ["train", "tiny.coe", "--out", run, "--set", LONG, "--set", "train.save=every(1)", "--plain"];
    let mut ranks =
        launch(shell, 2, &args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("an mpiexec");
    let commits = shell.path().join(run).join("commits");
    let has_come = || fs::read_dir(&commits).is_ok_and(|mut commits| commits.next().is_some());
    wait(Duration::from_secs(60), has_come);
    let asked = Instant::now();
    end(&ranks);
    let status = ranks.wait().unwrap();
    (status.code(), asked.elapsed())
}

/// More steps than are done while somebody looks.
const LONG: &str = "train.steps=400";

#[track_caller]
fn wait(most: Duration, until: impl Fn() -> bool) {
    let begun = Instant::now();
    while !until() {
        assert!(begun.elapsed() < most, "it takes too long");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The processes that train in `run` below `folder`, as their rank.
fn processes(folder: &Path) -> Vec<(i32, u32)> {
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(id) = process.file_name().to_string_lossy().parse::<i32>() else { continue };
        let is_here = fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == folder);
        let is_coec = fs::read_to_string(process.path().join("comm")).is_ok_and(|name| name.trim() == "coec");
        let environment = fs::read_to_string(process.path().join("environ")).unwrap_or_default();
        let rank = |variable: &str| {
            environment
                .split('\0')
                .find_map(|pair| pair.strip_prefix(variable)?.strip_prefix('=')?.parse().ok())
        };
        if is_here && is_coec {
            found.extend(rank("PMI_RANK").or_else(|| rank("OMPI_COMM_WORLD_RANK")).map(|rank| (id, rank)));
        }
    }
    found
}

#[allow(unsafe_code)]
fn kill(process: i32, signal: i32) {
    // SAFETY: a signal to a process that this test started.
    assert_eq!(unsafe { libc::kill(process, signal) }, 0);
}

/// The rest of `run` on one rank is what it is of a run that never had another.
fn goes_on_alone(shell: &Shell, run: &str) {
    alone(shell, &["train", "--resume", run]);
    let two_parts = ["--set", "train.accumulate=2", "--set", LONG, "--set", "train.save=every(1)"];
    alone(shell, &[&["train", "tiny.coe", "--out", "straight"], &two_parts[..]].concat());
    assert_same(shell, run, "straight");
}

#[test]
fn a_killed_rank_ends_all_and_one_goes_on() {
    let shell = Shell::new();
    write_spec(&shell);
    let (code, took) = ended_by(&shell, "cut", |_| {
        let second = processes(shell.path()).into_iter().find(|(_, rank)| *rank == 1).expect("a second rank");
        kill(second.0, libc::SIGKILL);
    });
    assert_ne!(code, Some(0));
    assert!(took < Duration::from_secs(30), "{took:?}");
    wait(Duration::from_secs(30), || processes(shell.path()).is_empty());
    goes_on_alone(&shell, "cut");
}

#[test]
fn ranks_that_are_asked_to_end_save_and_one_goes_on() {
    let shell = Shell::new();
    write_spec(&shell);
    let (code, took) = ended_by(&shell, "cut", |launcher| kill(launcher.id() as i32, libc::SIGTERM));
    // Every rank ends with 143; MPICH's launcher, which had the signal too, now and then says 0 of that.
    assert!(matches!(code, Some(143 | 0)), "{code:?}");
    assert!(took < Duration::from_secs(30), "{took:?}");
    goes_on_alone(&shell, "cut");
}

#[test]
fn what_is_wrong_is_said_once() {
    let shell = Shell::new();
    write_spec(&shell);
    for (args, code) in [
        (&["train", "tiny.coe", "--set", "ffn.k=9"][..], "coec::verify::"),
        (&["train", "tiny.coe", "--data", "nowhere.txt"], "coec::data::"),
        (&["train", "-"], "coec::ranks::input"),
        (&["train", "tiny.coe", "--set", "train.batch=4"], "coec::ranks::parts"),
        (&["train", "tiny.coe", "--set", "train.accumulate=2"], "coec::ranks::too_many"),
        (&["sweep", "tiny.coe"], "coec::ranks::alone"),
    ] {
        let output = launch(&shell, 3, args).output().unwrap();
        let shown = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(2 | 3)), "{args:?}: {:?}: {shown}", output.status);
        assert_eq!(shown.matches(code).count(), 1, "{args:?}: {shown}");
    }
}
