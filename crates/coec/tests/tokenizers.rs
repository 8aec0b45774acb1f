//! Text and tokens in the command: what it prints, where it ends, whose tokenizer it is, what it loses.

mod common;

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Shell, TINY};
use serde_json::{Value, json};

/// Words, each with the space before it: a continuation decoded alone would lose its first one.
fn words() -> Value {
    let metaspace =
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true});
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
        "added_tokens": [{"id": 0, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false,
                          "normalized": false, "special": true}],
        "pre_tokenizer": metaspace, "decoder": metaspace,
        "model": {"type": "WordLevel", "unk_token": "▁what",
                  "vocab": {"</s>": 0, "▁red": 1, "▁green": 2, "▁blue": 3, "▁what": 4}},
    })
}

/// A shell with `tiny.coe`, the tokenizer of words, and `words.txt` to learn from.
fn shell() -> Shell {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    shell.write("words.json", words().to_string());
    shell.write("words.txt", "red green blue green red blue blue red green\n".repeat(60).replace('\n', " "));
    shell
}

const OF_WORDS: [&str; 6] =
    ["train", "tiny.coe", "--data", "words.txt", "--set", "train.tokenizer=file(\"words.json\")"];

fn train(shell: &Shell, out: &str) -> Value {
    shell.json(&[&OF_WORDS[..], &["--out", out, "--json"]].concat())
}

fn generate(shell: &Shell, run: &str, seed: u32, more: &[&str]) -> Value {
    let seed = seed.to_string();
    let args = ["generate", run, "--prompt", "red green", "--seed", &seed, "--tokens", "40", "--json"];
    shell.json(&[&args[..], more].concat())
}

fn code_of(shell: &Shell, args: &[&str]) -> String {
    let document: Value = serde_json::from_slice(&shell.coec(&[args, &["--json"]].concat()).stdout).unwrap();
    document["errors"][0]["code"].as_str().unwrap_or_else(|| panic!("{document}")).to_owned()
}

#[test]
fn prompt_and_continuation_are_printed_as_one_text() {
    let shell = shell();
    let document = train(&shell, "r");
    let mut most = 0;
    for seed in 0..8 {
        let found = generate(&shell, "r", seed, &[]);
        let (text, tokens) = (found["text"].as_str().unwrap(), found["tokens"].as_u64().unwrap());
        assert_eq!(found["decoded"], format!("red green{text}"));
        let all: Vec<_> = text.split(' ').skip(1).collect();
        assert_eq!(all.len() as u64, tokens, "{text:?}");
        assert!(all.iter().all(|word| ["red", "green", "blue", "what"].contains(word)), "{text:?}");
        assert!(text.is_empty() || text.starts_with(' '), "{text:?}");
        let seed = seed.to_string();
        let printed =
            shell.ok(&["generate", "r", "--prompt", "red green", "--seed", &seed, "--tokens", "40"]);
        assert_eq!(printed, format!("red green{text}\n"));
        most = most.max(tokens);
    }
    assert!(most > 1, "no continuation has a space in it");

    let samples = document["samples"].as_array().unwrap();
    assert!(!samples.is_empty());
    for sample in samples {
        let (text, decoded) = (sample["text"].as_str().unwrap(), sample["decoded"].as_str().unwrap());
        assert!(text.is_empty() || text.starts_with(' '), "{text:?}");
        assert!(decoded.ends_with(text) && decoded.len() > text.len(), "{decoded:?}");
    }
    let shown = shell.ok(&[&OF_WORDS[..], &["--out", "s"]].concat());
    let first = samples[0]["decoded"].as_str().unwrap().trim_end();
    assert!(shown.contains(&format!("\n> {first}\n")), "{first:?} is not in {shown}");
}

#[test]
fn what_ends_a_text_is_in_the_settings_beside_the_tokenizer() {
    let shell = shell();
    fs::create_dir(shell.path().join("model")).unwrap();
    shell.write("model/tokenizer.json", words().to_string());
    shell.write("model/generation_config.json", "{\"eos_token_id\": [0, 1, 2, 3, 4]}");
    let args = ["train", "tiny.coe", "--data", "words.txt", "--out", "r"];
    let of_model = ["--set", "train.tokenizer=file(\"model/tokenizer.json\")"];
    shell.ok(&[&args[..], &of_model].concat());
    // Every token is an end; the run keeps the settings that say so.
    fs::remove_dir_all(shell.path().join("model")).unwrap();
    let found = generate(&shell, "r", 1, &[]);
    assert_eq!((&found["text"], &found["ended"], &found["tokens"]), (&json!(""), &json!("end"), &json!(0)));
    shell.ok(&["train", "--resume", "r", "--set", "train.steps=6"]);
    // None is one that occurs: it goes on until there are enough.
    shell.write("r/generation_config.json", "{\"eos_token_id\": 4}");
    shell.write("r/tokenizer_config.json", "{\"eos_token\": \"▁what\"}");
    let lengths = (0..8).map(|seed| generate(&shell, "r", seed, &[]));
    for found in lengths.filter(|found| found["ended"] == "end") {
        assert!(!found["text"].as_str().unwrap().contains("what"), "{found}");
    }
    // Other ends are another tokenizer.
    shell.fails(&["train", "--resume", "r", "--set", "train.steps=8"], 3, "coec::run::changed");
    shell.write("r/generation_config.json", "{");
    shell.fails(&["generate", "r", "--prompt", "red"], 3, "coec::folder::not_json");
}

#[test]
fn weights_bring_their_tokenizer() {
    let shell = shell();
    train(&shell, "base");
    // What a run keeps does not say where its tokenizer came from: it is the same when it goes on.
    let state = shell.read("base/commits/step-00000004/state.json");
    assert!(state.contains("tokenizer.json") && !state.contains("words.json"), "{state}");
    let args = ["train", "tiny.coe", "--data", "words.txt", "--weights"];
    for (weights, out) in
        [("base/model.safetensors", "a"), ("base/commits/step-00000004/model.safetensors", "b")]
    {
        shell.ok(&[&args[..], &[weights, "--out", out]].concat());
        assert_eq!(shell.read(&format!("{out}/tokenizer.json")), shell.read("base/tokenizer.json"));
        // The spec of the run names the run's own.
        assert!(shell.read(&format!("{out}/spec.coe")).contains("file(\"tokenizer.json\")"));
        shell.ok(&["train", "--resume", out, "--set", "train.steps=6"]);
    }
    let from = [&args[..], &["base/model.safetensors"]].concat();
    // The same by name is the same.
    let same = ["--set", "train.tokenizer=file(\"words.json\")", "--out", "c"];
    shell.ok(&[&from[..], &same].concat());
    for named in ["bytes", "bpe(vocab=300)"] {
        let set = format!("train.tokenizer={named}");
        let shown = shell.fails(
            &[&from[..], &["--set", &set, "--set", "vocab=300", "--out", "d"]].concat(),
            2,
            "coec::tokenizer::differs",
        );
        assert!(shown.contains("base/tokenizer.json") && shown.contains(named), "{shown}");
    }
    shell.write("named.coe", TINY.replace("steps=4", "tokenizer=bytes steps=4"));
    shell.fails(
        &["train", "named.coe", "--weights", "base/model.safetensors", "--out", "d"],
        2,
        "coec::tokenizer::differs",
    );
    assert!(!shell.path().join("d").exists());
}

#[test]
fn weights_without_a_tokenizer_want_one_named() {
    let shell = shell();
    train(&shell, "base");
    shell.ok(&["train", "tiny.coe", "--out", "bytes"]);
    fs::copy(shell.path().join("base/model.safetensors"), shell.path().join("w.safetensors")).unwrap();
    let from = ["train", "tiny.coe", "--data", "words.txt", "--weights", "w.safetensors", "--out"];
    shell.fails(&[&from[..], &["r"]].concat(), 2, "coec::train::no_tokenizer");
    let learned = ["r", "--set", "train.tokenizer=bpe(vocab=300)", "--set", "vocab=300"];
    shell.fails(&[&from[..], &learned].concat(), 2, "coec::train::no_tokenizer");
    for (out, named) in [("f", "file(\"words.json\")"), ("g", "bytes")] {
        let set = format!("train.tokenizer={named}");
        shell.ok(&[&from[..], &[out, "--set", &set]].concat());
    }
    // A run of bytes is one whose spec may say so, or nothing.
    let bytes = ["train", "tiny.coe", "--weights", "bytes/model.safetensors", "--out"];
    shell.ok(&[&bytes[..], &["h"]].concat());
    assert!(shell.read("h/spec.coe").contains("= bytes"));
    shell.ok(&[&bytes[..], &["i", "--set", "train.tokenizer=bytes"]].concat());
}

#[test]
fn a_learned_tokenizer_is_taken_over_where_the_spec_says_bpe() {
    let shell = shell();
    let sets = ["--set", "vocab=300", "--set", "train.tokenizer=bpe(vocab=300)"];
    let args = ["train", "tiny.coe", "--data", "words.txt"];
    shell.ok(&[&args[..], &sets, &["--out", "base"]].concat());
    // From other text it would learn others.
    shell.write("other.txt", "seven purple elephants. ".repeat(90));
    let args = ["train", "tiny.coe", "--data", "other.txt", "--weights", "base/model.safetensors"];
    shell.ok(&[&args[..], &sets, &["--out", "r"]].concat());
    assert_eq!(shell.read("r/tokenizer.json"), shell.read("base/tokenizer.json"));
}

#[test]
fn text_that_is_lost_is_measured() {
    let shell = shell();
    assert_eq!(train(&shell, "r")["lost"]["lost_characters"], 0);
    let quiet = shell.coec(&[&OF_WORDS[..], &["--out", "q"]].concat());
    assert!(!String::from_utf8_lossy(&quiet.stderr).contains("the tokenizer loses"));

    shell.write("words.txt", "red purple ".repeat(90));
    let args = [&OF_WORDS[..], &["--out", "s"]].concat();
    let output = shell.coec(&args);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("the tokenizer loses 66.67% of the text"), "{said}");
    let document = train(&shell, "t");
    assert_eq!(document["lost"]["characters"], 810);
    assert_eq!(document["lost"]["lost_characters"], 540);
    // A word each, and the space that a piece of the text may end with.
    assert!((90..93).contains(&document["lost"]["unknown_tokens"].as_u64().unwrap()), "{document}");

    shell.write("held.txt", "red purple ".repeat(20));
    let found = shell.json(&["eval", "r", "--data", "held.txt", "--json"]);
    assert_eq!((&found["lost"]["characters"], &found["lost"]["lost_characters"]), (&json!(180), &json!(120)));
    assert!(shell.ok(&["eval", "r", "--data", "held.txt"]).contains("the tokenizer loses 66.67%"));

    shell.write("words.txt", "purple ".repeat(90));
    shell.fails(&[&OF_WORDS[..], &["--out", "u"]].concat(), 2, "coec::tokenizer::all_lost");
    shell.fails(&["eval", "r", "--data", "words.txt"], 2, "coec::tokenizer::all_lost");
}

#[test]
fn a_prompt_may_begin_with_a_hyphen() {
    let shell = shell();
    shell.ok(&["train", "tiny.coe", "--out", "r"]);
    let found = shell.json(&["generate", "r", "--prompt", "-5 + 3 =", "--tokens", "2", "--json"]);
    assert_eq!(found["prompt"], "-5 + 3 =");
    assert!(found["decoded"].as_str().unwrap().starts_with("-5 + 3 ="));
    shell.ok(&["generate", "r", "--prompt", "--help", "--stop", "-", "--tokens", "2"]);
}

#[test]
fn generation_ends_before_a_stop() {
    let shell = shell();
    shell.ok(&["train", "tiny.coe", "--out", "r"]);
    // Signs of one byte each: every token is a character.
    let whole = |more: &[&str]| {
        let args = ["generate", "r", "--prompt", "1", "--seed", "3", "--tokens", "40", "--json"];
        shell.json(&[&args[..], more].concat())
    };
    let found = whole(&[]);
    let text = found["text"].as_str().unwrap();
    let stop: String = text.chars().skip(6).take(2).collect();
    let before = &text[..text.find(&stop).unwrap()];
    for stops in [vec!["--stop", &stop], vec!["--stop", "not in there", "--stop", &stop]] {
        let stopped = whole(&stops);
        assert_eq!((stopped["text"].as_str(), stopped["ended"].as_str()), (Some(before), Some("stop")));
        assert!(stopped["tokens"].as_u64() < found["tokens"].as_u64());
    }
    assert_eq!(whole(&["--stop", "not in there"])["text"], text);
    assert_eq!(code_of(&shell, &["generate", "r", "--prompt", "1", "--stop", ""]), "coec::cli::arguments");
}

#[test]
fn text_is_printed_while_it_is_made() {
    let shell = shell();
    shell.ok(&["train", "tiny.coe", "--out", "r"]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_coec"))
        .args(["generate", "r", "--prompt", "1 + 1", "--temperature", "0", "--tokens", "100000000"])
        .current_dir(shell.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut some = [0; 64];
    let read = child.stdout.take().unwrap().read_exact(&mut some);
    let is_running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    read.unwrap();
    assert!(is_running && some.starts_with(b"1 + 1"));
}

/// A small folder as `transformers` writes it, with a tokenizer and what its settings say of ends.
fn folder(shell: &Shell, ends: &str) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity/goldens/families/mixtral");
    fs::create_dir(shell.path().join("folder")).unwrap();
    for entry in fs::read_dir(golden).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), shell.path().join("folder").join(entry.file_name())).unwrap();
    }
    shell.write("folder/tokenizer.json", words().to_string());
    shell.write("folder/generation_config.json", ends);
}

#[test]
fn an_import_continues_text_and_ends_as_its_settings_say() {
    for (ends, ended) in [("{}", None), ("{\"eos_token_id\": [0, 1, 2, 3, 4]}", Some("end"))] {
        let shell = shell();
        folder(&shell, ends);
        shell.ok(&["import", "folder", "--out", "in"]);
        let found = generate(&shell, "in", 1, &[]);
        assert_eq!(found["decoded"], format!("red green{}", found["text"].as_str().unwrap()));
        if let Some(ended) = ended {
            assert_eq!((found["ended"].as_str(), found["tokens"].as_u64()), (Some(ended), Some(0)));
        } else {
            // config.json alone: `red` is its end.
            assert!(!found["text"].as_str().unwrap().contains("red"), "{found}");
        }
        // Weights of an import bring their tokenizer too, and its ends.
        let train = ["train", "in/spec.coe", "--data", "words.txt", "--weights", "in/model.safetensors"];
        let sets = ["--set", "train.steps=1", "--set", "train.context=8", "--out", "r"];
        shell.ok(&[&train[..], &sets].concat());
        let again = generate(&shell, "r", 1, &[]);
        assert!(!again["text"].as_str().unwrap().contains("red"), "{again}");
    }
}

#[test]
fn a_run_of_a_tokenizer_is_exported_with_it() {
    let shell = shell();
    shell.write(
        "moe.coe",
        "model m { vocab=16 context=16 dim=16 layers=1 attention=mha(heads=2, kv_heads=1)
        ffn=moe(k=2, experts=4, hidden=8, router=softmax(renorm=true)) }
        train { steps=2 batch=2 tokenizer=file(\"words.json\") eval=every(2, batches=1) }",
    );
    shell.ok(&["train", "moe.coe", "--data", "words.txt", "--out", "r"]);
    shell.ok(&["export", "r", "--out", "hf"]);
    let read = |file: &str| serde_json::from_str::<Value>(&shell.read(&format!("hf/{file}"))).unwrap();
    assert_eq!(shell.read("hf/tokenizer.json"), shell.read("r/tokenizer.json"));
    assert_eq!(read("tokenizer_config.json")["tokenizer_class"], "PreTrainedTokenizerFast");
    assert_eq!(read("tokenizer_config.json")["eos_token"], "</s>");
    assert_eq!(
        (
            read("generation_config.json")["eos_token_id"].as_u64(),
            read("config.json")["eos_token_id"].as_u64()
        ),
        (Some(0), Some(0))
    );
    // And back again it ends where it did.
    shell.ok(&["import", "hf", "--out", "again"]);
    let text = |run: &str| generate(&shell, run, 5, &[])["decoded"].clone();
    assert_eq!(text("r"), text("again"));
}
