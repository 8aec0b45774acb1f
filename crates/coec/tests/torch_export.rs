//! `coec export --format torch`: what is in the folder. That PyTorch makes of it what coec does is `.ci/torch`.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Shell, TINY};
use serde_json::{Value, json};

const FILES: [&str; 13] = [
    "README.md",
    "budget.json",
    "check.py",
    "config.json",
    "configuration_coec.py",
    "ir.json",
    "model.safetensors",
    "modeling_coec.py",
    "spec.coe",
    "tokenizer.json",
    "tokens",
    "train.json",
    "train_torch.py",
];

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !["tokenizer_config.json", "generation_config.json"].contains(&name.as_str()));
    names.sort();
    names
}

fn document(shell: &Shell, name: &str) -> Value {
    serde_json::from_str(&shell.read(name)).unwrap()
}

/// The tensors of a file, by name, as bytes.
fn tensors(path: PathBuf) -> Vec<(String, Vec<u8>)> {
    let bytes = fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<_> =
        file.iter().map(|(name, view)| (name.to_owned(), view.data().to_vec())).collect();
    tensors.sort();
    tensors
}

/// Nothing moves at a rate of zero.
const STILL: [&str; 4] = ["--set", "train.steps=1", "--set", "train.optimizer=adamw(lr=0, weight_decay=0)"];

#[test]
fn a_spec_has_the_weights_that_its_training_begins_with() {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    shell.ok(&["export", "tiny.coe", "--format", "torch", "--out", "torch"]);
    assert_eq!(names(&shell.path().join("torch")), FILES);
    shell.ok(&[&["train", "tiny.coe", "--out", "run"], &STILL[..]].concat());
    let of = |folder: &str| tensors(shell.path().join(folder).join("model.safetensors"));
    assert!(of("torch") == of("run"));
    // The folder is read again as a spec and weights.
    shell.ok(&["check", "torch/spec.coe"]);
    shell.ok(&[
        &["train", "torch/spec.coe", "--weights", "torch/model.safetensors", "--out", "on"],
        &STILL[..],
    ]
    .concat());
}

#[test]
fn the_model_is_the_irs_and_the_counts_are_the_figures() {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    shell.ok(&["export", "tiny.coe", "--format", "torch", "--out", "torch"]);
    shell.ok(&["build", "tiny.coe", "--out", "crate"]);
    let [config, ir, built, budget] =
        ["torch/config.json", "torch/ir.json", "crate/ir.json", "torch/budget.json"]
            .map(|n| document(&shell, n));
    assert_eq!((&config["model"], &ir["model"]), (&built["model"], &built["model"]));
    assert_eq!(config["tie_word_embeddings"], true);
    let (figures, counts) = (&budget["figures"], &budget["torch"]);
    assert_eq!(counts["parameters"], figures["params.total"]);
    // Two layers of two heads of 8, whose scores and mix are 16 wide; 16 positions are one block.
    let attention = 2 * 2 * (16 + 16) * 16;
    assert_eq!(counts["flops"]["attention"], attention);
    let executed = figures["flops.executed"].as_u64().unwrap();
    assert_eq!(counts["flops"]["products"], executed - attention);
}

#[test]
fn a_run_is_exported_with_its_weights_and_its_tokens() {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    let said = shell.coec(&["train", "tiny.coe", "--out", "run"]);
    let said = String::from_utf8_lossy(&said.stderr).into_owned() + &String::from_utf8_lossy(&said.stdout);
    shell.ok(&["export", "run", "--format", "torch", "--out", "torch"]);
    let of = |folder: &str| tensors(shell.path().join(folder).join("model.safetensors"));
    assert!(of("torch") == of("run"));
    assert_eq!(shell.read("torch/tokenizer.json"), shell.read("run/tokenizer.json"));
    let train = document(&shell, "torch/train.json");
    assert_eq!(
        train["sources"],
        json!([
            { "key": 0, "train": "tokens/0.train.u32", "validation": "tokens/0.validation.u32" }
        ])
    );
    assert_eq!((&train["steps"], &train["train"]["batch"]), (&json!(4), &json!(4)));
    let tokens = fs::read(shell.path().join("torch/tokens/0.train.u32")).unwrap();
    let count = (tokens.len() / 4).to_string();
    assert!(said.replace(',', "").contains(&format!("data: {count} tokens")), "{count}: {said}");
    // Bytes, the first of which are of a problem in words.
    let (words, _) = tokens.as_chunks::<4>();
    let text: String =
        words.iter().take(40).map(|&word| char::from(u32::from_le_bytes(word) as u8)).collect();
    assert!(text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.contains(' '), "{text}");
}

#[test]
fn weights_are_in_as_many_files_as_they_need_with_an_index() {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    shell.ok(&["export", "tiny.coe", "--format", "torch", "--shard-size", "10kB", "--out", "torch"]);
    let index = document(&shell, "torch/model.safetensors.index.json");
    let map = index["weight_map"].as_object().unwrap();
    let mut files: Vec<_> = map.values().map(|file| file.as_str().unwrap()).collect();
    files.sort_unstable();
    files.dedup();
    assert!(files.len() > 1);
    let all: usize = files.iter().map(|file| tensors(shell.path().join("torch").join(file)).len()).sum();
    assert_eq!(all, map.len());
}

/// Whatever it would be trained with: a vocabulary that no default tokenizer fits is no reason.
#[test]
fn a_model_alone_is_exported_without_a_training() {
    let shell = Shell::new();
    shell.write(
        "alone.coe",
        "model alone { vocab=32 context=8 dim=16 layers=1 attention=mha(heads=2) ffn=moe(k=2, experts=4, hidden=8) }",
    );
    shell.ok(&["export", "alone.coe", "--format", "torch", "--out", "torch"]);
    let expected: Vec<_> =
        FILES.into_iter().filter(|name| !["tokenizer.json", "tokens", "train.json"].contains(name)).collect();
    assert_eq!(names(&shell.path().join("torch")), expected);
}

/// Of a run whose data is gone, the weights; of what was never a run, a word.
#[test]
fn what_cannot_be_exported_is_said() {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    shell.write("text", "Some text to learn from, and to hold out.\n\n".repeat(100));
    shell.ok(&["train", "tiny.coe", "--data", "text", "--out", "run"]);
    fs::remove_file(shell.path().join("text")).unwrap();
    let output = shell.coec(&["export", "run", "--format", "torch", "--out", "torch"]);
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && shown.contains("no train.json"), "{shown}");
    assert!(!names(&shell.path().join("torch")).contains(&"train.json".to_owned()));
    fs::create_dir(shell.path().join("folder")).unwrap();
    shell.fails(&["export", "folder", "--format", "torch", "--out", "other"], 2, "coec::cli::export");
    shell.fails(&["export", "run", "--format", "torch", "--out", "torch"], 2, "coec::folder::exists");
    shell.write("over.coe", format!("{TINY} budget {{ params.total <= 1 }}"));
    let output = shell.coec(&["export", "over.coe", "--format", "torch", "--out", "over"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!shell.path().join("over").exists());
}
