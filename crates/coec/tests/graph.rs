//! `coec graph`: where the picture goes, and in which form.

mod common;

use common::{Shell, TINY};

#[test]
fn the_form_follows_the_file() {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    let chart = shell.ok(&["graph", "tiny.coe"]);
    assert!(chart.starts_with("flowchart TD\n") && chart.contains("next iteration"), "{chart}");
    assert_eq!(shell.ok(&["graph", "tiny.coe", "--out", "tiny.svg"]), "wrote tiny.svg\n");
    let picture = shell.read("tiny.svg");
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
    assert_eq!(shell.ok(&["graph", "tiny.coe", "--format", "svg"]), picture);
    shell.ok(&["graph", "tiny.coe", "--out", "tiny.mmd"]);
    assert_eq!(shell.read("tiny.mmd"), chart);
}

#[test]
fn a_setting_is_drawn_and_json_says_where_the_picture_is() {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    let set = ["--set", "ffn.gate=frozen", "--json"];
    let document = shell.json(&[&["graph", "tiny.coe"][..], &set].concat());
    assert_eq!(document["schema"], "coec/1");
    assert_eq!(document["format"], "mermaid");
    assert!(document["text"].as_str().unwrap().contains("read once"));
    let document = shell.json(&["graph", "tiny.coe", "--out", "a.svg", "--json"]);
    assert_eq!((&document["format"], &document["written"]), (&"svg".into(), &"a.svg".into()));
    assert!(document["text"].is_null());
}

#[test]
fn a_picture_that_cannot_be_written_is_the_environments_fault() {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    shell.fails(&["graph", "tiny.coe", "--out", "no/such/folder.svg"], 3, "coec::graph::unwritable");
    shell.fails(&["graph", "tiny.coe", "--set", "ffn.k=99"], 2, "coec::verify::k_exceeds_experts");
}
