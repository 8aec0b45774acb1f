//! The runs of a sweep, one row each.

mod common;

use common::{Shell, TINY};
use serde_json::Value;

const SWEEP: &str = "sweep {
    k = [1, 2, 3] with iter = 2 / k
    train.optimizer.lr = [1e-3, 1e-2]
    fit ffn.hidden under flops.forward == 21k +- 3%
}
";

fn shell(sweep: &str) -> Shell {
    let shell = Shell::new();
    shell.write("a.coe", format!("{TINY}{sweep}"));
    shell
}

fn rows(document: &Value) -> &Vec<Value> {
    document["rows"].as_array().unwrap()
}

#[test]
fn every_run_is_a_row_and_what_cannot_be_is_one_too() {
    let shell = shell(SWEEP);
    let planned = shell.json(&["sweep", "a.coe", "--check", "--json"]);
    assert!(!shell.path().join("sweeps").exists());
    let status = |document: &Value| {
        rows(document).iter().map(|row| row["status"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(status(&planned), ["waiting", "waiting", "waiting", "waiting", "infeasible", "infeasible"]);
    assert!(rows(&planned)[4]["problem"].as_str().unwrap().contains("iter = 2 / k is 0.66"));

    let shown = shell.ok(&["sweep", "a.coe"]);
    assert!(shown.contains("4 runs, 2 are infeasible") && shown.contains("wrote "), "{shown}");
    let found: Value = serde_json::from_str(&shell.read("sweeps/tiny/sweep.json")).unwrap();
    assert_eq!(status(&found), ["done", "done", "done", "done", "infeasible", "infeasible"]);
    for row in rows(&found).iter().take(4) {
        let run = format!("sweeps/tiny/{}", row["run"].as_str().unwrap());
        let resumed = shell.json(&["train", "--resume", &run, "--json"]);
        assert_eq!(resumed["summary"]["val_loss"], row["val_loss"]);
        let spec = shell.read(&format!("{run}/spec.coe"));
        assert!(spec.contains(&format!("hidden={}", row["values"]["ffn.hidden"])), "{spec}");
        let flops = row["figures"]["flops.forward"].as_f64().unwrap();
        assert!((flops / 21e3 - 1.0).abs() < 0.03, "{row}");
    }
    let csv = shell.read("sweeps/tiny/sweep.csv");
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 7);
    assert!(
        lines[0].starts_with(
            "row,status,ffn.k,ffn.iter,train.optimizer.lr,ffn.hidden,params.total,params.active,"
        )
    );
    assert!(lines[1].starts_with("1,done,1,2,1e-3,"), "{}", lines[1]);

    // Done is done.
    let again = shell.json(&["sweep", "a.coe", "--json"]);
    assert_eq!(again, found);
    // The directory is of these runs and of no others.
    shell.fails(&["sweep", "a.coe", "--set", "train.steps=5"], 2, "coec::sweep::other");
}

#[test]
fn a_run_that_fails_stays_a_row_and_is_tried_again() {
    let shell = shell("sweep { seeds = 2 }");
    let file = ["--set", "train.tokenizer=file(\"t.json\")", "--out", "s"];
    shell.ok(&[&["sweep", "a.coe"], &file[..]].concat());
    let document = || serde_json::from_str::<Value>(&shell.read("s/sweep.json")).unwrap();
    let failed = document();
    assert!(rows(&failed).iter().all(|row| row["status"] == "failed"), "{failed}");
    assert!(rows(&failed)[0]["problem"].as_str().unwrap().contains("coec::tokenizer"), "{failed}");
    shell.ok(&["train", "a.coe", "--out", "r"]);
    std::fs::copy(shell.path().join("r/tokenizer.json"), shell.path().join("t.json")).unwrap();
    shell.ok(&[&["sweep", "a.coe"], &file[..]].concat());
    assert!(rows(&document()).iter().all(|row| row["status"] == "done"));
}

#[test]
fn budgets_hold_in_every_row() {
    let shell = shell("sweep { ffn.hidden = [8, 64] } budget { params.total <= 20k }");
    let found = shell.json(&["sweep", "a.coe", "--check", "--json"]);
    assert_eq!(rows(&found)[0]["status"], "waiting");
    assert_eq!(rows(&found)[1]["problem"], "it does not keep params.total <= 20k");
    shell.fails(&["sweep", "a.coe#tiny", "--set", "ffn.k=9"], 2, "coec::verify::k_exceeds_experts");
    let other = Shell::new();
    other.write("a.coe", TINY);
    other.fails(&["sweep", "a.coe"], 2, "coec::sweep::none");
}
