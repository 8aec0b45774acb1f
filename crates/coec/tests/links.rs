//! `..` behind a linked folder: the folder that the system says it is, not the one its text says.
#![cfg(unix)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;

use common::{Shell, TINY};

/// A folder `far/inner` with a link `link` to it: `link/..` is `far`, and by its text it would be here.
fn shell() -> Shell {
    let shell = Shell::new();
    fs::create_dir_all(shell.path().join("far/inner")).unwrap();
    symlink("far/inner", shell.path().join("link")).unwrap();
    // What is here is what must not be found.
    shell.write("base.coe", "model here { ffn=dense() }");
    shell.write("far/base.coe", TINY);
    shell
}

#[test]
fn a_spec_behind_a_link_is_found() {
    let shell = shell();
    assert!(shell.ok(&["check", "link/../base.coe"]).starts_with("tiny: "));
    shell.write("far/only.coe", TINY);
    shell.ok(&["check", "link/../only.coe"]);
    shell.fails(&["check", "nowhere/../base.coe"], 2, "coec::read::not_found");
}

#[test]
fn specs_that_a_spec_names_behind_a_link_are_found() {
    let shell = shell();
    shell.write(
        "a.coe",
        "model a extends \"link/../base.coe\" { }
         budget { params.total == params.total(\"link/../base.coe\") }",
    );
    let figures = |spec: &str| shell.json(&["cost", spec, "--json"])["models"][0]["figures"].clone();
    assert_eq!(figures("a.coe"), figures("far/base.coe"));
    shell.ok(&["check", "a.coe"]);
}

#[test]
fn a_file_that_is_named_in_two_ways_is_one_file() {
    let shell = shell();
    shell.write("far/circle.coe", "model a extends \"inner/../../link/../circle.coe\" { }");
    shell.fails(&["check", "far/circle.coe"], 2, "coec::resolve::extends_cycle");
    shell.fails(&["check", "link/../circle.coe"], 2, "coec::resolve::extends_cycle");
}

/// Where nothing is linked, messages name a file by its shorter text.
#[test]
fn a_name_is_as_short_as_it_can_be() {
    let shell = shell();
    shell.write("far/wrong.coe", "model {");
    let shown = shell.fails(&["check", "far/inner/../wrong.coe"], 2, "coec::parse::");
    assert!(shown.contains("[far/wrong.coe:1:"), "{shown}");
    let shown = shell.fails(&["check", "link/../wrong.coe"], 2, "coec::parse::");
    assert!(shown.contains("[link/../wrong.coe:1:"), "{shown}");
}

#[test]
fn data_and_outputs_behind_a_link_are_those_there() {
    let shell = shell();
    shell.write("far/text.txt", "the quick brown fox jumps over the lazy dog. ".repeat(40));
    shell.ok(&["train", "far/base.coe", "--data", "link/../*.txt", "--out", "link/../run"]);
    assert!(shell.path().join("far/run/model.safetensors").is_file());
    // The run knows where its data is, from wherever it goes on.
    shell.ok(&["train", "--resume", "link/../run", "--set", "train.steps=5"]);
    shell.ok(&["graph", "far/base.coe", "--out", "link/../picture.svg"]);
    assert!(shell.path().join("far/picture.svg").is_file());
    shell.ok(&["build", "far/base.coe", "--out", "link/../crate"]);
    assert!(shell.path().join("far/crate/src/model.rs").is_file());
}
