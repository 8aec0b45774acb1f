//! Recomputation on the command line: the same run in less memory, counted and budgeted.

mod common;

use std::fs;

use common::{Shell, TINY};
use serde_json::Value;

/// A row of a run's card.
fn row(shell: &Shell, run: &str, figure: &str) -> Value {
    let card: Value = serde_json::from_str(&shell.read(&format!("{run}/budget.json"))).unwrap();
    let rows = card["rows"].as_array().unwrap();
    rows.iter().find(|row| row["figure"] == figure).unwrap_or_else(|| panic!("no {figure}")).clone()
}

/// `flops.executed_train` of a run, however it was counted.
fn executed(shell: &Shell, run: &str) -> f64 {
    let row = row(shell, run, "flops.executed_train");
    let counts = ["closed_form", "captured", "measured"].map(|count| row[count].as_f64().unwrap());
    assert!(counts.iter().all(|count| (count / counts[0] - 1.0).abs() < 1e-9), "{row}");
    counts[0]
}

/// The weights and moments of a run's last commit.
fn state(shell: &Shell, run: &str) -> [Vec<u8>; 2] {
    let commit = shell.path().join(run).join("commits/step-00000006");
    ["model.safetensors", "optimizer.safetensors"].map(|file| fs::read(commit.join(file)).unwrap())
}

const SETS: [&str; 4] = ["--set", "train.schedule=constant(warmup=0)", "--set", "train.accumulate=2"];

/// What is measured of a loop is what every pass multiplied, computed again or not.
#[test]
fn a_loop_is_measured_pass_by_pass() {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY.replace("layers=2", "layers=3 loop[1..3]=2"));
    for word in ["none", "experts", "layers"] {
        let set = format!("train.recompute={word}");
        shell.ok(&["train", "tiny.coe", "--out", word, "--set", &set]);
        executed(&shell, word);
    }
}

#[test]
fn a_run_computes_again_what_it_is_told_and_goes_on_with_another_word() {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    let train = |out: &str, more: &[&str]| {
        shell.ok(&[&["train", "tiny.coe", "--out", out][..], &SETS, more].concat())
    };
    train("kept", &["--set", "train.steps=6"]);
    for word in ["experts", "layers"] {
        let set = format!("train.recompute={word}");
        let said = train(word, &["--set", "train.steps=6", "--set", &set]);
        assert!(said.contains(&format!("2 x 16 tokens, f32, recompute={word}")), "{said}");
        assert!(state(&shell, word) == state(&shell, "kept"), "{word}");
    }
    assert!(executed(&shell, "kept") < executed(&shell, "experts"));
    assert!(executed(&shell, "experts") < executed(&shell, "layers"));

    train("changed", &["--set", "train.steps=3", "--set", "train.recompute=experts"]);
    let longer =
        ["train", "--resume", "changed", "--set", "train.steps=6", "--set", "train.recompute=layers"];
    let said = shell.ok(&longer);
    assert!(said.contains("train.recompute was experts and is layers"), "{said}");
    assert!(shell.read("changed/spec.coe").contains("recompute  = layers"));
    assert!(state(&shell, "changed") == state(&shell, "kept"));
    assert_eq!(executed(&shell, "changed"), executed(&shell, "layers"));
}

#[test]
fn budgets_and_figures_follow() {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    let figures = |word: &str| {
        let cost = shell.json(&["cost", "tiny.coe", "--batch", "4", "--recompute", word, "--json"]);
        assert_eq!(cost["models"][0]["setting"]["recompute"], word);
        ["flops.train", "flops.executed", "flops.executed_train", "memory.train"]
            .map(|figure| cost["models"][0]["figures"][figure].as_u64().unwrap())
    };
    let [kept, experts, layers] = ["none", "experts", "layers"].map(figures);
    assert_eq!(kept[2], 3 * kept[1]);
    assert!(kept[..2] == experts[..2] && kept[..2] == layers[..2], "the others take no such condition");
    assert!(kept[2] < experts[2] && experts[2] < layers[2]);
    assert!(kept[3] > experts[3] && experts[3] > layers[3]);

    let [flops, memory] = [experts[2], experts[3]];
    let budget = format!(
        "budget {{
    flops.executed_train == {flops} @ recompute=experts
    memory.train         == {memory} @ batch=4, recompute=experts
}}"
    );
    shell.write("held.coe", format!("{TINY}{budget}"));
    shell.ok(&["check", "held.coe"]);
    shell.write("kept.coe", format!("{TINY}{}", budget.replace("experts", "none")));
    let said = shell.fails(&["check", "kept.coe"], 1, "coec::budget::violated");
    assert!(said.contains("flops.executed_train is") && said.contains("memory.train is"), "{said}");
}

#[test]
fn build_counts_a_step_of_the_spec_s_training() {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    let said = shell.ok(&["build", "tiny.coe", "--set", "train.recompute=layers", "--out", "crate"]);
    assert!(said.contains("recompute=layers") && !said.contains("DISAGREE"), "{said}");
    assert!(shell.read("crate/spec.coe").contains("recompute  = layers"));
    // The crate's own test runs its model as it is.
    let budget: Value = serde_json::from_str(&shell.read("crate/budget.json")).unwrap();
    let [forward, backward] =
        ["forward_flops", "backward_flops"].map(|count| budget["captured"][count].as_u64().unwrap());
    assert_eq!(backward, 2 * forward);
    assert!(shell.read("crate/src/nn/recompute.rs").contains("pub fn recompute"));
}
