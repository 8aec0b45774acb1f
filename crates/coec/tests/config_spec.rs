//! A Hugging Face `config.json`, or a folder with one, wherever a spec is named; its weights need not be there.

mod common;

use common::Shell;
use serde_json::{Value, json};

/// A small Qwen3-MoE.
fn qwen() -> Value {
    json!({
        "model_type": "qwen3_moe", "vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 24,
        "moe_intermediate_size": 8, "num_experts": 6, "num_experts_per_tok": 2, "norm_topk_prob": true,
        "max_position_embeddings": 32, "rms_norm_eps": 1e-6, "rope_theta": 1e4, "tie_word_embeddings": false,
    })
}

/// The same with these settings.
fn with(changes: &[(&str, Value)]) -> Value {
    let mut config = qwen();
    for (key, value) in changes {
        config[*key] = value.clone();
    }
    config
}

/// A folder `Tiny-Qwen3` with it.
fn shell() -> Shell {
    let shell = Shell::new();
    std::fs::create_dir(shell.path().join("Tiny-Qwen3")).unwrap();
    shell.write("Tiny-Qwen3/config.json", qwen().to_string());
    shell
}

/// The first model of `coec cost --json`.
fn cost(shell: &Shell, spec: &str) -> Value {
    shell.json(&["cost", spec, "--json"])["models"][0].clone()
}

const PARAMS: u64 =
    2 * 64 * 16 + 16 + 2 * (2 * 16 + 16 * (32 + 16 + 16 + 32) + 2 * 8 + 6 * 16 + 6 * 3 * 16 * 8);

#[test]
fn a_file_and_its_folder_are_one_model() {
    let shell = shell();
    for spec in ["Tiny-Qwen3/config.json", "Tiny-Qwen3", "Tiny-Qwen3/", "./Tiny-Qwen3#tiny_qwen3"] {
        let model = cost(&shell, spec);
        assert_eq!(model["name"], "tiny_qwen3", "{spec}");
        assert_eq!(model["figures"]["params.total"], PARAMS, "{spec}");
    }
    // What a file is called does not matter; what it holds does.
    shell.write("settings.txt", qwen().to_string());
    assert_eq!(cost(&shell, "settings.txt")["name"], "settings");
    let document = shell.piped_ok(&["cost", "-", "--json"], &qwen().to_string());
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["models"][0]["figures"]["params.total"], PARAMS);
    shell.ok(&["check", "Tiny-Qwen3"]);
    let beside = shell.json(&["cost", "Tiny-Qwen3", "CoE-2(4/64)", "--json"]);
    assert_eq!(beside["models"].as_array().unwrap().len(), 2);
}

#[test]
fn specs_name_it() {
    let shell = shell();
    shell.write("wide.coe", "model wide extends \"Tiny-Qwen3/config.json\" { dim = 32 }");
    let diff = shell.json(&["diff", "Tiny-Qwen3", "wide.coe", "--json"]);
    let fields: Vec<_> = diff["fields"].as_array().unwrap().iter().map(|field| &field["field"]).collect();
    assert_eq!(fields, ["dim"]);
    let rule = "model a { vocab=64 dim=16 layers=2 attention=mha(heads=4, kv_heads=2, head_dim=8) ffn=moe(k=2, experts=6, hidden=8) }
                budget { params.total <= params.total(\"Tiny-Qwen3\") +- 90% }";
    shell.write("a.coe", rule);
    shell.ok(&["check", "a.coe"]);
    let changed = shell.json(&["cost", "Tiny-Qwen3", "--set", "ffn.k=6", "--json"]);
    assert_eq!(changed["models"][0]["figures"]["experts.calls"], 12);
    let args =
        ["fit", "Tiny-Qwen3", "--free", "ffn.hidden", "--match", "params.total=20000", "--tolerance", "5%"];
    shell.ok(&[&args[..], &["--out", "fitted.coe"]].concat());
    shell.ok(&["check", "fitted.coe"]);
}

/// As Python writes JSON, and as large as it gets.
#[test]
fn files_as_they_are_found_are_read() {
    let shell = Shell::new();
    let labels: serde_json::Map<_, _> =
        (0..20_000).map(|i| (i.to_string(), format!("LABEL_{i}").into())).collect();
    let text = with(&[("id2label", labels.into()), ("task_specific_params", json!("@"))]).to_string();
    let text = text.replace("\"@\"", "{\"x\": [NaN, Infinity, -Infinity]}");
    assert!(text.len() > 400_000);
    shell.write("config.json", format!("\u{feff}{text}"));
    assert_eq!(cost(&shell, "config.json")["figures"]["params.total"], PARAMS);
}

#[test]
fn figures_of_quantised_weights_are_the_architectures() {
    let shell = Shell::new();
    let gptq = json!({"quant_method": "gptq", "bits": 4});
    shell.write("config.json", with(&[("quantization_config", gptq)]).to_string());
    let model = cost(&shell, "config.json");
    assert_eq!(model["figures"]["params.total"], PARAMS);
    let note = "the folder's weights are quantised by gptq; figures are the architecture's";
    assert!(model["notes"].to_string().contains(note), "{model}");
    assert!(shell.ok(&["cost", "config.json"]).contains(note));
    assert!(shell.ok(&["check", "config.json", "--json"]).contains(note));
}

#[test]
fn what_is_wrong_is_shown_where_it_stands() {
    let shell = Shell::new();
    shell.write(
        "act.json",
        format!("{:#}", with(&[("hidden_act", json!("relu")), ("num_experts", json!(0))])),
    );
    let shown = shell.fails(&["check", "act.json"], 2, "coec::hf::refused");
    assert!(
        shown.contains("coec::hf::out_of_range") && shown.contains("\"hidden_act\": \"relu\""),
        "{shown}"
    );
    let mut lacking = qwen();
    lacking.as_object_mut().unwrap().remove("model_type");
    shell.write("lacking.json", lacking.to_string());
    shell.fails(&["cost", "lacking.json"], 2, "coec::hf::model_type");
    shell.write("torn.json", "{\"model_type\": ");
    shell.fails(&["check", "torn.json"], 2, "coec::hf::not_json");
    std::fs::create_dir(shell.path().join("empty")).unwrap();
    let shown = shell.fails(&["check", "empty"], 2, "coec::read::unreadable");
    assert!(shown.contains("config.json"), "{shown}");
}

#[test]
fn what_is_wrong_keeps_nothing_from_being_counted() {
    let shell = shell();
    shell.write("other.json", json!({"model_type": "gpt2"}).to_string());
    let output = shell.coec(&["cost", "other.json", "Tiny-Qwen3", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["models"][0]["figures"]["params.total"], PARAMS);
    assert_eq!(document["errors"][0]["spec"], "other.json");
    assert_eq!(document["errors"][0]["errors"][0]["code"], "coec::hf::model_type");
    let output = shell.coec(&["cost", "other.json", "Tiny-Qwen3"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stdout).contains("tiny_qwen3"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("gpt2"));
}
