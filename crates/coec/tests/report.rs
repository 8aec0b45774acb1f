//! `coec report`: from directories to a page.

mod common;

use std::fs;

use common::{Shell, TINY};
use serde_json::{Value, json};

fn shell() -> Shell {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    shell
}

/// Everything a report says is missing.
fn missing(page: &str) -> Vec<&str> {
    let parts = page.split("<p class=\"missing\">").skip(1);
    parts.map(|part| part.split("</p>").next().unwrap()).collect()
}

#[test]
fn a_trained_run_is_one_page_that_lacks_nothing() {
    let shell = shell();
    shell.ok(&["train", "tiny.coe", "--out", "r"]);
    let said = shell.ok(&["report", "r"]);
    assert!(said.starts_with("wrote report.html: 1 run of 1 spec, "), "{said}");
    let page = shell.read("report.html");
    assert_eq!(missing(&page), [""; 0]);
    for section in
        ["runs", "losses", "experts", "follows", "dead", "moved", "budgets", "drawings", "samples", "specs"]
    {
        assert!(page.contains(&format!("<section id=\"{section}\"")), "{section}");
    }
    // What was printed at the end of the run is what the page has.
    let card: Value = serde_json::from_str(&shell.read("r/budget.json")).unwrap();
    assert_eq!(card["rows"][0]["figure"], "params.total");
    assert!(page.contains("flops.executed_train") && page.contains("GEMM peak"));
    let samples: Value = serde_json::from_str(&shell.read("r/samples.json")).unwrap();
    let prompt = samples["samples"][0]["prompt"].as_str().unwrap().trim();
    assert!(page.contains(&prompt.replace('\'', "&#39;")), "{prompt}");
}

#[test]
fn runs_that_differ_in_their_seed_are_one_line() {
    let shell = shell();
    for seed in ["1", "2"] {
        shell.ok(&["train", "tiny.coe", "--out", seed, "--set", &format!("train.seed={seed}")]);
    }
    shell.ok(&["train", "tiny.coe", "--out", "wide", "--set", "ffn.k=3"]);
    let document = shell.json(&["report", "1", "2", "wide", "--out", "all.html", "--json"]);
    assert_eq!((&document["runs"], &document["specs"]), (&json!(3), &json!(2)));
    assert_eq!((&document["written"], &document["schema"]), (&json!("all.html"), &json!("coec/1")));
    let page = shell.read("all.html");
    assert_eq!(document["bytes"], json!(page.len()));
    // Both specs are called tiny.
    assert!(page.contains("tiny (1)") && page.contains("tiny (wide)"));
    assert!(page.contains("<code>ffn.k</code>") && page.contains("not compute-fair: flops.forward +"));
    assert!(page.contains("class=\"band\""), "two seeds make a band");
}

/// A comparison by hand.
fn compared(shell: &Shell, document: &Value) {
    fs::create_dir_all(shell.path().join("compared/tiny")).unwrap();
    shell.ok(&["train", "tiny.coe", "--out", "compared/tiny/seed-1"]);
    shell.ok(&["train", "tiny.coe", "--out", "compared/wide/seed-1", "--set", "ffn.k=3"]);
    shell.write("compared/compare.json", document.to_string());
}

#[test]
fn a_comparison_is_reported_with_its_verdicts_and_its_label() {
    let shell = shell();
    let arm = |name: &str, mean: f64| {
        json!({
            "name": name, "spec": format!("{name}/spec.coe"), "runs": [format!("{name}/seed-1")],
            "val_loss": { "mean": mean, "std": null, "values": [mean] },
        })
    };
    let pair = json!({
        "a": "wide", "b": "tiny", "difference": { "mean": -0.25, "low": -0.5, "high": -0.125, "confidence": 0.95 },
        "at_equal": [{ "axis": "tokens", "spent": 256.0, "difference": { "mean": -0.375, "low": null, "high": null } }],
        "verdict": "established", "fair": false, "differs": ["flops.forward"], "differs_by": ["flops.forward +11.0%"], "sentence": "It is <lower>.",
    });
    compared(
        &shell,
        &json!({ "schema": "coec/1", "arms": [arm("tiny", 5.5), arm("wide", 5.25)], "pairs": [pair] }),
    );
    shell.ok(&["report", "compared"]);
    let page = shell.read("report.html");
    for text in [
        "It is &lt;lower&gt;.",
        "established",
        "−0.2500",
        "wide less tiny",
        "−0.3750",
        "<section id=\"comparison\"",
    ] {
        assert!(page.contains(text), "{text}");
    }
    let captions = page.matches("<caption").count() + page.matches("<figcaption").count();
    assert!(page.matches("not compute-fair").count() > captions, "each has its label, and so have the plots");
}

#[test]
fn a_comparison_that_says_little_is_reported_all_the_same() {
    let shell = shell();
    let arm = |name: &str| json!({ "name": name, "runs": [format!("{name}/seed-1")] });
    let pair = json!({ "a": "tiny", "b": "wide", "fair": true });
    compared(&shell, &json!({ "arms": [arm("tiny"), arm("wide")], "pairs": [pair] }));
    // Beside a run of its own, names say where they come from.
    shell.ok(&["train", "tiny.coe", "--out", "alone"]);
    assert_eq!(shell.json(&["report", "compared", "alone", "--json"])["specs"], 3);
    assert!(shell.read("report.html").contains("compared/wide"));
}

#[test]
fn what_a_run_of_an_earlier_version_lacks_is_said() {
    let shell = shell();
    shell.ok(&["train", "tiny.coe", "--out", "r"]);
    for file in ["routing.jsonl", "moved.json", "samples.json"] {
        fs::remove_file(shell.path().join("r").join(file)).unwrap();
    }
    let metrics = shell.read("r/metrics.jsonl");
    let without = metrics.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        line.as_object_mut().unwrap().remove("seconds");
        line.to_string() + "\n"
    });
    shell.write("r/metrics.jsonl", without.collect::<String>());
    shell.ok(&["report", "r"]);
    let page = shell.read("report.html");
    let missing = missing(&page).join("\n");
    for what in ["Router entropy", "Which experts follow which", "How far each tensor moved", "samples"] {
        assert!(missing.contains(what), "{what}: {missing}");
    }
    assert!(page.contains("validation loss against time"), "time follows from tokens a second");
}

#[test]
fn a_run_without_a_step_and_one_of_an_unknown_spec_are_reported() {
    let shell = shell();
    fs::create_dir(shell.path().join("begun")).unwrap();
    shell.write("begun/spec.coe", TINY);
    shell.ok(&["train", "tiny.coe", "--out", "r"]);
    shell.write("r/spec.coe", "model tiny { ffn = quantum(qubits=4) }");
    let document = shell.json(&["report", "begun", "r", "--json"]);
    assert_eq!(document["specs"], 2);
    let note = document["notes"][0].as_str().unwrap();
    assert!(note.contains("the spec of r cannot be read"), "{note}");
}

#[test]
fn what_files_say_is_text() {
    let shell = shell();
    shell.ok(&["train", "tiny.coe", "--out", "<b>&'"]);
    let samples = json!({ "schema": "coec/1", "step": 4, "samples": [
        { "prompt": "</h3><script>alert(1)</script>", "text": "</pre><img src=x>", "decoded": "" },
    ] });
    shell.write("<b>&'/samples.json", samples.to_string());
    shell.ok(&["report", "<b>&'"]);
    let page = shell.read("report.html");
    assert!(page.contains("&lt;b&gt;&amp;&#39;") && page.contains("&lt;/pre&gt;&lt;img src=x&gt;"));
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("<b>"));
}

#[test]
fn what_is_no_run_is_named() {
    let shell = shell();
    shell.fails(&["report", "none"], 3, "coec::run::no_run");
    shell.fails(&["report", "tiny.coe"], 3, "coec::run::not_a_directory");
    fs::create_dir(shell.path().join("empty")).unwrap();
    shell.fails(&["report", "empty"], 3, "coec::report::no_run");
    shell.write("empty/compare.json", "{\"arms\": 3}");
    shell.fails(&["report", "empty"], 3, "coec::report::compare");
    let outside = json!({ "arms": [{ "name": "a", "runs": ["../r"] }] });
    shell.write("empty/compare.json", outside.to_string());
    let shown = shell.fails(&["report", "empty"], 3, "coec::report::compare");
    assert!(shown.contains("`../r` is not in its directory"), "{shown}");
    assert!(!shell.path().join("report.html").exists(), "nothing is written");
}

#[test]
fn damage_and_a_place_that_cannot_be_written_are_errors() {
    let shell = shell();
    shell.ok(&["train", "tiny.coe", "--out", "r"]);
    shell.fails(&["report", "r", "--out", "no/such/page.html"], 3, "coec::report::unwritable");
    for file in ["routing.jsonl", "moved.json"] {
        let kept = shell.read(&format!("r/{file}"));
        shell.write(&format!("r/{file}"), "nonsense\nnonsense\n");
        let shown = shell.fails(&["report", "r"], 3, "coec::run::bad_line");
        assert!(shown.contains(&format!("{file}:1:")), "{shown}");
        shell.write(&format!("r/{file}"), kept);
    }
    shell.ok(&["report", "r"]);
}
