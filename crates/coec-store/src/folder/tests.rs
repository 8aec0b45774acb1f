//! Folders made by hand: what is refused, and what a way there and back keeps.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::weights::{self, Values, Weights};

/// A tiny folder of the family olmoe, its tensors of zeros but for the first.
fn folder(at: &Path) -> Vec<(String, Vec<usize>)> {
    let config = serde_json::json!({
        "model_type": "olmoe", "vocab_size": 5, "hidden_size": 4, "intermediate_size": 3,
        "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "num_experts": 2,
        "num_experts_per_tok": 1, "max_position_embeddings": 8, "eos_token_id": 3,
    });
    fs::create_dir_all(at).unwrap();
    fs::write(at.join("config.json"), config.to_string()).unwrap();
    fs::write(at.join("generation_config.json"), "{}").unwrap();
    let import = coec_hf::import(&config.to_string(), "a").unwrap();
    import.tensors().into_iter().map(|tensor| (tensor.hf, tensor.shape)).collect()
}

fn write(path: &Path, tensors: &[(String, Vec<usize>)]) {
    let zeros = vec![0.25f32; 4096];
    let tensors: Vec<_> = tensors
        .iter()
        .map(|(name, shape)| {
            let values = Values::F32(&zeros[..shape.iter().product()]);
            (name.as_str(), shape.as_slice(), values)
        })
        .collect();
    weights::write(path, &tensors, &[]).unwrap();
}

fn take(at: &Path, out: &Path) -> Result<Imported, FolderError> {
    let spec = |import: &coec_hf::Import, _| coec_ir::text::model(&import.model);
    import(&Folder::open(at)?, "a", out, spec, &mut |_, _| ())
}

fn scratch() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (at, out) = (dir.path().join("in"), dir.path().join("out"));
    (dir, at, out)
}

#[test]
fn a_folder_comes_back_as_it_was_in_shards_of_any_size() {
    let (dir, at, out) = scratch();
    let mut tensors = folder(&at);
    tensors.push(("model.layers.0.self_attn.rotary_emb.inv_freq".into(), vec![1]));
    write(&at.join("model.safetensors"), &tensors);
    let imported = take(&at, &out).unwrap();
    assert_eq!(imported.carried.len(), 1);
    for (size, name) in [(1, "many"), (u64::MAX, "one")] {
        let back = dir.path().join(name);
        let weights = Weights::open(&out.join("model.safetensors")).unwrap();
        let exported =
            export(&out, &weights, &imported.import.model, None, size, &back, &mut |_, _| ()).unwrap();
        assert_eq!(exported.shards, if size == 1 { tensors.len() } else { 1 });
        let (before, after) = (Folder::open(&at).unwrap(), Folder::open(&back).unwrap());
        assert_eq!(before.config(), after.config());
        assert_eq!(before.shapes().unwrap(), after.shapes().unwrap());
        for (tensor, _) in &tensors {
            let bytes = |folder: &Folder| folder.weights(tensor).unwrap().bytes(tensor).unwrap();
            assert_eq!(bytes(&before), bytes(&after), "{tensor}");
        }
        assert!(back.join("generation_config.json").is_file());
    }
}

#[test]
fn nothing_is_overwritten_and_nothing_half_is_left() {
    let (dir, at, out) = scratch();
    let tensors = folder(&at);
    write(&at.join("model.safetensors"), &tensors[1..]);
    assert_eq!(take(&at, &out).unwrap_err().code(), "coec::hf::tensors");
    assert!(!out.exists());
    fs::create_dir(&out).unwrap();
    fs::write(out.join("mine"), "").unwrap();
    write(&at.join("model.safetensors"), &tensors);
    assert_eq!(take(&at, &out).unwrap_err().code(), "coec::folder::exists");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn an_index_must_tell_the_truth() {
    let (_dir, at, out) = scratch();
    let tensors = folder(&at);
    assert_eq!(take(&at, &out).unwrap_err().code(), "coec::folder::no_weights");
    let (first, rest) = tensors.split_at(1);
    write(&at.join("a.safetensors"), first);
    write(&at.join("b.safetensors"), rest);
    let code = |place: &dyn Fn(usize, &str) -> String| {
        let map: serde_json::Map<_, _> = tensors
            .iter()
            .enumerate()
            .map(|(i, (name, _))| (name.clone(), place(i, name).into()))
            .filter(|(_, file)| *file != "")
            .collect();
        let index = serde_json::json!({ "weight_map": map });
        fs::write(at.join("model.safetensors.index.json"), index.to_string()).unwrap();
        take(&at, &out).map(|_| ()).map_err(|error| error.code())
    };
    let right = |i: usize| if i == 0 { "a.safetensors" } else { "b.safetensors" };
    assert_eq!(
        code(&|i, _| if i == 1 { "a.safetensors" } else { right(i) }.into()),
        Err("coec::folder::index")
    );
    assert_eq!(code(&|i, _| if i == 1 { "" } else { right(i) }.into()), Err("coec::folder::index"));
    assert_eq!(code(&|i, _| format!("../in/{}", right(i))), Err("coec::folder::index"));
    assert_eq!(code(&|i, _| right(i).into()), Ok(()));
}

#[test]
fn integers_are_no_weights() {
    let (_dir, at, out) = scratch();
    let tensors = folder(&at);
    let (ints, floats) = (vec![0i64; 4096], vec![0f32; 4096]);
    let values: Vec<_> = tensors
        .iter()
        .enumerate()
        .map(|(i, (name, shape))| {
            let n = shape.iter().product();
            let values = if i == 0 { Values::I64(&ints[..n]) } else { Values::F32(&floats[..n]) };
            (name.as_str(), shape.as_slice(), values)
        })
        .collect();
    weights::write(&at.join("model.safetensors"), &values, &[]).unwrap();
    assert_eq!(take(&at, &out).unwrap_err().code(), "coec::folder::dtype");
}

/// The goldens of transformers, and of what its authors' code computes.
fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity/goldens/families").join(name)
}

#[test]
fn what_transformers_wrote_comes_back_bit_for_bit() {
    for name in [
        "deepseek_v1",
        "deepseek_v1_options",
        "deepseek_v3_halves",
        "dots1",
        "glm4_moe",
        "glm4_moe_lite",
        "glm4_moe_yarn",
        "joyai_llm_flash",
        "kimi_k2",
        "minimax_m2",
    ] {
        let (dir, at, out) = scratch();
        let imported = take(&golden(name), &out).unwrap_or_else(|error| panic!("{name}: {error}"));
        // Layers that predict further tokens are kept beside the model.
        assert_eq!(imported.carried.is_empty(), name != "joyai_llm_flash", "{name}");
        let weights = Weights::open(&out.join("model.safetensors")).unwrap();
        export(&out, &weights, &imported.import.model, None, 10_000, &at, &mut |_, _| ()).unwrap();
        let (before, after) = (Folder::open(&golden(name)).unwrap(), Folder::open(&at).unwrap());
        assert_eq!(before.config(), after.config(), "{name}");
        assert_eq!(before.shapes().unwrap(), after.shapes().unwrap(), "{name}");
        for (tensor, _) in before.shapes().unwrap() {
            let bytes = |folder: &Folder| folder.weights(tensor).unwrap().bytes(tensor).unwrap();
            assert_eq!(bytes(&before), bytes(&after), "{name}: {tensor}");
        }
        drop(dir);
    }
}

/// Settings that are read and weights that are not.
#[test]
fn a_layout_that_is_not_read_is_refused_by_name() {
    for name in ["bailing_moe", "bailing_moe_norm_head", "bailing_moe_v2"] {
        let (_dir, _, out) = scratch();
        let error = take(&golden(name), &out).unwrap_err();
        assert_eq!(error.code(), "coec::hf::refused");
        assert!(error.to_string().contains("attention.query_key_value"), "{error}");
        assert!(!out.exists());
    }
}
