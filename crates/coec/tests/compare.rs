//! Experiments: arms trained alike, and what that shows.

mod common;

use std::fs;

use common::{Shell, TINY};
use serde_json::{Value, json};

/// Two arms of equal cost: the same chain, and one whose experts learn from a tenth of the rate.
fn shell() -> Shell {
    let shell = Shell::new();
    shell.write("a.coe", TINY.replace("model tiny", "model a"));
    shell.write("b.coe", TINY.replace("model tiny", "model b"));
    shell
}

/// Enough of a training to tell arms apart.
const SHORT: [&str; 4] = ["--set", "train.steps=12", "--set", "train.eval=every(6, batches=1)"];

fn compare<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&["compare"], args, &SHORT[..]].concat()
}

fn document(shell: &Shell, name: &str) -> Value {
    serde_json::from_str(&shell.read(name)).unwrap()
}

#[test]
fn a_comparison_ends_in_a_table_and_a_sentence() {
    let shell = shell();
    shell.write(
        "slow.coe",
        format!(
            "{}\n",
            TINY.replace("model tiny", "model slow")
                .replace("train {", "train { optimizer=adamw(lr=0.000001)")
        ),
    );
    let shown = shell.ok(&compare(&["a.coe", "slow.coe", "--out", "c"]));
    assert!(shown.contains("compute-fair: flops.forward within 1%"), "{shown}");
    let claim = "established at this scale: the validation loss of a is lower than that of slow (-";
    assert!(shown.contains(claim), "{shown}");
    let found = document(&shell, "c/compare.json");
    let pair = &found["pairs"][0];
    assert_eq!(
        (&pair["a"], &pair["b"], &pair["verdict"]),
        (&"a".into(), &"slow".into(), &"established".into())
    );
    assert_eq!((&pair["fair"], &pair["differs"]), (&true.into(), &Value::Array(vec![])));
    let numbers =
        |value: &Value| value.as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect::<Vec<_>>();
    let [a, slow] = [0, 1].map(|arm| numbers(&found["arms"][arm]["val_loss"]["values"]));
    assert_eq!(a.len(), 3);
    let mean = a.iter().zip(&slow).map(|(a, slow)| a - slow).sum::<f64>() / 3.0;
    assert!((pair["difference"]["mean"].as_f64().unwrap() - mean).abs() < 1e-12);
    assert_eq!(pair["difference"]["confidence"], 0.95);
    // Each run is an ordinary one, which says the same.
    for (arm, run) in found["arms"][0]["runs"].as_array().unwrap().iter().enumerate() {
        let dir = format!("c/{}", run.as_str().unwrap());
        let resumed = shell.json(&["train", "--resume", &dir, "--json"]);
        assert_eq!(resumed["summary"]["val_loss"], a[arm]);
    }
    // The other way round it is reversed.
    let turned = shell.json(&[&compare(&["slow.coe", "a.coe", "--out", "d"])[..], &["--json"]].concat());
    assert_eq!(turned["pairs"][0]["verdict"], "reversed");
}

#[test]
fn runs_are_evaluated_often_enough_to_be_compared_where_as_much_was_spent() {
    let shell = shell();
    let args = ["compare", "a.coe", "b.coe", "--seeds", "1", "--set", "train.steps=4"];
    let shown = shell.ok(&[&args[..], &["--out", "c"]].concat());
    assert!(shown.contains("evaluated every 1 step,"), "{shown}");
    let axes = |dir: &str| {
        let found = document(&shell, &format!("{dir}/compare.json"));
        let at = found["pairs"][0]["at_equal"].as_array().unwrap().clone();
        at.iter().map(|at| at["axis"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(axes("c"), ["steps", "tokens", "FLOPs"]);
    let timings = document(&shell, "c/timings.json");
    assert!(timings["pairs"][0]["at_equal"]["spent"].as_f64().unwrap() > 0.0, "{timings}");
    // Who says how often is left alone.
    let shown = shell.ok(&[&args[..], &["--out", "d", "--set", "train.eval=every(100, batches=1)"]].concat());
    assert!(!shown.contains("evaluated every"), "{shown}");
}

#[test]
fn arms_that_do_not_cost_the_same_are_refused_or_labelled() {
    let shell = shell();
    let wide = ["compare", "a.coe", "wide.coe", "--out", "c", "--seeds", "1"];
    shell.write("wide.coe", TINY.replace("model tiny", "model wide").replace("hidden=8", "hidden=16"));
    for args in [&wide[..], &[&wide[..], &["--check"]].concat()] {
        let output = shell.coec(args);
        assert_eq!(output.status.code(), Some(1));
        let shown = String::from_utf8(output.stdout).unwrap();
        assert!(
            shown.contains("not compute-fair: a against wide") && shown.contains("flops.forward"),
            "{shown}"
        );
    }
    assert!(!shell.path().join("c").exists());
    let shown = shell.ok(&[&wide[..], &["--force"], &SHORT[..]].concat());
    let pair = &document(&shell, "c/compare.json")["pairs"][0];
    let label = pair["differs_by"][0].as_str().unwrap();
    assert_eq!(pair["differs"], json!(["flops.forward"]));
    assert!(pair["fair"] == false && label.starts_with("flops.forward -"), "{pair}");
    assert!(shown.contains(&format!("a less wide, not compute-fair: {label}")), "{shown}");
    assert!(pair["sentence"].as_str().unwrap().starts_with(&format!("not compute-fair ({label}): ")));
    // What is demanded may be another figure, or be looser.
    shell.ok(&[&wide[..], &["--check", "--fair", "params.embedding=0%"]].concat());
    shell.ok(&[&wide[..], &["--check", "--fair", "flops.forward=60%"]].concat());
    shell.fails(&[&wide[..], &["--fair", "flops.foward=1%"]].concat(), 2, "coec::compare::fair");
}

#[test]
fn trainings_may_differ_in_their_optimizers_and_in_what_they_compute_again() {
    let shell = shell();
    let other = |from: &str, to: &str| TINY.replace("model tiny", "model other").replace(from, to);
    shell.write("other.coe", other("train {", "train { seed=7"));
    let shown = shell.fails(&compare(&["a.coe", "other.coe"]), 2, "coec::compare::trainings");
    assert!(shown.contains("train.seed is 42 in a and 7 in other"), "{shown}");
    shell.write("other.coe", other("train {", "train { recompute=layers optimizer=adamw(lr=0.001)"));
    shell.ok(&compare(&["a.coe", "other.coe", "--seeds", "1", "--out", "c"]));
    shell.fails(&compare(&["a.coe"]), 2, "coec::compare::arms");
}

#[test]
fn what_was_stopped_goes_on_and_ends_with_the_same_bytes() {
    let shell = shell();
    let long = ["--set", "train.steps=60", "--set", "train.eval=every(30, batches=1)", "--seeds", "2"];
    let args = |out| [&["compare", "a.coe", "b.coe", "--out", out], &long[..]].concat();
    shell.ok(&args("whole"));
    for signal in ["-INT", "-KILL"] {
        let mut child = shell.command(&args("parts")).spawn().unwrap();
        // Once a run is there.
        let has_begun = || {
            let runs =
                ["a", "b"].iter().flat_map(|arm| [42, 43].map(|seed| format!("parts/{arm}/seed-{seed}")));
            let count = runs.filter(|run| shell.path().join(run).join("metrics.jsonl").exists()).count();
            count > usize::from(signal == "-KILL")
        };
        while !has_begun() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        let id = child.id().to_string();
        let _ = std::process::Command::new("kill").args([signal, &id]).status().unwrap();
        let status = child.wait().unwrap();
        assert!(signal == "-KILL" || status.code() == Some(130) || status.success(), "{status}");
        // A run whose comparison was killed saves and ends.
        let is_free = |run: &str| {
            !shell.path().join(run).exists() || shell.coec(&["train", "--resume", run]).status.success()
        };
        if signal == "-KILL" {
            let runs = ["parts/a/seed-42", "parts/b/seed-42", "parts/a/seed-43", "parts/b/seed-43"];
            for run in runs {
                while !is_free(run) {
                    std::thread::sleep(std::time::Duration::from_millis(50));
                }
            }
        }
    }
    shell.ok(&args("parts"));
    assert_eq!(shell.read("parts/compare.json"), shell.read("whole/compare.json"));
}

#[test]
fn side_by_side_is_the_same_and_more_seeds_are_added() {
    let shell = shell();
    shell.ok(&compare(&["a.coe", "b.coe", "--seeds", "2", "--out", "one"]));
    shell.ok(&compare(&["a.coe", "b.coe", "--seeds", "2", "--out", "two", "--jobs", "2"]));
    assert_eq!(shell.read("one/compare.json"), shell.read("two/compare.json"));
    let shown = shell.ok(&compare(&["a.coe", "b.coe", "--seeds", "3", "--out", "one"]));
    assert!(shown.contains("4 of 6 runs are done already"), "{shown}");
    assert_eq!(document(&shell, "one/compare.json")["seeds"], serde_json::json!([42, 43, 44]));
    // The directory is of that comparison and of no other.
    shell.fails(&compare(&["b.coe", "a.coe", "--out", "one"]), 2, "coec::compare::other");
    shell.fails(&["compare", "a.coe", "b.coe", "--out", "one"], 2, "coec::compare::other");
}

#[test]
fn each_arm_is_given_its_own_best_learning_rate() {
    let shell = shell();
    let tuned = ["a.coe", "b.coe", "--seeds", "1", "--out", "c", "--tune", "lr=1e-7,1e-2"];
    let shown = shell.ok(&compare(&tuned));
    assert!(shown.contains("a: lr = 1e-2 is its best (1e-2: ") && shown.contains("b: lr = 1e-2"), "{shown}");
    let arm = &document(&shell, "c/compare.json")["arms"][0];
    assert_eq!(arm["tuned"]["value"], "1e-2");
    assert!(shell.read("c/a/seed-42/spec.coe").contains("adamw(lr=0.01"));
    // By a seed that no compared run has.
    assert!(shell.read("c/a/tune-lr-1e-2/spec.coe").contains("seed       = 43"));
    shell.fails(&compare(&["a.coe", "b.coe", "--tune", "lr"]), 2, "coec::compare::tune");
}

#[test]
fn a_run_that_fails_is_named_with_what_it_said() {
    let shell = shell();
    shell.write("text.txt", "some words and others. ".repeat(50));
    let args = compare(&[
        "a.coe",
        "b.coe",
        "--data",
        "text.txt",
        "--out",
        "c",
        "--set",
        "train.tokenizer=file(\"t.json\")",
    ]);
    let shown = shell.fails(&args, 3, "coec::experiment::run");
    assert!(
        shown.contains("a, seed 42 ended with") && shown.contains("coec::tokenizer::unreadable"),
        "{shown}"
    );
    assert!(fs::metadata(shell.path().join("c/a/seed-42.log")).is_ok());
}

#[test]
fn equal_compute_takes_arms_of_different_cost_as_long() {
    let shell = shell();
    shell.write("wide.coe", TINY.replace("model tiny", "model wide").replace("hidden=8", "hidden=64"));
    let args =
        ["compare", "a.coe", "wide.coe", "--seeds", "1", "--force", "--out", "c", "--set", "train.flops=2e7"];
    shell.ok(&[&args[..], &["--set", "train.eval=every(1, batches=1)"]].concat());
    let found = document(&shell, "c/compare.json");
    let steps = [0, 1].map(|arm| found["arms"][arm]["steps"].as_u64().unwrap());
    assert!(steps[0] > steps[1] && steps[1] > 0, "{steps:?}");
    for (spec, steps) in ["a.coe", "wide.coe"].iter().zip(steps) {
        let cost = shell.json(&["cost", spec, "--json"]);
        let flops = cost["models"][0]["figures"]["flops.train"].as_u64().unwrap();
        let tokens = 4 * 16;
        assert!(flops * tokens * steps >= 20_000_000 && flops * tokens * (steps - 1) < 20_000_000);
    }
}
