//! `coec explain` and `coec completions`: the program about itself.

mod common;

use common::Shell;

#[test]
fn a_page_is_found_with_and_without_the_prefix() {
    let shell = Shell::new();
    let full = shell.ok(&["explain", "coec::verify::k_exceeds_experts"]);
    assert_eq!(full, shell.ok(&["explain", "verify::k_exceeds_experts"]));
    assert!(full.starts_with("coec::verify::k_exceeds_experts (Verifying)\n\n"), "{full}");
    assert!(full.contains("This fails:\n\n    ") && full.contains("This works:\n\n    "), "{full}");
    assert!(!full.contains("```") && !full.contains("// error:"), "{full}");
    assert!(full.lines().all(|line| line.chars().count() <= 100), "{full}");
    let document = shell.json(&["explain", "verify::k_exceeds_experts", "--json"]);
    assert_eq!(document["schema"], "coec/1");
    assert_eq!(document["code"], "coec::verify::k_exceeds_experts");
    assert!(document["text"].as_str().unwrap().contains("```coe,fail"));
}

#[test]
fn every_code_is_listed_and_each_has_a_page() {
    let shell = Shell::new();
    let list = shell.ok(&["explain"]);
    assert!(list.starts_with("Reading files\n  read::not_found "), "{list}");
    assert!(list.lines().all(|line| line.chars().count() <= 100), "{list}");
    let document = shell.json(&["explain", "--json"]);
    let codes: Vec<&str> =
        document["codes"].as_array().unwrap().iter().map(|code| code["code"].as_str().unwrap()).collect();
    for code in coec_lang::codes() {
        assert!(codes.contains(&code), "{code}");
        assert!(list.contains(&format!("  {} ", code.trim_start_matches("coec::"))), "{code}");
    }
    shell.ok(&["explain", codes.last().unwrap()]);
}

#[test]
fn an_unknown_code_is_answered_with_the_one_that_was_meant() {
    let shell = Shell::new();
    for (asked, meant) in [
        ("verify::k_exceds_experts", "verify::k_exceeds_experts"),
        ("k_exceeds_experts", "verify::k_exceeds_experts"),
        ("k_exceeds_expert", "verify::k_exceeds_experts"),
        ("out_of_range", "verify::out_of_range"),
    ] {
        let shown = shell.fails(&["explain", asked], 2, "coec::explain::unknown");
        assert!(shown.contains(&format!("did you mean `{meant}`")), "{asked}: {shown}");
    }
    let shown = shell.fails(&["explain", "weather"], 2, "coec::explain::unknown");
    assert!(!shown.contains("did you mean"), "{shown}");
}

#[test]
fn every_shell_gets_completions_of_every_command() {
    let shell = Shell::new();
    for name in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = shell.ok(&["completions", name]);
        for word in ["train", "explain", "completions", "resume"] {
            assert!(script.contains(word), "{name} completes {word}");
        }
    }
    assert_eq!(shell.coec(&["completions", "cmd"]).status.code(), Some(2));
}
