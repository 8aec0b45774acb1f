//! What a terminal is given: as many columns as it has, colours, a bar that moves; and what it is not.
#![cfg(unix)]

mod common;

use std::fs::File;
use std::process::Command;

use common::terminal::{Streams, seen};
use common::{Shell, TINY};

/// The mark that every colour and movement begins with.
const ESCAPE: char = '\u{1b}';

/// A command with no wishes about how text looks.
fn plain(shell: &Shell, args: &[&str]) -> Command {
    let mut command = shell.command(args);
    for variable in ["COLUMNS", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command.env("TERM", "xterm");
    command
}

/// A shell with a spec in which a word is wrong, and one without mistakes.
fn shell() -> Shell {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    shell.write("wrong.coe", "model m {\nffn = coe(iter=2, k=2,\nexperts=4,\ngate=indpendent)\n}\n");
    shell
}

/// The columns of the widest line, examples apart, which are printed as they are.
fn widest(text: &str) -> usize {
    let lines = text.lines().filter(|line| !line.starts_with("    "));
    lines.map(|line| line.chars().count()).max().unwrap()
}

const PROSE: [&[&str]; 3] = [&["explain"], &["explain", "run::unwritable"], &["check", "wrong.coe"]];

#[test]
fn text_fits_the_columns_that_are_told() {
    let shell = shell();
    let told = |args: &[&str], columns: &str| {
        let output = plain(&shell, args).env("COLUMNS", columns).output().unwrap();
        widest(&String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    for args in PROSE {
        for (columns, least, most) in [("60", 41, 60), ("10", 21, 40), ("500", 61, 100), ("wide", 61, 100)] {
            let widest = told(args, columns);
            assert!((least..=most).contains(&widest), "{args:?} in {columns} columns: {widest}");
        }
    }
}

#[test]
fn text_fits_the_terminal_and_elsewhere_a_hundred_columns() {
    let shell = shell();
    for args in PROSE {
        for (columns, least, most) in [(60, 41, 60), (10, 21, 40), (500, 61, 100)] {
            let mut command = plain(&shell, args);
            let widest = widest(&seen(command.env("NO_COLOR", "1"), Streams::Both, columns));
            assert!((least..=most).contains(&widest), "{args:?} in {columns} columns: {widest}");
        }
        let output = plain(&shell, args).output().unwrap();
        let widest = widest(&String::from_utf8([output.stdout, output.stderr].concat()).unwrap());
        assert!((61..=100).contains(&widest), "{args:?}: {widest}");
    }
}

#[test]
fn colours_are_for_terminals_where_nobody_says_no() {
    let shell = shell();
    for args in [&["check", "wrong.coe"][..], &["--help"], &["no_such_command"]] {
        let coloured = |variable: &str, value: &str| {
            seen(plain(&shell, args).env(variable, value), Streams::Both, 80).contains(ESCAPE)
        };
        assert!(coloured("TERM", "xterm"), "{args:?}");
        assert!(coloured("NO_COLOR", ""), "{args:?}: an empty NO_COLOR says nothing");
        assert!(!coloured("NO_COLOR", "1"), "{args:?}");
        assert!(!coloured("TERM", "dumb"), "{args:?}");
        let output = plain(&shell, args).output().unwrap();
        assert!(![output.stdout, output.stderr].concat().contains(&(ESCAPE as u8)), "{args:?}");
    }
}

#[test]
fn a_dumb_terminal_shows_plain_characters() {
    let shell = shell();
    let mut command = plain(&shell, &["check", "wrong.coe"]);
    let shown = seen(command.env("TERM", "dumb"), Streams::Both, 80);
    assert!(shown.contains("independent") && shown.is_ascii(), "{shown}");
}

#[test]
fn progress_is_drawn_where_it_can_move_and_lines_go_where_it_is_not() {
    let shell = shell();
    let train = |run: &str, term: &str, streams: Streams| {
        let mut command = plain(&shell, &["train", "tiny.coe", "--out", run]);
        command.env("TERM", term);
        if streams == Streams::Errors {
            command.stdout(File::create(shell.path().join(format!("{run}.log"))).unwrap());
        }
        seen(&mut command, streams, 120)
    };
    let (bar, line) = ("step 4/4, ", "step     4/4: loss");

    let shown = train("both", "xterm", Streams::Both);
    assert!(shown.contains(bar) && !shown.contains(line), "{shown}");
    let shown = train("errors", "xterm", Streams::Errors);
    assert!(shown.contains(bar) && !shown.contains(line), "{shown}");
    assert!(shell.read("errors.log").contains(line), "{}", shell.read("errors.log"));
    let shown = train("dumb", "dumb", Streams::Both);
    assert!(!shown.contains(bar) && shown.contains(line) && !shown.contains(ESCAPE), "{shown}");

    let output = plain(&shell, &["train", "tiny.coe", "--out", "neither"]).output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(String::from_utf8(output.stdout).unwrap().contains(line));
}
