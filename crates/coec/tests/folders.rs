//! `coec import` and `coec export`: folders in, specs and weights out, and back.

mod common;

use std::path::Path;

use coec_train::weights::{self, Dtype, Values, Weights};
use common::Shell;

/// A small folder as `transformers` writes it.
fn golden(family: &str) -> String {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity/goldens/families");
    goldens.join(family).to_str().unwrap().to_string()
}

#[test]
fn what_is_imported_runs_trains_and_goes_back() {
    let shell = Shell::new();
    let source = golden("mixtral");
    let said = shell.json(&["import", &source, "--out", "in", "--json"]);
    assert_eq!((said["family"].as_str(), said["tensors"].as_u64()), (Some("mixtral"), Some(41)));
    shell.ok(&["check", "in/spec.coe"]);
    let tokens = format!("{source}/golden.safetensors");
    let weights = ["--weights", "in/model.safetensors"];
    let pass = ["forward", "in/spec.coe", "--tokens", &tokens, "--out", "o.safetensors", "--grads"];
    shell.ok(&[&pass[..], &weights].concat());

    // The vocabulary of the folder is too small for bytes, as the spec that trains says.
    let train =
        ["train", "in/spec.coe", "--out", "run", "--set", "train.steps=2", "--set", "train.context=8"];
    shell.fails(&[&train[..], &weights].concat(), 2, "coec::verify::vocab_too_small");

    shell.ok(&["export", "in", "--format", "hf", "--out", "back", "--shard-size", "10kB"]);
    let read = |path: &str| std::fs::read(path).unwrap();
    let back = shell.path().join("back");
    assert_eq!(read(&format!("{source}/config.json")), std::fs::read(back.join("config.json")).unwrap());
    assert!(back.join("model.safetensors.index.json").is_file());
    shell.fails(&["export", "in", "--out", "back"], 2, "coec::folder::exists");
    shell.fails(&["import", &source, "--out", "in"], 2, "coec::folder::exists");
}

#[test]
fn a_run_of_ours_is_exported_where_a_family_can_say_it() {
    let shell = Shell::new();
    let moe = "model m { vocab=256 context=16 dim=16 layers=1 attention=mha(heads=2, kv_heads=1)
        ffn=moe(k=2, experts=4, hidden=8, router=softmax(renorm=true)) }
        train { steps=2 batch=2 eval=every(2, batches=1) }";
    shell.write("moe.coe", moe);
    shell.write("chain.coe", moe.replace("moe(k=2", "coe(iter=2, norm=each, k=2"));
    for name in ["moe", "chain"] {
        shell.ok(&["train", &format!("{name}.coe"), "--out", name]);
    }
    let said = shell.json(&["export", "moe", "--out", "hf", "--json"]);
    assert_eq!(said["family"], "mixtral");
    shell.ok(&["import", "hf", "--out", "again"]);
    let tensors = |dir: &str| {
        let file = Weights::open(&shell.path().join(dir).join("model.safetensors")).unwrap();
        let mut all: Vec<_> =
            file.names().map(|name| (name.to_string(), file.bytes(name).unwrap())).collect();
        all.sort();
        all
    };
    assert_eq!(tensors("moe"), tensors("again"));
    // Trained on from where it was.
    shell.ok(&["train", "moe.coe", "--weights", "again/model.safetensors", "--out", "more"]);

    shell.fails(&["export", "chain", "--out", "no"], 2, "coec::hf::no_family");
    shell.fails(&["export", "moe", "--out", "no", "--family", "olmoe"], 2, "coec::hf::inexpressible");
    shell.fails(&["export", "moe", "--out", "no", "--family", "gpt"], 2, "coec::cli::family");
    shell.fails(&["export", "moe", "--out", "no", "--shard-size", "big"], 2, "coec::cli::shard_size");
    assert!(!shell.path().join("no").exists());
}

#[test]
fn every_wrong_setting_is_named() {
    let shell = Shell::new();
    std::fs::create_dir(shell.path().join("in")).unwrap();
    let config = std::fs::read_to_string(format!("{}/config.json", golden("olmoe"))).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
    config["hidden_act"] = "tanh".into();
    config["clip_qkv"] = 8.0.into();
    config["new_idea"] = true.into();
    shell.write("in/config.json", config.to_string());
    std::fs::copy(
        format!("{}/model.safetensors", golden("olmoe")),
        shell.path().join("in/model.safetensors"),
    )
    .unwrap();
    let said = shell.fails(&["import", "in", "--out", "out"], 2, "coec::hf::refused");
    for key in ["hidden_act", "clip_qkv", "new_idea"] {
        assert!(said.contains(key), "{said}");
    }
    shell.fails(&["import", "nowhere", "--out", "out"], 3, "coec::folder::unreadable");
    assert!(!shell.path().join("out").exists());
}

/// One matrix of FP8 and its factors among weights that are none.
#[test]
fn quantised_weights_are_read_and_other_precisions_are_made() {
    let shell = Shell::new();
    let source = golden("qwen3_moe");
    let config = std::fs::read_to_string(format!("{source}/config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
    config["quantization_config"] =
        serde_json::json!({ "quant_method": "fp8", "weight_block_size": [128, 128] });
    std::fs::create_dir(shell.path().join("in")).unwrap();
    shell.write("in/config.json", config.to_string());
    let of = Weights::open(&Path::new(&source).join("model.safetensors")).unwrap();
    let name = "model.layers.0.self_attn.q_proj.weight";
    // Of every code 0x38, which is 1.
    let ones = vec![0x38; of.shape(name).unwrap().iter().product()];
    let kept: Vec<_> = of.names().filter(|other| *other != name).collect();
    let bytes: Vec<_> = kept.iter().map(|name| of.bytes(name).unwrap()).collect();
    let mut tensors = vec![(name, of.shape(name).unwrap(), Values::Bytes(Dtype::F8_E4M3, &ones))];
    for (other, bytes) in kept.into_iter().zip(&bytes) {
        let dtype = of.dtype(other).unwrap();
        tensors.push((other, of.shape(other).unwrap(), Values::Bytes(dtype, bytes)));
    }
    let save = |tensors: &[(&str, &[usize], Values<'_>)]| {
        weights::write(&shell.path().join("in/model.safetensors"), tensors, &[]).unwrap();
    };
    save(&tensors);
    shell.fails(&["import", "in", "--out", "out"], 2, "coec::folder::factors");
    let scale = format!("{name}_scale_inv");
    tensors.push((&scale, &[1, 1], Values::F32(&[0.25])));
    save(&tensors);
    let said = shell.json(&["import", "in", "--out", "out", "--json"]);
    assert_eq!(said["converted"], true);
    let out = Weights::open(&shell.path().join("out/model.safetensors")).unwrap();
    assert!(out.f32(name).unwrap().iter().all(|&number| number == 0.25));

    shell.ok(&["import", &source, "--out", "half", "--dtype", "bf16"]);
    let half = Weights::open(&shell.path().join("half/model.safetensors")).unwrap();
    assert_eq!(half.dtype(name).unwrap(), Dtype::BF16);
    shell.ok(&["export", "out", "--out", "back"]);
    let back = std::fs::read_to_string(shell.path().join("back/config.json")).unwrap();
    assert!(!back.contains("quantization_config"), "{back}");
}
