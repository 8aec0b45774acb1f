//! `coec watch`: a run from its files, while it trains and afterwards, in a terminal and in a pipe.
#![cfg(unix)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use common::terminal::Terminal;
use common::{Shell, TINY};
use serde_json::Value;

/// How a picture that fills the terminal begins and ends.
const ENTER: &str = "\u{1b}[?1049h";
const LEAVE: &str = "\u{1b}[?25h\u{1b}[?1049l";

fn shell() -> Shell {
    let shell = Shell::new();
    shell.write("tiny.coe", format!("{TINY}budget {{ params.total <= 1M }}\n"));
    shell
}

/// A run of four steps that is over.
fn finished() -> Shell {
    let shell = shell();
    shell.ok(&["train", "tiny.coe", "--out", "run"]);
    shell
}

/// A command with no wishes about how text looks.
fn plain(shell: &Shell, args: &[&str]) -> Command {
    let mut command = shell.command(args);
    for variable in ["COLUMNS", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command.env("TERM", "xterm");
    command
}

/// The lines of the steps, which stand at the beginning of lines.
fn steps(text: &str) -> Vec<String> {
    text.lines().filter(|line| line.starts_with("step ")).map(str::to_owned).collect()
}

/// A process that prints to a file, ended with the test.
struct Background {
    child: Child,
    log: std::path::PathBuf,
}

impl Background {
    fn start(shell: &Shell, args: &[&str], log: &str) -> Self {
        let log = shell.path().join(log);
        let out = fs::File::create(&log).unwrap();
        let errors = out.try_clone().unwrap();
        let child = shell.command(args).stdout(out).stderr(errors).stdin(Stdio::null()).spawn().unwrap();
        Self { child, log }
    }

    fn printed(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits for its end; the exit code and what it printed.
    fn end(mut self) -> (Option<i32>, String) {
        let start = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < Duration::from_secs(120), "it does not end: {}", self.printed());
            thread::sleep(Duration::from_millis(20));
        }
        (self.child.wait().unwrap().code(), self.printed())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a log has so many lines.
fn wait_for_lines(log: &Path, lines: usize) {
    let start = Instant::now();
    while fs::read_to_string(log).unwrap_or_default().lines().count() < lines {
        assert!(start.elapsed() < Duration::from_secs(120), "{} does not grow", log.display());
        thread::sleep(Duration::from_millis(5));
    }
}

const LONG: [&str; 6] = [
    "--set",
    "train.steps=1500",
    "--set",
    "train.eval=every(300, batches=1)",
    "--set",
    "train.save=every(100)",
];

#[test]
fn a_finished_run_has_the_lines_of_its_training_and_its_card() {
    let shell = shell();
    let trained = shell.ok(&["train", "tiny.coe", "--out", "run"]);
    let watched = shell.ok(&["watch", "run"]);
    assert_eq!(steps(&watched), steps(&trained));
    assert_eq!(steps(&watched).len(), 4);
    assert!(watched.contains("budget report card: tiny on cpu"), "{watched}");
    assert!(watched.contains("params.total <= 1M"), "{watched}");
    assert!(watched.contains("all 4 steps are done"), "{watched}");
}

#[test]
fn once_is_the_picture_as_text() {
    let shell = finished();
    let picture = shell.ok(&["watch", "run", "--once"]);
    for part in ["run", "step 4/4, done", "loss ", "val ", "speed ", "experts busiest ", "budgets 1 holds"] {
        assert!(picture.contains(part), "no `{part}` in:\n{picture}");
    }
    assert!(!picture.contains('\u{1b}'), "{picture}");
    let narrow = plain(&shell, &["watch", "run", "--once"]).env("COLUMNS", "60").output().unwrap();
    let narrow = String::from_utf8(narrow.stdout).unwrap();
    assert!(narrow.lines().all(|line| line.chars().count() <= 60), "{narrow}");
}

#[test]
fn programs_get_a_document() {
    let shell = finished();
    let document = shell.json(&["watch", "run", "--json"]);
    assert_eq!(document["standing"], "done");
    assert_eq!((&document["step"], &document["steps"]), (&4.into(), &4.into()));
    let metrics = shell.read("run/metrics.jsonl");
    let last: Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
    assert_eq!(document["latest"], last);
    assert_eq!(document["evaluated"]["val_loss"], last["val_loss"]);
    assert_eq!(document["saved"]["step"], 4);
    let experts = document["experts"].as_array().unwrap();
    assert_eq!(experts.len(), 4);
    assert_eq!(experts[0]["counts"].as_array().unwrap().len(), 4);
    assert_eq!(document["budgets"][0]["verdict"], "holds");
}

#[test]
fn what_is_no_run_is_said() {
    let shell = shell();
    shell.fails(&["watch", "missing"], 3, "coec::run::no_run");
    fs::create_dir(shell.path().join("empty")).unwrap();
    shell.fails(&["watch", "empty"], 3, "coec::run::incomplete");
    shell.fails(&["watch", "tiny.coe"], 3, "coec::run::not_a_directory");
    let finished = finished();
    let metrics = finished.read("run/metrics.jsonl");
    finished.write("run/metrics.jsonl", metrics.replacen("loss", "\"", 1));
    finished.fails(&["watch", "run"], 3, "coec::run::bad_line");
}

#[test]
fn a_run_is_followed_from_before_its_beginning_to_its_end() {
    let shell = shell();
    let watching = Background::start(&shell, &["watch", "run", "--wait"], "watch.log");
    let training =
        Background::start(&shell, &[&["train", "tiny.coe", "--out", "run"][..], &LONG].concat(), "train.log");
    let (code, trained) = training.end();
    assert_eq!(code, Some(0), "{trained}");
    let (code, watched) = watching.end();
    assert_eq!(code, Some(0), "{watched}");
    assert!(watched.starts_with("waiting for run to begin"), "{watched}");
    assert_eq!(steps(&watched), steps(&trained));
    assert!(watched.contains("budget report card"), "{watched}");
}

#[test]
fn a_run_that_is_killed_and_goes_on_is_followed_on() {
    let shell = shell();
    let metrics = shell.path().join("run/metrics.jsonl");
    let train: Vec<&str> = [&["train", "tiny.coe", "--out", "run"][..], &LONG].concat();
    let mut killed = Background::start(&shell, &train, "killed.log");
    wait_for_lines(&metrics, 250);
    let watching = Background::start(&shell, &["watch", "run", "--wait"], "watch.log");
    while !watching.printed().contains("step   225/") {
        thread::sleep(Duration::from_millis(10));
    }
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    let (_, resumed) = Background::start(&shell, &["train", "--resume", "run"], "resumed.log").end();
    let (code, watched) = watching.end();
    assert_eq!(code, Some(0), "{watched}");
    assert!(watched.contains("the run goes on from an earlier commit"), "{watched}");
    assert!(watched.contains("all 1500 steps are done"), "{watched}");
    // What came after the commit is said again, as it is now.
    let (watched, resumed) = (steps(&watched), steps(&resumed));
    assert!(watched.ends_with(&resumed[resumed.len() - 10..]), "{watched:#?}");
}

#[test]
fn a_run_that_nobody_works_on_is_left() {
    let shell = shell();
    let train: Vec<&str> = [&["train", "tiny.coe", "--out", "run"][..], &LONG].concat();
    let mut killed = Background::start(&shell, &train, "killed.log");
    wait_for_lines(&shell.path().join("run/metrics.jsonl"), 150);
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    let watched = shell.ok(&["watch", "run"]);
    assert!(watched.contains("nobody works on it: step "), "{watched}");
    assert!(watched.contains("go on with: coec train --resume run"), "{watched}");
    assert_eq!(shell.json(&["watch", "run", "--json"])["standing"], "left");
    // Half a line is none.
    let metrics = shell.read("run/metrics.jsonl");
    shell.write("run/metrics.jsonl", format!("{metrics}{{\"schema\": \"coec/1\", \"ste"));
    let lines = metrics.lines().count();
    assert_eq!(shell.json(&["watch", "run", "--json"])["step"], lines);
    // Without any, it is a run before its first step.
    fs::remove_file(shell.path().join("run/metrics.jsonl")).unwrap();
    assert_eq!(shell.json(&["watch", "run", "--json"])["step"], 0);
}

/// Every file below a folder: when it was written, and what it holds.
fn contents(folder: &Path) -> BTreeMap<std::path::PathBuf, (SystemTime, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(contents(&entry));
        } else {
            let written = entry.metadata().unwrap().modified().unwrap();
            let bytes = fs::read(&entry).unwrap();
            found.insert(entry, (written, bytes));
        }
    }
    found
}

#[test]
fn nothing_is_written_and_no_lock_taken() {
    let shell = finished();
    let before = contents(&shell.path().join("run"));
    shell.ok(&["watch", "run"]);
    shell.ok(&["watch", "run", "--once"]);
    shell.json(&["watch", "run", "--json"]);
    assert!(contents(&shell.path().join("run")) == before);
    // Where nothing may be written, nothing has to be.
    let watching = Background::start(&shell, &["watch", "run", "--wait"], "watch.log");
    let longer = shell.json(&["train", "--resume", "run", "--set", "train.steps=6", "--json"]);
    assert_eq!(longer["summary"]["steps"], 6);
    assert_eq!(watching.end().0, Some(0));
}

#[test]
fn keys_and_signals_end_it_and_the_terminal_is_as_it_was() {
    let shell = finished();
    let end = |act: &dyn Fn(&mut Terminal)| {
        let mut terminal = Terminal::start(&mut plain(&shell, &["watch", "run"]), 80, 24);
        terminal.wait_for("step 4/4, ", 0);
        act(&mut terminal);
        let (status, seen, is_as_before) = terminal.end();
        assert!(is_as_before, "{seen}");
        let (shown, last) = seen.split_once(LEAVE).unwrap_or_else(|| panic!("it is not left: {seen}"));
        assert!(shown.starts_with(ENTER), "{seen}");
        assert!(last.contains("run: step 4/4, loss "), "what stays is a line: {last}");
        status.code()
    };
    assert_eq!(end(&|terminal| terminal.types("q")), Some(0));
    assert_eq!(end(&|terminal| terminal.types("jjG\u{1b}[A\u{1b}[5~q")), Some(0));
    assert_eq!(end(&|terminal| terminal.signal("INT")), Some(130));
    assert_eq!(end(&|terminal| terminal.signal("TERM")), Some(143));
    assert_eq!(end(&|terminal| terminal.signal("HUP")), Some(129));
}

#[test]
fn it_fits_the_terminal_when_that_changes() {
    let shell = finished();
    let mut terminal = Terminal::start(&mut plain(&shell, &["watch", "run"]), 200, 60);
    terminal.wait_for("step 4/4, ", 0);
    for (columns, rows) in [(40, 12), (10, 3), (120, 40)] {
        let before = terminal.seen().len();
        terminal.resize(columns, rows);
        terminal.wait_for("\u{1b}[2J", before);
        terminal.wait_for("\u{1b}[1;1H", before);
        thread::sleep(Duration::from_millis(50));
        // No row below the last.
        let drawn = terminal.seen()[before..].to_owned();
        assert!(!drawn.contains(&format!("\u{1b}[{};1H", rows + 1)), "{columns} x {rows}: {drawn}");
    }
    terminal.types("q");
    assert_eq!(terminal.end().0.code(), Some(0));
}

#[test]
fn a_terminal_without_a_cursor_gets_lines() {
    let shell = finished();
    let terminal = Terminal::start(plain(&shell, &["watch", "run"]).env("TERM", "dumb"), 80, 24);
    let (status, seen, _) = terminal.end();
    assert_eq!(status.code(), Some(0));
    assert!(!seen.contains('\u{1b}') && seen.contains("step     4/4: loss"), "{seen}");
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let shell = finished();
    let coloured = |no_colour: &str| {
        let mut command = plain(&shell, &["watch", "run"]);
        let mut terminal = Terminal::start(command.env("NO_COLOR", no_colour), 80, 24);
        terminal.wait_for("step 4/4, ", 0);
        terminal.wait_for("budgets", 0);
        terminal.types("q");
        terminal.end().1.contains("\u{1b}[32m")
    };
    assert!(coloured("") && !coloured("1"));
}
