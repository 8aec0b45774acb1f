//! The command as people meet it: arguments in; output, files and exit codes out.

mod common;

use std::fs;

use common::{Shell, TINY};
use serde_json::Value;

#[test]
fn the_one_line_spec_builds() {
    let shell = Shell::new();
    shell.write("coe2_4_64.coe", "coe(iter=2, k=4, experts=64, residual=inner, gate=independent)\n");
    let output = shell.coec(&["build", "coe2_4_64.coe"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("coec::advice::paper_name"));
    assert!(String::from_utf8_lossy(&output.stdout).contains("experts=64, shared=0, hidden=704"));
    let dir = shell.path().join("coe2_4_64");
    let read = |file: &str| fs::read_to_string(dir.join(file)).unwrap();
    assert!(read("spec.coe").contains("experts=64, shared=0, hidden=704"));
    let ir: Value = serde_json::from_str(&read("ir.json")).unwrap();
    assert_eq!(ir["model"]["name"], "coe2_4_64");
    let budget: Value = serde_json::from_str(&read("budget.json")).unwrap();
    assert_eq!(budget["figures"]["params.total"], 780_938_240u64);
    assert_eq!(budget["captured"]["params"], 780_938_240u64);
    let executed = budget["figures"]["flops.executed"].as_u64().unwrap();
    assert_eq!(budget["captured"]["forward_flops"].as_u64().unwrap(), executed * 512);

    // The explicit spec is the same model, and building again replaces the output.
    fs::copy(dir.join("spec.coe"), shell.path().join("again.coe")).unwrap();
    shell.ok(&["build", "again.coe", "--out", "coe2_4_64"]);
    assert_eq!(read("spec.coe"), fs::read_to_string(shell.path().join("again.coe")).unwrap());
    let left: Vec<_> = fs::read_dir(shell.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "nothing half-written is left behind: {left:?}");
}

#[test]
fn build_does_not_replace_what_it_did_not_write() {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    fs::create_dir(shell.path().join("tiny")).unwrap();
    shell.write("tiny/thesis.txt", "mine");
    shell.fails(&["build", "tiny.coe"], 2, "coec::build::not_ours");
    assert_eq!(fs::read_to_string(shell.path().join("tiny/thesis.txt")).unwrap(), "mine");
}

#[test]
fn building_again_keeps_additions_and_stops_before_edits() {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    shell.ok(&["build", "tiny.coe"]);
    let at = |file: &str| shell.path().join("tiny").join(file);
    // A person's additions: a build folder, a file among ours, a repository.
    for (file, text) in [("target/debug/x", "built"), ("src/nn/mine.rs", "mine"), (".git/HEAD", "main")] {
        fs::create_dir_all(at(file).parent().unwrap()).unwrap();
        fs::write(at(file), text).unwrap();
    }
    let before = fs::read_to_string(at("spec.coe")).unwrap();
    shell.ok(&["build", "tiny.coe", "--set", "vocab=300"]);
    assert_ne!(fs::read_to_string(at("spec.coe")).unwrap(), before);
    for (file, text) in [("target/debug/x", "built"), ("src/nn/mine.rs", "mine"), (".git/HEAD", "main")] {
        assert_eq!(fs::read_to_string(at(file)).unwrap(), text, "{file}");
    }

    let model = fs::read_to_string(at("src/model.rs")).unwrap();
    fs::write(at("src/model.rs"), format!("{model}// mine\n")).unwrap();
    let shown = shell.fails(&["build", "tiny.coe"], 2, "coec::build::edited");
    assert!(shown.contains("src/model.rs") && shown.contains("--force"), "{shown}");
    assert!(fs::read_to_string(at("src/model.rs")).unwrap().ends_with("// mine\n"));
    shell.ok(&["build", "tiny.coe", "--force", "--set", "vocab=300"]);
    assert_eq!(fs::read_to_string(at("src/model.rs")).unwrap(), model);
}

#[test]
fn a_broken_budget_exits_1_and_says_what_would_mend_it() {
    let shell = Shell::new();
    shell.write("over.coe", format!("{TINY}\nbudget {{ params.total <= 5k }}\n"));
    for command in [["check", "over.coe"], ["build", "over.coe"], ["train", "over.coe"]] {
        let shown = shell.fails(&command, 1, "coec::budget::violated");
        assert!(shown.contains("params.total <= 5k"), "{shown}");
        assert!(shown.contains("would"), "it names fields that close the gap: {shown}");
    }
    assert!(!shell.path().join("over").exists() && !shell.path().join("runs").exists());
    shell.write("warned.coe", format!("{TINY}\nbudget {{ warn params.total <= 5k }}\n"));
    shell.ok(&["check", "warned.coe"]);
}

#[test]
fn wrong_specs_exit_2_each_with_its_code() {
    let shell = Shell::new();
    let model = |body: &str| format!("model m {{ {body} }}");
    let ffn = "ffn=coe(iter=2, k=2, experts=4)";
    let cases: &[(&str, Vec<u8>, &str)] = &[
        ("key", model(&format!("{ffn} vocabulary=5")).into(), "coec::resolve::unknown_field"),
        (
            "word",
            model("ffn=coe(iter=2, k=2, experts=4, gate=independant)").into(),
            "coec::resolve::unknown_word",
        ),
        ("k", model("ffn=coe(iter=2, k=5, experts=4)").into(), "coec::verify::k_exceeds_experts"),
        ("gate", model("ffn=coe(iter=2, k=2, experts=4, gate=shared)").into(), "coec::resolve::gate_shared"),
        ("cycle", b"model m extends \"cycle.coe\" { }".to_vec(), "coec::resolve::extends_cycle"),
        ("empty", Vec::new(), "coec::read::empty"),
        ("bytes", vec![0xff, 0x00, 0x9c, 0xfe], "coec::read::not_utf8"),
        ("large", vec![b' '; (1 << 20) + 1], "coec::read::too_large"),
        (
            "deep",
            format!("model m {{ ffn={}{} }}", "[".repeat(65), "]".repeat(65)).into(),
            "coec::parse::nested_too_deep",
        ),
        ("number", model(&format!("{ffn} vocab=1{}", "0".repeat(80))).into(), "out_of_range"),
    ];
    for (name, text, code) in cases {
        let file = format!("{name}.coe");
        shell.write(&file, text);
        shell.fails(&["check", &file], 2, code);
        shell.fails(&["build", &file], 2, code);
    }
    shell.fails(&["check", "missing.coe"], 2, "coec::read::");
    shell.write("tiny.coe", TINY);
    shell.fails(&["check", "tiny.coe#huge"], 2, "coec::resolve::unknown_model");
    let shown =
        shell.fails(&["check", "tiny.coe", "--set", "ffn.k=99"], 2, "coec::verify::k_exceeds_experts");
    assert!(shown.contains("--set"), "the error points into the argument: {shown}");
}

#[test]
fn cost_prints_every_figure_as_an_exact_integer() {
    let shell = Shell::new();
    let document = shell.json(&["cost", "CoE-2(4/64)", "MoE(8/64)", "--by", "layer", "--json"]);
    assert_eq!(document["schema"], "coec/1");
    let figures = &document["models"][0]["figures"];
    assert_eq!(figures["params.non_embedding"], 571_214_848u64);
    assert_eq!(document["models"][1]["figures"]["params.total"], 780_672_000u64);
    assert_eq!(figures["experts.paths"], "1419267168900");
    assert_eq!(document["models"][0]["layers"][3]["figures"]["experts.calls"], 10);
    let text = shell.ok(&["cost", "CoE-2(4/64)", "MoE(8/64)"]);
    assert!(text.contains("571,214,848") && text.contains("decimal"), "{text}");
    // The largest model the bounds allow is still counted, and nothing overflows.
    let huge = "model huge { vocab=16777216 context=16777216 dim=131072 layers=1024
        attention=mha(heads=4096, head_dim=1048576)
        ffn=coe(iter=64, k=16384, experts=16384, shared=1024, hidden=1048576) }";
    shell.write("huge.coe", huge);
    shell.json(&["cost", "huge.coe", "--batch", "1048576", "--json"]);
}

#[test]
fn a_run_trains_keeps_its_files_and_generates() {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    let summary = shell.json(&["train", "tiny.coe", "--json"]);
    assert_eq!(summary["summary"]["steps"], 4);
    let run = shell.path().join("runs/tiny-1");
    for file in
        ["spec.coe", "tokenizer.json", "metrics.jsonl", "experts.jsonl", "budget.json", "model.safetensors"]
    {
        assert!(run.join(file).is_file(), "{file}");
    }
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines: Vec<Value> = metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    for key in ["step", "tokens", "loss", "aux_loss", "lr", "grad_norm", "tokens_per_s", "mfu"] {
        assert!(lines[0][key].is_number(), "{key}");
    }
    assert!(lines[0].get("val_loss").is_none() && lines[1]["val_loss"].is_number());
    let experts = fs::read_to_string(run.join("experts.jsonl")).unwrap();
    let load: Value = serde_json::from_str(experts.lines().next().unwrap()).unwrap();
    // Two steps of 4 x 16 tokens, each selecting two experts.
    assert_eq!(load["counts"].as_array().unwrap().iter().map(|c| c.as_u64().unwrap()).sum::<u64>(), 256);
    assert_eq!(experts.lines().count(), 2 * 2 * 2, "two evaluations, two layers, two iterations");
    let card: Value = serde_json::from_str(&fs::read_to_string(run.join("budget.json")).unwrap()).unwrap();
    let row =
        card["rows"].as_array().unwrap().iter().find(|row| row["figure"] == "flops.executed_train").unwrap();
    assert_eq!(row["closed_form"], row["captured"]);
    assert_eq!(row["closed_form"].as_f64(), row["measured"].as_f64());

    shell.ok(&["train", "tiny.coe"]);
    assert!(shell.path().join("runs/tiny-2").is_dir(), "a run is never overwritten");
    shell.fails(&["train", "tiny.coe", "--out", "runs/tiny-1"], 2, "coec::run::exists");

    let sampled = |seed: &str| {
        shell.json(&[
            "generate",
            "runs/tiny-1",
            "--prompt",
            "Ana",
            "--tokens",
            "30",
            "--seed",
            seed,
            "--json",
        ])
    };
    assert_eq!(sampled("1")["text"], sampled("1")["text"]);
    assert_ne!(sampled("1")["text"], sampled("2")["text"]);
    let greedy =
        shell.ok(&["generate", "runs/tiny-1", "--prompt", "Ana", "--temperature", "0", "--tokens", "50"]);
    assert!(greedy.starts_with("Ana"));
    shell.fails(
        &["generate", "runs/tiny-1", "--prompt", "x", "--temperature", "-1"],
        2,
        "coec::sample::temperature",
    );
    shell.fails(&["generate", "runs/none", "--prompt", "x"], 3, "coec::run::");
    // The checkpoint carries the contract's names: `forward` takes it.
    shell.fails(
        &[
            "forward",
            "tiny.coe",
            "--weights",
            "runs/tiny-1/model.safetensors",
            "--tokens",
            "none",
            "--out",
            "o",
        ],
        3,
        "coec::weights::unreadable",
    );
}

#[test]
fn equal_seeds_give_equal_runs() {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    let train = |out: &str, seed: &str| {
        shell.ok(&["train", "tiny.coe", "--out", out, "--set", &format!("train.seed={seed}"), "--json"]);
        fs::read(shell.path().join(out).join("model.safetensors")).unwrap()
    };
    let first = train("a", "7");
    assert!(first == train("b", "7"), "one seed, one run, bit for bit");
    assert!(first != train("c", "8"));
}

#[test]
fn ndarray_learns_what_the_cpu_learns() {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    let losses = |backend: &str| -> Vec<f64> {
        let args = ["train", "tiny.coe", "--backend", backend, "--out", backend, "--json"];
        shell.ok(&[&args[..], &["--set", "train.steps=20"]].concat());
        let metrics = fs::read_to_string(shell.path().join(backend).join("metrics.jsonl")).unwrap();
        let loss = |line: &str| serde_json::from_str::<Value>(line).unwrap()["loss"].as_f64().unwrap();
        metrics.lines().map(loss).collect()
    };
    let (cpu, ndarray) = (losses("cpu"), losses("ndarray"));
    assert_eq!(cpu.len(), 20);
    for (step, (a, b)) in cpu.iter().zip(&ndarray).enumerate() {
        assert!((a - b).abs() / a < 1e-4, "step {step}: {a} on the cpu, {b} on ndarray");
    }
}

#[test]
fn measured_budgets_are_enforced() {
    let shell = Shell::new();
    shell.write("fast.coe", format!("{TINY}\nbudget {{ measured.throughput >= 1T @ backend=cpu }}\n"));
    shell.fails(&["train", "fast.coe"], 1, "coec::budget::violated");
    shell.write("gpu.coe", format!("{TINY}\nbudget {{ measured.throughput >= 1T @ backend=cuda }}\n"));
    let text = shell.ok(&["train", "gpu.coe"]);
    assert!(text.contains("not measured"), "a rule for another backend decides nothing here: {text}");
}

#[test]
fn text_and_json_lines_are_trained_on() {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    let line = "the quick brown fox jumps over the lazy dog again and again. ";
    shell.write("a.txt", line.repeat(40));
    let sets = ["--set", "vocab=300", "--set", "train.tokenizer=bpe(vocab=300)"];
    shell.ok(&[&["train", "tiny.coe", "--data", "a.txt", "--out", "x", "--json"][..], &sets].concat());
    let records: String =
        (0..60).map(|i| format!("{{\"question\": \"{i} + 1?\", \"answer\": \"{}\"}}\n", i + 1)).collect();
    shell.write("a.jsonl", records);
    shell.ok(&["train", "tiny.coe", "--data", "a.jsonl", "--out", "y", "--json"]);
    shell.write("bad.jsonl", "{\"question\": \"1?\", \"answer\": \"1\"}\n{\"question\": 1,, }\n");
    let shown = shell.fails(&["train", "tiny.coe", "--data", "bad.jsonl"], 3, "coec::data::");
    assert!(shown.contains("bad.jsonl") && shown.contains('2'), "file and line are named: {shown}");
    shell.fails(&["train", "tiny.coe", "--data", "none*.txt"], 3, "coec::data::");
}

#[test]
fn missing_backends_are_a_sentence_not_a_panic() {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    let devices = shell.json(&["devices", "--json"]);
    assert_eq!(devices["backends"][0]["backend"], "cpu");
    let has_gpu = devices["backends"][2]["devices"].as_array().is_some_and(|found| !found.is_empty());
    if !has_gpu {
        let shown = shell.fails(&["train", "tiny.coe", "--backend", "cuda"], 3, "coec::device::unavailable");
        assert!(shown.contains("cuda"), "{shown}");
        assert!(!shell.path().join("runs").exists(), "nothing was begun");
    }
}

#[test]
fn devices_say_how_many_threads_will_be_used() {
    let shell = Shell::new();
    let devices = |args: &[&str]| {
        let output = shell.command(args).env("RAYON_NUM_THREADS", "3").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let text = devices(&["devices"]);
    assert!(text.starts_with("cpu      3 threads: "), "{text}");
    let document: Value = serde_json::from_str(&devices(&["devices", "--json"])).unwrap();
    assert_eq!(document["backends"][0]["threads"], 3);
    assert_eq!(document["backends"][1]["threads"], 3);
    assert!(document["backends"][2]["threads"].is_null());
}

#[test]
fn wrong_arguments_are_json_where_json_is_asked_for() {
    let shell = Shell::new();
    let output = shell.coec(&["cost", "MoE(8/64)", "--context", "0", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["errors"][0]["code"], "coec::cli::arguments");
    assert_eq!(shell.coec(&["cost"]).status.code(), Some(2));
    assert!(shell.ok(&["--help"]).contains("Examples"));
}

#[test]
fn a_new_spec_is_ready_to_use() {
    let shell = Shell::new();
    shell.ok(&["new", "mine"]);
    shell.ok(&["check", "mine.coe"]);
    shell.fails(&["new", "mine"], 2, "coec::new::exists");
    shell.fails(&["new", "../mine"], 2, "coec::new::name");
}

/// A batch in two parts, their gradients added up, is the batch.
#[test]
fn accumulated_gradients_are_those_of_the_whole_batch() {
    let shell = Shell::new();
    // Balance losses of a part are not the half of the batch's; without them the two must agree.
    shell.write("tiny.coe", TINY.replace(", balance=seq_aux(alpha=0.01)", ""));
    let norms = |parts: &str| -> Vec<f64> {
        let set = format!("train.accumulate={parts}");
        shell.ok(&["train", "tiny.coe", "--out", parts, "--set", &set, "--json"]);
        let metrics = fs::read_to_string(shell.path().join(parts).join("metrics.jsonl")).unwrap();
        let lines = metrics.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.flat_map(|line| [line["loss"].as_f64().unwrap(), line["grad_norm"].as_f64().unwrap()]).collect()
    };
    for (whole, parts) in norms("1").into_iter().zip(norms("2")) {
        assert!((whole - parts).abs() / whole < 1e-4, "{whole} in one part, {parts} in two");
    }
}
