//! What a run survives, and how it says so: signals, faults of the disk, changes behind its back.
#![cfg(unix)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Shell, TINY, run_of};
use serde_json::Value;

/// A run that takes a while.
const LONG: [&str; 4] = ["--set", "train.steps=400", "--set", "train.eval=every(400, batches=1)"];

/// A run that is going on.
struct Going {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Going {
    fn start(shell: &Shell, args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coec"));
        command.args(args);
        Self::spawn(shell, command)
    }

    fn spawn(shell: &Shell, mut command: Command) -> Self {
        let command = command.env("COEC_CACHE", shell.path().join(".cache"));
        let command = command.current_dir(shell.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Waits until it prints something.
    fn wait_for(&mut self, text: &str) -> String {
        let found = self.lines.by_ref().map(Result::unwrap).find(|line| line.contains(text));
        found.unwrap_or_else(|| panic!("it ended without printing `{text}`"))
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Its exit code, and what it printed since.
    fn end(mut self) -> (Option<i32>, String) {
        let rest: Vec<String> = self.lines.map(Result::unwrap).collect();
        let output = self.child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!errors.contains("panicked"), "{errors}");
        self.child = Command::new("true").spawn().unwrap();
        (output.status.code(), rest.join("\n") + &errors)
    }
}

/// Whether the tests themselves run under nohup, which every run they start then honours.
fn ignores_hup() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

fn shell() -> Shell {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    shell
}

fn text() -> String {
    (0..400).map(|i| format!("{i} and {} make {}. ", i + 1, 2 * i + 1)).collect()
}

#[test]
fn every_signal_finishes_the_step_saves_and_the_run_goes_on_bit_for_bit() {
    let shell = shell();
    let long = |out: &str| [&["train", "tiny.coe", "--out", out][..], &LONG].concat().join("\n");
    let args = |out: &str| long(out).lines().map(str::to_owned).collect::<Vec<_>>();
    let whole: Vec<String> = args("whole");
    shell.ok(&whole.iter().map(String::as_str).collect::<Vec<_>>());
    let whole = run_of(&shell.path().join("whole"));
    let signals = [("INT", 130), ("TERM", 143), ("HUP", 129), ("USR1", 138)];
    for (signal, code) in signals.into_iter().filter(|(signal, _)| *signal != "HUP" || !ignores_hup()) {
        let args = args(signal);
        let mut going = Going::start(&shell, &args.iter().map(String::as_str).collect::<Vec<_>>());
        going.wait_for("step    20/");
        going.signal(signal);
        let asked = Instant::now();
        let (exit, rest) = going.end();
        assert_eq!(exit, Some(code), "{signal}: {rest}");
        assert!(asked.elapsed() < Duration::from_secs(30));
        assert!(rest.contains("budget report card"), "the card is shown: {rest}");
        assert!(rest.contains(&format!("go on with: coec train --resume {signal}")), "{rest}");
        let commits = fs::read_dir(shell.path().join(signal).join("commits")).unwrap().count();
        assert_eq!(commits, 1);
        let resumed = shell.json(&["train", "--resume", signal, "--json"]);
        assert_eq!(resumed["summary"]["steps"], 400);
        let mut resumed = run_of(&shell.path().join(signal));
        resumed.retain(|file, _| whole.contains_key(file));
        assert!(resumed == whole, "{signal}: the resumed run is the uninterrupted one");
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let shell = shell();
    // One step that takes longer than anybody waits.
    let slow = ["--set", "train.batch=65536", "--set", "train.steps=2"];
    let mut going = Going::start(&shell, &[&["train", "tiny.coe", "--out", "r"][..], &slow].concat());
    going.wait_for("run: r");
    going.signal("INT");
    std::thread::sleep(Duration::from_millis(300));
    let second = Instant::now();
    going.signal("INT");
    assert_eq!(going.end().0, Some(130));
    assert!(second.elapsed() < Duration::from_secs(2), "{:?}", second.elapsed());
}

#[test]
fn nohup_is_honoured() {
    let shell = shell();
    let mut command = Command::new("sh");
    let run = format!(
        "trap '' HUP; exec {} train tiny.coe --out r {}",
        env!("CARGO_BIN_EXE_coec"),
        "--set \
        train.steps=400"
    );
    command.args(["-c", &run]);
    let mut going = Going::spawn(&shell, command);
    going.wait_for("step    20/");
    going.signal("HUP");
    let (exit, rest) = going.end();
    assert_eq!(exit, Some(0), "{rest}");
}

#[test]
fn a_signal_before_the_first_step_ends_at_once_and_leaves_nothing() {
    let shell = shell();
    shell.write("text.txt", text().repeat(2000));
    let sets = ["--set", "vocab=60000", "--set", "train.tokenizer=bpe(vocab=60000)"];
    let mut going = Going::start(&shell, &[&["train", "tiny.coe", "--data", "text.txt"][..], &sets].concat());
    going.wait_for("counted:");
    std::thread::sleep(Duration::from_millis(50));
    going.signal("TERM");
    let asked = Instant::now();
    let (exit, rest) = going.end();
    assert_eq!(exit, Some(143), "{rest}");
    assert!(rest.contains("nothing to save"), "{rest}");
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    assert!(!shell.path().join("runs").exists());
}

#[test]
fn a_step_that_takes_too_long_is_dropped_and_the_state_before_it_saved() {
    let shell = shell();
    let slow = ["--set", "train.batch=65536", "--set", "train.steps=2", "--max-time", "4"];
    let going = Going::start(&shell, &[&["train", "tiny.coe", "--out", "r"][..], &slow].concat());
    let started = Instant::now();
    let (exit, rest) = going.end();
    assert_eq!(exit, Some(143), "{rest}");
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    assert!(rest.contains("was dropped; step 0 is saved"), "{rest}");
    assert!(shell.path().join("r/commits/step-00000000/manifest.json").is_file());
}

#[test]
fn a_time_limit_ends_a_run_saved_and_in_time() {
    let shell = shell();
    let going = Going::start(
        &shell,
        &["train", "tiny.coe", "--out", "r", "--set", "train.steps=1000000", "--max-time", "3s"],
    );
    let started = Instant::now();
    let (exit, rest) = going.end();
    assert_eq!(exit, Some(143), "{rest}");
    assert!(started.elapsed() < Duration::from_millis(4500), "{:?}", started.elapsed());
    assert!(rest.contains("stopped and saved"), "{rest}");
    shell.fails(&["train", "tiny.coe", "--max-time", "soon"], 2, "");
}

#[test]
fn a_finished_run_shows_its_card_and_can_be_made_longer() {
    let shell = shell();
    shell.ok(&["train", "tiny.coe", "--out", "r"]);
    let before = run_of(&shell.path().join("r"));
    let shown = shell.ok(&["train", "--resume", "r"]);
    assert!(shown.contains("budget report card") && shown.contains("train.steps=N"), "{shown}");
    assert_eq!(shell.json(&["train", "--resume", "--out", "r", "--json"])["summary"]["steps"], 4);
    assert!(run_of(&shell.path().join("r")) == before, "nothing changed");

    let longer = shell.ok(&["train", "--resume", "r", "--set", "train.steps=10"]);
    assert!(longer.contains("train.steps was 4 and is 10"), "the jump is printed: {longer}");
    assert!(longer.contains("learning rate goes from"), "{longer}");
    let metrics = shell.read("r/metrics.jsonl");
    let steps: Vec<u64> = metrics
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["step"].as_u64().unwrap())
        .collect();
    assert_eq!(steps, (1..=10).collect::<Vec<_>>());
    assert!(shell.read("r/spec.coe").contains("steps      = 10"));
    shell.fails(&["train", "--resume", "r", "--set", "train.steps=6"], 2, "coec::train::resume");
    shell.fails(&["train", "--resume", "r", "--set", "train.seed=6"], 2, "coec::train::resume");
    shell.fails(&["train", "--resume"], 2, "coec::train::resume");
    shell.fails(&["train", "--resume", "none"], 3, "coec::run::no_run");
}

#[test]
fn a_mistake_leaves_no_directory() {
    let shell = shell();
    shell.fails(&["train", "tiny.coe", "--data", "none.txt"], 3, "coec::data::no_match");
    shell.fails(&["train", "tiny.coe", "--weights", "none"], 3, "coec::weights::unreadable");
    shell.fails(&["train", "tiny.coe", "--out", "x/y", "--data", "none.txt"], 3, "coec::data::no_match");
    assert_eq!(fs::read_dir(shell.path()).unwrap().count(), 1, "only the spec");
}

#[test]
fn two_processes_never_share_a_run() {
    let shell = shell();
    let mut going = Going::start(&shell, &[&["train", "tiny.coe", "--out", "r"][..], &LONG].concat());
    going.wait_for("step     1/");
    let shown = shell.fails(&["train", "--resume", "r"], 3, "coec::run::locked");
    assert!(shown.contains(&going.child.id().to_string()), "the process is named: {shown}");
    going.signal("INT");
    going.end();
}

#[test]
fn a_run_killed_before_its_first_commit_starts_at_step_0() {
    let shell = shell();
    let mut going = Going::start(&shell, &[&["train", "tiny.coe", "--out", "r"][..], &LONG].concat());
    going.wait_for("step    20/");
    going.signal("KILL");
    going.end();
    shell.fails(&["generate", "r", "--prompt", "x"], 3, "coec::run::incomplete");
    assert_eq!(shell.json(&["train", "--resume", "r", "--json"])["summary"]["steps"], 400);
    assert_eq!(shell.read("r/metrics.jsonl").lines().count(), 400, "each step stands once in the log");
}

#[test]
fn a_run_from_given_weights_is_resumed_from_those_weights() {
    let shell = shell();
    shell.ok(&["train", "tiny.coe", "--out", "base"]);
    let from = [&["train", "tiny.coe", "--weights", "base/model.safetensors", "--out"][..]].concat();
    shell.ok(&[&from[..], &["whole"], &LONG].concat());
    let mut going = Going::start(&shell, &[&from[..], &["cut"], &LONG].concat());
    going.wait_for("step    20/");
    going.signal("KILL");
    going.end();
    shell.ok(&["train", "--resume", "cut"]);
    let (mut cut, whole) = (run_of(&shell.path().join("cut")), run_of(&shell.path().join("whole")));
    cut.retain(|file, _| whole.contains_key(file));
    assert!(cut == whole);
}

#[test]
fn what_changed_behind_a_run_is_refused_by_name() {
    let shell = shell();
    shell.write("text.txt", text());
    let args = ["train", "tiny.coe", "--data", "text.txt", "--out", "r"];
    shell.ok(&args);
    let longer = ["train", "--resume", "r", "--set", "train.steps=6"];

    shell.write("text.txt", text() + "more");
    let shown = shell.fails(&longer, 3, "coec::run::changed");
    assert!(shown.contains("the data had"), "{shown}");
    shell.write("text.txt", text().replace("17 and", "18 and"));
    assert!(shell.fails(&longer, 3, "coec::run::changed").contains("as many bytes"));
    shell.write("text.txt", text());

    let tokenizer = shell.read("r/tokenizer.json");
    shell.write("r/tokenizer.json", format!("{tokenizer}\n"));
    assert!(shell.fails(&longer, 3, "coec::run::changed").contains("the tokenizer"));
    shell.write("r/tokenizer.json", tokenizer);

    let spec = shell.read("r/spec.coe");
    shell.write("r/spec.coe", spec.replace("hidden=8", "hidden=16").replace("seed       = 42", "seed = 1"));
    let shown = shell.fails(&longer, 2, "coec::run::changed");
    assert!(shown.contains("ffn.hidden was 8 and is 16") && shown.contains("train.seed was 42"), "{shown}");
    shell.write("r/spec.coe", spec);
    shell.ok(&longer);
}

#[test]
fn moved_data_is_found_in_folders_with_brackets_too() {
    let shell = shell();
    let folder = |name: &str| {
        fs::create_dir_all(shell.path().join(name)).unwrap();
        shell.write(&format!("{name}/a[1].txt"), text());
        shell.write(&format!("{name}/b.txt"), text());
    };
    folder("old [x]");
    shell.ok(&["train", "tiny.coe", "--data", "old [[]x]/*.txt", "--out", "r"]);
    shell.ok(&["train", "--resume", "r", "--set", "train.steps=5"]);
    folder("new [y]");
    fs::remove_dir_all(shell.path().join("old [x]")).unwrap();
    shell.fails(&["train", "--resume", "r", "--set", "train.steps=6"], 3, "coec::data::no_match");
    shell.ok(&["train", "--resume", "r", "--set", "train.steps=6", "--data", "new [[]y]/*.txt"]);
    // From then on it is known where the data is.
    shell.ok(&["train", "--resume", "r", "--set", "train.steps=7"]);
    // A name with a bracket is a name first.
    shell.ok(&["train", "tiny.coe", "--data", "new [y]/a[1].txt", "--out", "one"]);
    shell.ok(&["train", "--resume", "one", "--set", "train.steps=5"]);
}

#[test]
fn data_that_disappears_during_training_costs_nothing() {
    let shell = shell();
    shell.write("text.txt", text());
    let args = [&["train", "tiny.coe", "--data", "text.txt", "--out", "r"][..], &LONG].concat();
    let mut going = Going::start(&shell, &args);
    going.wait_for("step     1/");
    fs::remove_file(shell.path().join("text.txt")).unwrap();
    let (exit, rest) = going.end();
    assert_eq!(exit, Some(0), "{rest}");
    assert!(rest.contains("\n> ") && rest.contains("budget report card"), "samples and card: {rest}");
}

#[test]
fn a_log_that_cannot_be_written_is_a_warning_and_its_lines_come_later() {
    let shell = shell();
    shell.ok(&["train", "tiny.coe", "--out", "r"]);
    let kept = shell.read("r/metrics.jsonl");
    fs::remove_file(shell.path().join("r/metrics.jsonl")).unwrap();
    // A device that is always full.
    std::os::unix::fs::symlink("/dev/full", shell.path().join("r/metrics.jsonl")).unwrap();
    let shown = shell.ok(&["train", "--resume", "r", "--set", "train.steps=8"]);
    assert!(shown.contains("warning") && shown.contains("metrics.jsonl"), "{shown}");
    assert!(shown.contains("budget report card"), "{shown}");
    fs::remove_file(shell.path().join("r/metrics.jsonl")).unwrap();
    shell.write("r/metrics.jsonl", kept);
    shell.ok(&["train", "--resume", "r"]);
    let lines = shell.read("r/metrics.jsonl");
    let steps = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["step"].clone());
    assert_eq!(steps.collect::<Vec<_>>(), (1..=8).map(Value::from).collect::<Vec<_>>());
}

#[test]
fn a_save_that_fails_is_tried_again_and_one_that_fails_to_the_end_is_an_error() {
    let shell = shell();
    let sets = ["--set", "train.save=every(100)", "--set", "train.steps=400"];
    let mut going = Going::start(&shell, &[&["train", "tiny.coe", "--out", "r"][..], &sets].concat());
    going.wait_for("run: r");
    // In the way of every commit.
    shell.write("r/commits", "");
    going.wait_for("warning: ");
    fs::remove_file(shell.path().join("r/commits")).unwrap();
    let (exit, rest) = going.end();
    assert_eq!(exit, Some(0), "{rest}");
    assert!(shell.path().join("r/commits/step-00000400").is_dir());

    let mut going = Going::start(&shell, &[&["train", "tiny.coe", "--out", "s"][..], &sets].concat());
    going.wait_for("run: s");
    shell.write("s/commits", "");
    let (exit, rest) = going.end();
    assert_eq!(exit, Some(3), "{rest}");
    assert!(rest.contains("coec::run::unwritable") && rest.contains("budget report card"), "{rest}");
}

#[test]
fn a_damaged_commit_is_named_and_the_one_before_it_gone_on_with() {
    let shell = shell();
    let sets = ["--set", "train.save=every(2)", "--set", "train.steps=20"];
    shell.ok(&[&["train", "tiny.coe", "--out", "whole"][..], &sets].concat());
    shell.ok(&[&["train", "tiny.coe", "--out", "r"][..], &sets].concat());
    let path = shell.path().join("r/commits/step-00000020/optimizer.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, bytes).unwrap();
    let shown = shell.ok(&["train", "--resume", "r"]);
    assert!(shown.contains("optimizer.safetensors is damaged: its bytes were changed"), "{shown}");
    assert!(shown.contains("step-00000020.damaged") && shown.contains("going on from step 18"), "{shown}");
    fs::remove_dir_all(shell.path().join("r/commits/step-00000020.damaged")).unwrap();
    assert!(run_of(&shell.path().join("r")) == run_of(&shell.path().join("whole")));
}

#[test]
fn other_threads_and_another_backend_are_said() {
    let shell = shell();
    shell.ok(&["train", "tiny.coe", "--out", "r"]);
    let output = Command::new(env!("CARGO_BIN_EXE_coec"))
        .args(["train", "--resume", "r", "--set", "train.steps=5", "--backend", "ndarray", "--json"])
        .env("RAYON_NUM_THREADS", "7")
        .current_dir(shell.path())
        .env("COEC_CACHE", shell.path().join(".cache"))
        .output()
        .unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let notes = document["notes"].to_string();
    assert!(notes.contains("backend: cpu so far, ndarray from here on"), "{notes}");
    assert!(notes.contains("so far, 7 from here on"), "{notes}");
}

#[test]
fn a_finished_run_of_another_spec_is_refused_and_nothing_is_removed() {
    let shell = shell();
    shell.ok(&["train", "tiny.coe", "--out", "r", "--set", "train.save=every(1)", "--set", "train.keep=4"]);
    let commits = || fs::read_dir(shell.path().join("r/commits")).unwrap().count();
    assert_eq!(commits(), 4);
    let spec = shell.read("r/spec.coe");
    shell.write("r/spec.coe", spec.replace("seed       = 42", "seed = 43"));
    shell.fails(&["train", "--resume", "r", "--set", "train.keep=1"], 2, "coec::run::changed");
    assert_eq!(commits(), 4, "a refusal removes nothing");
}

#[test]
fn a_card_of_another_step_is_not_shown() {
    let shell = shell();
    shell.ok(&["train", "tiny.coe", "--out", "r"]);
    let stale = shell.read("r/budget.json");
    shell.ok(&["train", "--resume", "r", "--set", "train.steps=6"]);
    // As if it had been killed between its last commit and its card.
    shell.write("r/budget.json", stale);
    let document = shell.json(&["train", "--resume", "r", "--json"]);
    assert_eq!(document["summary"]["card"]["steps"], 6);
}

#[test]
fn a_budget_over_another_spec_holds_when_the_run_goes_on() {
    let shell = shell();
    shell.write("other.coe", TINY.replace("model tiny", "model other"));
    shell.write(
        "pair.coe",
        format!("{TINY}\nbudget {{ params.total == params.total(\"other.coe\") +- 50% }}"),
    );
    let rules = |document: Value| document["summary"]["card"]["budgets"].as_array().unwrap().len();
    assert_eq!(rules(shell.json(&["train", "pair.coe", "--out", "r", "--json"])), 1);
    fs::remove_file(shell.path().join("other.coe")).unwrap();
    let longer = ["train", "--resume", "r", "--set", "train.steps=5", "--json"];
    assert_eq!(rules(shell.json(&longer)), 1);
}

#[test]
fn lines_that_somebody_removed_are_missed() {
    let shell = shell();
    shell.ok(&["train", "tiny.coe", "--out", "r"]);
    let first = shell.read("r/metrics.jsonl").lines().next().unwrap().to_owned() + "\n";
    shell.write("r/metrics.jsonl", first);
    let shown = shell.ok(&["train", "--resume", "r", "--set", "train.steps=5"]);
    assert!(shown.contains("metrics.jsonl lacks 3 lines"), "{shown}");
}

#[test]
fn a_limit_on_the_size_of_files_is_no_end() {
    let shell = shell();
    let mut command = Command::new("sh");
    let run = format!(
        "ulimit -f 40; exec {} train tiny.coe --out r --set 'train.save=every(2)'",
        env!("CARGO_BIN_EXE_coec")
    );
    command.args(["-c", &run]);
    let (exit, rest) = Going::spawn(&shell, command).end();
    assert_eq!(exit, Some(3), "it ends as one whose commits fail: {rest}");
    assert!(rest.contains("budget report card") && rest.contains("warning"), "{rest}");
}

#[test]
fn a_folder_that_a_killed_process_began_to_fill_can_be_taken() {
    let shell = shell();
    fs::create_dir(shell.path().join("r")).unwrap();
    shell.write("r/.lock", "1\n");
    shell.write("r/tokenizer.json", "{}");
    shell.write("r/.spec.coe.0.tmp", "mod");
    shell.ok(&["train", "tiny.coe", "--out", "r"]);
    assert!(!shell.path().join("r/.spec.coe.0.tmp").exists());
    // Somebody's own file is no such folder.
    fs::create_dir(shell.path().join("s")).unwrap();
    shell.write("s/tokenizer.json", "{}");
    shell.fails(&["train", "tiny.coe", "--out", "s"], 2, "coec::run::exists");
}

#[test]
fn there_must_be_room_for_three_commits() {
    let shell = Shell::new();
    // Twelve bytes a parameter, three times over: more than any disk has.
    shell.write("huge.coe", "model huge { dim=65536 layers=512 ffn=moe(k=1, experts=4096, hidden=65536) }");
    let shown = shell.fails(&["train", "huge.coe"], 3, "coec::run::no_room");
    assert!(shown.contains("bytes free") && !shell.path().join("runs").exists(), "{shown}");
}

#[test]
fn experts_and_tensors_that_nothing_moved_are_named() {
    let shell = Shell::new();
    // The only expert of a group that is never kept is never selected; a router over one expert has no
    // gradient, since its score is always one.
    shell.write(
        "dead.coe",
        "model dead { vocab=256 context=8 dim=16 layers=1 attention=mha(heads=2)
            ffn=moe(k=1, experts=1, hidden=8) }
        train { steps=3 batch=2 context=8 eval=every(3, batches=1) }",
    );
    let document = shell.json(&["train", "dead.coe", "--out", "r", "--json"]);
    let unmoved = &document["summary"]["card"]["unmoved"];
    assert_eq!(unmoved["tensors"], serde_json::json!(["model.layers.0.mlp.gate.weight"]));
    assert_eq!(unmoved["experts"], serde_json::json!([]));
    let shown = shell.ok(&["train", "dead.coe", "--out", "s"]);
    assert!(
        shown.contains("never moved by a gradient") && shown.contains("model.layers.0.mlp.gate.weight"),
        "{shown}"
    );

    shell.write(
        "idle.coe",
        "model idle { vocab=256 context=8 dim=16 layers=1 attention=mha(heads=2)
            ffn=moe(k=1, experts=64, hidden=8) }
        train { steps=1 batch=1 context=8 eval=every(1, batches=1) }",
    );
    let document = shell.json(&["train", "idle.coe", "--out", "i", "--json"]);
    let experts = document["summary"]["card"]["unmoved"]["experts"][0]["experts"].as_array().unwrap().len();
    assert!((56..64).contains(&experts), "8 tokens select at most 8 of 64 experts: {experts}");
}

#[test]
fn validation_does_not_depend_on_accumulation() {
    let shell = shell();
    let loss = |parts: &str| {
        let set = format!("train.accumulate={parts}");
        // Without a learning rate the weights are the same whatever the parts.
        let args = ["train", "tiny.coe", "--out", parts, "--json", "--set", &set, "--set"];
        let document = shell.json(&[&args[..], &["train.optimizer.lr=0.0"]].concat());
        document["summary"]["val_loss"].as_f64().unwrap()
    };
    let whole = loss("1");
    for parts in ["2", "4"] {
        assert!((loss(parts) - whole).abs() < 1e-7 * whole, "{parts} parts");
    }
}

#[test]
fn runs_of_an_earlier_version_generate_and_export() {
    let shell = shell();
    shell.ok(&["train", "tiny.coe", "--out", "r"]);
    // Such a directory has its weights and no commits.
    fs::remove_dir_all(shell.path().join("r/commits")).unwrap();
    fs::remove_file(shell.path().join("r/.lock")).unwrap();
    shell.ok(&["generate", "r", "--prompt", "1", "--tokens", "2"]);
    shell.ok(&["eval", "r", "--data", "tiny.coe"]);
    let shown = shell.fails(&["train", "--resume", "r"], 2, "coec::run::earlier");
    assert!(shown.contains("--weights"), "{shown}");
}

#[test]
fn a_run_is_measured_on_other_text() {
    let shell = shell();
    shell.ok(&["train", "tiny.coe", "--out", "r"]);
    let text: String = text().chars().take(16 * 5 + 8).collect();
    shell.write("other.txt", &text);
    let found = shell.json(&["eval", "r", "--data", "other.txt", "--json"]);
    assert_eq!((found["tokens"].as_u64(), found["bytes"].as_u64()), (Some(88), Some(88)));
    assert_eq!(found["nats_per_byte"], found["loss"], "a byte is a token");

    // The same by hand: sequences of 16 tokens and one of 7, each through `forward`.
    let ids: Vec<i64> = text.bytes().map(i64::from).collect();
    let (mut sum, mut count) = (0.0, 0.0);
    for (number, window) in (0..87).step_by(16).map(|start| &ids[start..(start + 17).min(88)]).enumerate() {
        let length = window.len() - 1;
        let bytes = |ids: &[i64]| ids.iter().flat_map(|id| id.to_le_bytes()).collect::<Vec<_>>();
        let (tokens, targets) = (bytes(&window[..length]), bytes(&window[1..]));
        let shape = vec![1, length];
        let view = |data| {
            safetensors::tensor::TensorView::new(safetensors::Dtype::I64, shape.clone(), data).unwrap()
        };
        let file = safetensors::serialize([("tokens", view(&tokens)), ("targets", view(&targets))], None);
        shell.write("t", file.unwrap());
        let out = format!("o{number}");
        let weights = "r/model.safetensors";
        shell.ok(&["forward", "tiny.coe", "--weights", weights, "--tokens", "t", "--out", &out]);
        let output = fs::read(shell.path().join(&out)).unwrap();
        let output = safetensors::SafeTensors::deserialize(&output).unwrap();
        let loss = output.tensor("loss").unwrap().data().to_vec();
        sum += f64::from(f32::from_le_bytes(loss.try_into().unwrap())) * length as f64;
        count += length as f64;
    }
    let expected = sum / count;
    assert!((found["loss"].as_f64().unwrap() / expected - 1.0).abs() < 1e-6, "{found} {expected}");

    shell.write("rows.jsonl", "{\"question\": \"1 + 1?\", \"answer\": \"2\"}\n");
    assert_eq!(shell.json(&["eval", "r", "--data", "rows.jsonl", "--json"])["bytes"], 8);
    shell.fails(&["eval", "r", "--data", "none.txt"], 3, "coec::data::no_match");
    shell.write("short.txt", "1");
    assert!(
        shell.fails(&["eval", "r", "--data", "short.txt"], 3, "coec::data::too_small").contains("measured")
    );
    shell.fails(&["eval", "r", "--data", "other.txt", "--context", "17"], 2, "coec::cli::context");
    shell.fails(&["eval", "none", "--data", "other.txt"], 3, "coec::run::no_run");
}

/// The tensors of `moved.json`: the norms they began with, and how far they are from there.
fn moved(shell: &Shell, run: &str) -> Vec<(String, f64, f64)> {
    let document: Value = serde_json::from_str(&shell.read(&format!("{run}/moved.json"))).unwrap();
    assert_eq!(document["schema"], "coec/1");
    let tensors = document["tensors"].as_array().unwrap().iter();
    let of = |tensor: &Value| {
        let number = |name: &str| tensor[name].as_f64().unwrap();
        (tensor["name"].as_str().unwrap().to_owned(), number("start"), number("change"))
    };
    tensors.map(of).collect()
}

#[test]
fn how_far_each_tensor_moved_is_kept_from_where_the_run_began() {
    let shell = shell();
    let still = ["--set", "train.optimizer.lr=0.0"];
    shell.ok(&[&["train", "tiny.coe", "--out", "still"][..], &still].concat());
    shell.ok(&["train", "tiny.coe", "--out", "fresh"]);
    let (resting, fresh) = (moved(&shell, "still"), moved(&shell, "fresh"));
    assert!(resting.iter().all(|(_, _, change)| *change == 0.0), "what learns nothing stays");
    assert!(fresh.iter().all(|(_, start, change)| *start > 0.0 && *change > 0.0), "{fresh:?}");
    let norm = |name: &str| fresh.iter().find(|(other, ..)| other == name).unwrap().1;
    assert_eq!(norm("model.norm.weight"), 4.0, "16 ones");

    // From given weights the start is those, and they are kept.
    let from = ["--weights", "fresh/model.safetensors"];
    shell.ok(&[&["train", "tiny.coe", "--out", "on"][..], &from, &still].concat());
    let kept = fs::read(shell.path().join("on/start.safetensors")).unwrap();
    let of = |bytes: &[u8]| {
        let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
        file.tensor("model.norm.weight").unwrap().data().to_vec()
    };
    assert_eq!(of(&kept), of(&fs::read(shell.path().join("fresh/model.safetensors")).unwrap()));
    let on = moved(&shell, "on");
    assert!(on.iter().all(|(_, _, change)| *change == 0.0));
    assert!(on.iter().zip(&fresh).any(|(on, fresh)| on.1 != fresh.1), "another start than that of the seed");
}

#[test]
fn a_run_that_is_stopped_does_not_say_how_far_it_moved() {
    let shell = shell();
    let going = Going::start(
        &shell,
        &["train", "tiny.coe", "--out", "r", "--set", "train.steps=100000", "--max-time", "2s"],
    );
    assert_eq!(going.end().0, Some(143));
    // Going through all tensors may take longer than there is time.
    assert!(!shell.path().join("r/moved.json").exists());
}
