//! `coec diff`: what it prints, and what its JSON promises.

mod common;

use common::{Shell, TINY};

const OVERRIDES: &str = "model tiny {
    vocab=300 context=16 dim=16 layers=3 embedding=tokens(tied=false) attention=mha(heads=4, qk_norm=head)
    ffn=coe(iter=2, k=2, experts=6, hidden=8, router=sigmoid, balance=[seq_aux(0.01), bias(0.001)])
    ffn[0]=dense(32)
}
budget { params.total <= 20k  warn experts.calls <= 9 }
";

#[test]
fn everything_that_differs_is_shown() {
    let shell = Shell::new();
    shell.write("a.coe", format!("{TINY}budget {{ params.total <= 10k }}\n"));
    shell.write("b.coe", OVERRIDES);
    insta::assert_snapshot!("diff", shell.ok(&["diff", "a.coe", "b.coe"]));
    insta::assert_snapshot!("diff_json", shell.ok(&["diff", "a.coe", "b.coe", "--json"]));
}

#[test]
fn a_setting_is_shown_against_the_spec_itself() {
    let shell = Shell::new();
    shell.write("a.coe", TINY);
    insta::assert_snapshot!(
        "diff_set",
        shell.ok(&["diff", "a.coe", "--set", "ffn.gate=frozen", "--set", "train.steps=8"])
    );
    let shown = shell.fails(&["diff", "a.coe", "--set", "ffn.k=99"], 2, "coec::verify::k_exceeds_experts");
    assert!(shown.contains("--set"), "{shown}");
    assert_eq!(shell.coec(&["diff", "a.coe"]).status.code(), Some(2), "there is nothing to compare with");
}

#[test]
fn specs_that_mean_the_same_do_not_differ() {
    let shell = Shell::new();
    shell.write("a.coe", TINY);
    shell.write(
        "b.coe",
        TINY.replace("model tiny", "/// Another name.\nmodel other")
            .replace("batch=4", "batch = 4 // as before\n"),
    );
    assert_eq!(shell.ok(&["diff", "a.coe", "b.coe"]), "tiny and other mean the same\n");
    let document = shell.json(&["diff", "a.coe", "b.coe", "--json"]);
    assert_eq!(document["schema"], "coec/1");
    assert_eq!(document["equal"], true);
    assert_eq!(document["checkpoint"]["loads"], true);
    assert_eq!(document["fields"], serde_json::json!([]));
}

#[test]
fn figures_of_any_size_are_exact() {
    let shell = Shell::new();
    let huge =
        "model huge { layers=1024 ffn=coe(iter=64, k=8192, experts=16384, shared=1024, hidden=1048576) }";
    shell.write("huge.coe", huge);
    let document = shell.json(&["diff", "MoE(8/64)", "huge.coe", "--json"]);
    let figure = |name: &str| {
        let figures = document["figures"].as_array().unwrap();
        figures.iter().find(|figure| figure["figure"] == name).unwrap().clone()
    };
    let paths = figure("experts.paths");
    assert!(paths["new"].as_str().unwrap().len() > 100_000 && paths["relative"].is_null());
    assert!(paths["delta"].as_str().unwrap().bytes().all(|b| b.is_ascii_digit()));
    assert!(figure("params.total")["relative"]["denominator"].is_number());
    shell.ok(&["diff", "MoE(8/64)", "huge.coe"]);
}
