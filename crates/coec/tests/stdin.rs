//! `-` in place of a spec: standard input.

mod common;

use common::{Shell, TINY};

/// The arguments of `coec forward`, all but the spec and the output.
const PASS: [&str; 4] = ["--weights", "run/model.safetensors", "--tokens", "tokens"];

#[test]
fn commands_that_print_read_standard_input() {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    for args in [&["check"][..], &["cost"], &["cost", "--json"], &["graph"], &["graph", "--format", "svg"]] {
        let with = |spec| [args, &[spec]].concat();
        assert_eq!(shell.piped_ok(&with("-"), TINY), shell.ok(&with("tiny.coe")), "{args:?}");
    }
    let other = format!("{TINY}\nmodel other {{ ffn=dense() }}");
    assert!(shell.piped_ok(&["check", "--", "-#other"], &other).starts_with("other: "));
}

#[test]
fn commands_that_write_read_standard_input() {
    let shell = Shell::new();
    shell.prepare_forward();
    shell.ok(&["build", "tiny.coe", "--out", "a"]);
    shell.piped_ok(&["build", "-", "--out", "b"], TINY);
    assert_eq!(shell.read("a/ir.json"), shell.read("b/ir.json"));

    shell.piped_ok(&["train", "-", "--out", "again"], TINY);
    assert_eq!(shell.read("again/spec.coe"), shell.read("run/spec.coe"));

    shell.ok(&[&["forward", "tiny.coe", "--out", "o"], &PASS[..]].concat());
    shell.piped_ok(&[&["forward", "-", "--out", "p"], &PASS[..]].concat(), TINY);
    let bytes = |name: &str| std::fs::read(shell.path().join(name)).unwrap();
    assert!(bytes("o") == bytes("p"));
}

#[test]
fn either_side_of_a_difference_is_standard_input() {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    let wider = TINY.replace("hidden=8", "hidden=16");
    shell.write("wider.coe", &wider);
    let there = shell.ok(&["diff", "tiny.coe", "wider.coe"]);
    assert_eq!(shell.piped_ok(&["diff", "tiny.coe", "-"], &wider), there);
    assert_eq!(shell.piped_ok(&["diff", "-", "wider.coe"], TINY), there);
    assert_eq!(shell.piped_ok(&["diff", "-", "--set", "ffn.hidden=16"], TINY), there);
}

#[test]
fn standard_input_is_named_once() {
    let shell = Shell::new();
    for args in
        [&["diff", "-", "-"][..], &["check", "--", "-", "-#tiny"], &["cost", "-", "-"], &["fmt", "-", "-"]]
    {
        let output = shell.piped(args, TINY);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("coec::cli::standard_input"), "{args:?}: {said}");
    }
}

#[test]
fn a_mistake_is_placed_in_standard_input() {
    let shell = Shell::new();
    for args in [["check", "-"], ["build", "-"], ["fmt", "-"]] {
        let output = shell.piped(&args, "model m {\n  = }");
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("standard input:2:"), "{args:?}: {said}");
    }
    let output = shell.piped(&["check", "-", "--json"], "");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["specs"][0]["spec"], "-");
    assert_eq!(document["specs"][0]["errors"][0]["file"], "standard input");
}

#[test]
fn paths_in_standard_input_start_at_the_current_folder() {
    let shell = Shell::new();
    std::fs::create_dir(shell.path().join("sub")).unwrap();
    shell.write("sub/tiny.coe", TINY);
    shell.write("text.txt", "the quick brown fox jumps over the lazy dog. ".repeat(40));
    let spec = "model m extends \"sub/tiny.coe\" { }
        budget { params.total == params.total(\"sub/tiny.coe\") }
        train { data=text(\"*.txt\") steps=1 batch=2 context=16 eval=every(1, batches=1) }";
    shell.piped_ok(&["train", "-"], spec);
    // A file of that name is a file.
    shell.write("standard input", TINY);
    assert!(shell.ok(&["check", "standard input"]).starts_with("tiny: "));
}
