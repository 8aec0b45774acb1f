//! Output that cannot be written, and output that nobody reads.
#![cfg(target_os = "linux")] // /dev/full

mod common;

use std::fs::{self, File};
use std::io;
use std::process::{Output, Stdio};

use common::{Shell, TINY};

/// A device on which there is never any space.
fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

/// A pipe whose reader is gone.
fn closed() -> io::PipeWriter {
    io::pipe().unwrap().1
}

/// Runs a command whose output goes there.
fn printed(shell: &Shell, args: &[&str], output: impl Into<Stdio>) -> Output {
    let input = File::open(shell.path().join("tiny.coe")).unwrap();
    let child = shell.command(args).stdin(input).stdout(output).stderr(Stdio::piped()).spawn().unwrap();
    child.wait_with_output().unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A command line of every command that prints and runs no model.
const PRINTING: [&[&str]; 17] = [
    &["--help"],
    &["--version"],
    &["train", "--help"],
    &["check", "tiny.coe"],
    &["check", "tiny.coe", "--json"],
    &["check", "tiny.coe", "--set", "ffn.k=99", "--json"],
    &["build", "tiny.coe"],
    &["cost", "tiny.coe"],
    &["cost", "tiny.coe", "--json"],
    &["diff", "tiny.coe", "MoE(8/64)"],
    &["devices"],
    &["new", "mine"],
    &["fmt", "-"],
    &["graph", "tiny.coe"],
    &["explain"],
    &["explain", "verify::k_exceeds_experts"],
    &["completions", "bash"],
];

fn shell() -> Shell {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    shell
}

#[test]
fn output_that_cannot_be_written_is_an_error_of_every_command() {
    let shell = shell();
    for args in PRINTING {
        let output = printed(&shell, args, full());
        let said = errors(&output);
        assert_eq!(output.status.code(), Some(3), "{args:?}: {said}");
        assert!(said.contains("coec::output::unwritable") && said.contains("No space"), "{args:?}: {said}");
    }
    // What else a command does is done.
    assert!(shell.path().join("tiny/src/model.rs").is_file() && shell.path().join("mine.coe").is_file());
}

#[test]
fn a_closed_pipe_is_quiet_and_ends_as_sigpipe_would() {
    let shell = shell();
    for args in PRINTING.into_iter().filter(|args| !args.contains(&"ffn.k=99") && !args.contains(&"new")) {
        let output = printed(&shell, args, closed());
        assert_eq!((output.status.code(), errors(&output).as_str()), (Some(141), ""), "{args:?}");
    }
    // It hides no mistake.
    let output = printed(&shell, &["check", "tiny.coe", "--set", "ffn.k=99"], closed());
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_run_is_saved_wherever_its_lines_go() {
    let shell = shell();
    for (run, device, code) in [("f", Stdio::from(full()), 3), ("c", Stdio::from(closed()), 141)] {
        let output = printed(&shell, &["train", "tiny.coe", "--out", run], device);
        assert_eq!(output.status.code(), Some(code), "{}", errors(&output));
        assert_eq!(shell.json(&["train", "--resume", run, "--json"])["summary"]["steps"], 4);
    }
    // More text than anybody waits for, if nobody gets it.
    let long = ["generate", "f", "--prompt", "1", "--tokens", "10000000"];
    let output = printed(&shell, &long, full());
    assert_eq!(output.status.code(), Some(3), "{}", errors(&output));
    let output = printed(&shell, &long, closed());
    assert_eq!((output.status.code(), errors(&output).as_str()), (Some(141), ""));
}

#[test]
fn an_error_stream_that_cannot_be_written_changes_nothing() {
    let shell = shell();
    let mistakes: String = (0..300).map(|i| format!("model m{i} {{ word{i} = 1 }}\n")).collect();
    shell.write("wrong.coe", mistakes);
    for args in [&["check", "wrong.coe"][..], &["fmt", "missing.coe"], &["no_such_command"]] {
        for device in [Stdio::from(full()), Stdio::from(closed())] {
            let output = shell.command(args).stderr(device).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{args:?}");
        }
    }
    // Both of them: there is nobody to tell, and still no panic.
    let status = shell.command(&["check", "wrong.coe"]).stdout(full()).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(2));
    let status = shell.command(&["cost", "tiny.coe"]).stdout(full()).stderr(closed()).status().unwrap();
    assert_eq!(status.code(), Some(3));
    assert_eq!(fs::read_dir(shell.path()).unwrap().count(), 2);
}
