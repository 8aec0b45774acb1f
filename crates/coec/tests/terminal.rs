//! What a terminal is given: as many columns as it has, colours, a bar that moves; and what it is not.
#![cfg(unix)]

mod common;

use std::fs::File;
use std::process::Command;

use common::terminal::{Streams, Terminal, seen};
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

/// A run that takes a while, and says something while it does.
fn long(shell: &Shell, extra: &[&str]) -> Command {
    let args =
        ["train", "tiny.coe", "--out", "run", "--set", "train.steps=100000", "--set", "train.save=every(50)"];
    plain(shell, &[&args[..], extra].concat())
}

#[test]
fn a_picture_moves_below_what_is_said_and_stays_at_the_end() {
    let shell = shell();
    let terminal = Terminal::start(&mut long(&shell, &[]), 100, 40);
    terminal.wait_for("step ", 0);
    terminal.wait_for("saved at step ", 0);
    for (columns, rows) in [(40, 12), (200, 60), (100, 40)] {
        let before = terminal.seen().len();
        terminal.resize(columns, rows);
        terminal.wait_for(" left", before);
    }
    terminal.signal("INT");
    let (status, seen, is_as_before) = terminal.end();
    assert_eq!(status.code(), Some(130), "{seen}");
    assert!(is_as_before);
    // All that was said is there, above the picture and below it; it was never on another screen.
    for said in
        ["counted: ", "data: ", "GEMM peak: ", "run: run", "budget report card", "go on with: coec train"]
    {
        assert!(seen.contains(said), "no `{said}` in:\n{seen}");
    }
    assert!(!seen.contains("\u{1b}[?1049h"), "{seen}");
    let (_, last) = seen.rsplit_once("stopped\u{1b}[0m").expect("the last picture says so");
    assert!(last.contains("budget report card"), "{last}");
    assert!(!last[last.find("budget report card").unwrap()..].contains("\u{1b}["), "{last}");
    assert!(seen.contains("\u{1b}[36m"), "it has colours");
}

#[test]
fn notes_are_printed_above_the_picture() {
    let shell = shell();
    shell.ok(&["train", "tiny.coe", "--out", "run"]);
    let longer = ["train", "--resume", "run", "--set", "train.steps=8"];
    let shown = seen(plain(&shell, &longer).env("NO_COLOR", "1"), Streams::Both, 200);
    assert!(shown.contains("train.steps was 4 and is 8"), "{shown}");
    assert!(shown.contains("step 8/8, done"), "{shown}");
    // Movements, and no colours.
    assert!(
        shown.contains("\u{1b}[J") && !shown.contains("\u{1b}[36m") && !shown.contains("\u{1b}[2m"),
        "{shown}"
    );
}

#[test]
fn plain_is_lines_in_a_terminal_too() {
    let shell = shell();
    let shown =
        seen(&mut plain(&shell, &["train", "tiny.coe", "--out", "run", "--plain"]), Streams::Both, 120);
    assert!(shown.contains("step     4/4: loss") && shown.contains("saved at step 2"), "{shown}");
    assert!(!shown.contains(ESCAPE), "{shown}");
}

#[test]
fn a_second_signal_ends_at_once_below_the_picture() {
    let shell = shell();
    // Steps that take longer than a test looks away.
    let slow = ["--set", "train.batch=32768", "--set", "train.steps=100"];
    let mut command = plain(&shell, &[&["train", "tiny.coe", "--out", "run"][..], &slow].concat());
    let terminal = Terminal::start(&mut command, 100, 40);
    terminal.wait_for("step 1/100", 0);
    terminal.signal("INT");
    terminal.wait_for("ending: this step is finished, and saved", 0);
    terminal.signal("INT");
    let (status, seen, is_as_before) = terminal.end();
    assert_eq!(status.code(), Some(130), "{seen}");
    assert!(is_as_before);
    // The cursor is below the picture.
    assert!(seen.ends_with("\u{1b}[?2026l"), "{seen}");
}
