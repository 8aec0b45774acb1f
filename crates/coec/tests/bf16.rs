//! Training in bf16 on the command line: runs that go on, evaluations, texts, and the paper's specs as written.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Shell, TINY};
use safetensors::SafeTensors;
use serde_json::Value;

const BF16: [&str; 2] = ["--set", "train.precision=bf16"];

/// Trains [`TINY`] in bf16 for six steps of two parts, unless `more` says otherwise.
fn train(shell: &Shell, out: &str, more: &[&str]) -> String {
    let sets = ["--set", "train.schedule=constant(warmup=0)", "--set", "train.accumulate=2"];
    let steps = ["--set", "train.steps=6"];
    shell.ok(&[&["train", "tiny.coe", "--out", out][..], &BF16, &sets, &steps, more].concat())
}

/// The weights and moments of a run's commit of step 6.
fn state(shell: &Shell, run: &str) -> [Vec<u8>; 2] {
    let commit = shell.path().join(run).join("commits/step-00000006");
    ["model.safetensors", "optimizer.safetensors"].map(|file| fs::read(commit.join(file)).unwrap())
}

fn tiny() -> Shell {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    shell
}

#[test]
fn a_run_is_the_same_bits_however_it_is_made() {
    let shell = tiny();
    let said = train(&shell, "whole", &[]);
    assert!(said.contains("2 x 16 tokens, bf16"), "{said}");
    let whole = state(&shell, "whole");
    for word in ["experts", "layers"] {
        train(&shell, word, &["--set", &format!("train.recompute={word}")]);
        assert!(state(&shell, word) == whole, "recompute={word}");
    }
    train(&shell, "part", &["--set", "train.steps=3"]);
    shell.ok(&["train", "--resume", "part", "--set", "train.steps=6"]);
    assert!(state(&shell, "part") == whole, "a run that went on");
    for threads in ["1", "3"] {
        let args = ["train", "tiny.coe", "--out", threads, "--set", "train.schedule=constant(warmup=0)"];
        let sets = ["--set", "train.accumulate=2", "--set", "train.steps=6"];
        let mut command = shell.command(&[&args[..], &BF16, &sets].concat());
        assert!(command.env("RAYON_NUM_THREADS", threads).output().unwrap().status.success());
        assert!(state(&shell, threads) == whole, "{threads} threads");
    }
    // And other bits than in f32.
    train(&shell, "single", &["--set", "train.precision=f32"]);
    assert!(state(&shell, "single") != whole);
    // A run has one precision.
    shell.fails(&["train", "--resume", "part", "--set", "train.precision=f32"], 2, "coec::train::resume");
}

/// The loss that a run's card has, of an evaluation in what it was trained in.
#[test]
fn evaluations_are_in_the_precision_of_the_training() {
    let shell = tiny();
    shell.write("text.txt", "the quick brown fox jumps over the lazy dog again and again. ".repeat(40));
    let loss = |run: &str| {
        let document = shell.json(&["eval", run, "--data", "text.txt", "--json"]);
        document["loss"].as_f64().unwrap()
    };
    train(&shell, "run", &[]);
    let bf16 = loss("run");
    // The same weights in a run of f32.
    train(&shell, "other", &["--set", "train.precision=f32"]);
    let spec = shell.read("other/spec.coe");
    shell.write("run/spec.coe", spec);
    let f32 = loss("run");
    assert!(bf16 != f32 && (bf16 / f32 - 1.0).abs() < 1e-2, "{bf16} and {f32}");
}

#[test]
fn passes_and_texts_are_f32_unless_told() {
    let shell = Shell::new();
    shell.prepare_forward();
    let logits = |more: &[&str]| -> Vec<f32> {
        let weights = ["--weights", "run/model.safetensors", "--tokens", "tokens", "--out", "out"];
        shell.ok(&[&["forward", "tiny.coe"][..], &weights, more].concat());
        let bytes = fs::read(shell.path().join("out")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let numbers = file.tensor("logits").unwrap().data().chunks_exact(4);
        numbers.map(|number| f32::from_le_bytes(number.try_into().unwrap())).collect()
    };
    let (plain, f32, bf16) = (logits(&[]), logits(&["--precision", "f32"]), logits(&["--precision", "bf16"]));
    assert_eq!(plain, f32);
    let largest = f32.iter().fold(0f32, |most, value| most.max(value.abs()));
    let apart = f32.iter().zip(&bf16).fold(0f32, |most, (a, b)| most.max((a - b).abs())) / largest;
    assert!((1e-5..3e-2).contains(&apart), "{apart}");
    // A spec that trains in bf16 changes nothing about a pass.
    assert_eq!(logits(&BF16), f32);

    let text = |more: &[&str]| {
        let args = ["generate", "run", "--prompt", "Tom has", "--tokens", "24", "--json"];
        shell.json(&[&args[..], more].concat())["decoded"].as_str().unwrap().to_owned()
    };
    assert_eq!(text(&[]), text(&["--precision", "f32"]));
    assert!(text(&["--precision", "bf16"]).starts_with("Tom has"));
}

/// The figures by hand, in bytes, of 2048 tokens of the published MoE(8/64) and 32 of [`TINY`].
#[test]
fn figures_count_what_bf16_keeps() {
    let shell = tiny();
    let figures_of = |spec: &str, batch: &str, precision: &str| -> Value {
        let conditions = ["--batch", batch, "--precision", precision, "--json"];
        shell.json(&[&["cost", spec][..], &conditions].concat())["models"][0]["figures"].clone()
    };
    let figures = |precision: &str| figures_of("tiny.coe", "2", precision);
    let (f32, bf16) = (figures("f32"), figures("bf16"));
    let of = |figures: &Value, name: &str| figures[name].as_u64().unwrap_or_else(|| panic!("{figures}"));
    for name in ["memory.weights", "memory.gradients", "memory.optimizer"] {
        assert_eq!(of(&f32, name), of(&bf16, name), "{name}");
    }
    assert_eq!(of(&f32, "memory.kv_cache"), 2 * of(&bf16, "memory.kv_cache"));
    let spared = of(&f32, "memory.activations") - of(&bf16, "memory.activations");
    // Of each token: in two layers the norm's output, queries, keys, values and the mix, and what goes into the
    // head, 16 wide each. What iterations read, routers read too.
    assert_eq!(spared, 32 * (2 * 5 + 1) * 16 * 2);

    let paper = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs/paper/moe_8_64.coe");
    let paper = figures_of(paper, "4", "bf16");
    // Width 1024, a latent of 512; 8 heads of 128 + 64, the expanded latent 128 + 128, the mix 128.
    let factors = 1024 + 512 + 8 * (2 * 192 + 128 + 2 * 128);
    // Stream, latent, and 288 probabilities a head; stream, input, scores, gates and 9 first products of 1408.
    let others = 1024 + 512 + 8 * 288 + 2 * 1024 + 2 * 63 + 4 * 8 + 9 * 1408;
    // Of the last layer's 8 experts rows of the input and of two gradients, that of the first product, and h.
    let transient = 8 * (3 * 1024 + 1408 + 704);
    let activations = 2048 * (4 * (2 * factors + 4 * others) + 4 * transient);
    assert_eq!(of(&paper, "memory.activations"), activations);
    assert_eq!(of(&paper, "memory.train"), activations + 16 * 780_672_000);
    assert_eq!(of(&paper, "memory.kv_cache"), 2 * 2048 * 4 * (512 + 64));
}

/// A spec without its budgets, which those of a smaller model do not meet.
fn without_budget(text: &str) -> String {
    let (model, rest) = text.split_once("\nbudget {").unwrap();
    let (_, train) = rest.split_once("\n}\n").unwrap();
    format!("{model}\n{train}")
}

/// As they are written, but for how large and how long.
#[test]
fn the_papers_specs_train() {
    let shell = Shell::new();
    let record = |i: usize| format!("{{\"question\": \"{i} + {i}?\", \"answer\": \"It is {}.\"}}\n", 2 * i);
    fs::create_dir(shell.path().join("data")).unwrap();
    shell.write("data/train.jsonl", (0..400).map(record).collect::<String>());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../specs/paper");
    let mut specs: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    specs.sort();
    assert!(specs.len() >= 10);
    let name_of = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    for path in &specs {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains("precision = bf16"), "{path:?}");
        shell.write(&name_of(path), without_budget(&text));
    }
    for name in specs.iter().map(name_of) {
        let smaller = [
            "vocab=300",
            "context=32",
            "dim=16",
            "attention.heads=2",
            "attention.kv_rank=8",
            "attention.nope=4",
            "attention.rope_dim=4",
            "attention.value=4",
            "ffn.hidden=4",
            "train.tokenizer=bpe(vocab=300)",
            "train.steps=2",
            "train.batch=2",
            "train.context=32",
            "train.eval=every(2, batches=1)",
        ];
        let sets = smaller.iter().flat_map(|set| ["--set", set]);
        let args: Vec<&str> =
            ["train", &name, "--out", &name[..name.len() - 4]].into_iter().chain(sets).collect();
        let said = shell.ok(&args);
        assert!(said.contains("2 x 32 tokens, bf16"), "{name}: {said}");
    }
}
