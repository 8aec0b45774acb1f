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
    import(&Folder::open(at)?, "a", None, out, spec, &mut |_, _| ())
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

/// Every folder of the goldens, the chain's among them.
fn goldens() -> Vec<PathBuf> {
    let (mut waiting, mut found) = (vec![golden("")], Vec::new());
    while let Some(folder) = waiting.pop() {
        for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            match path.is_dir() {
                true => waiting.push(path),
                false if path.ends_with("config.json") => found.push(folder.clone()),
                false => {}
            }
        }
    }
    found
}

#[test]
fn what_transformers_wrote_comes_back_bit_for_bit() {
    let goldens = goldens();
    assert!(goldens.len() >= 31, "{goldens:?}");
    for path in goldens.into_iter().filter(|path| !path.ends_with(NORMED)) {
        let name = path.display();
        let (_dir, at, out) = scratch();
        let imported = take(&path, &out).unwrap_or_else(|error| panic!("{name}: {error}"));
        // Layers that predict further tokens are kept beside the model.
        assert_eq!(imported.carried.is_empty(), !path.ends_with("joyai_llm_flash"), "{name}");
        let weights = Weights::open(&out.join("model.safetensors")).unwrap();
        export(&out, &weights, &imported.import.model, None, 10_000, &at, &mut |_, _| ()).unwrap();
        let (before, after) = (Folder::open(&path).unwrap(), Folder::open(&at).unwrap());
        assert_eq!(before.config(), after.config(), "{name}");
        assert_eq!(before.shapes().unwrap(), after.shapes().unwrap(), "{name}");
        for (tensor, _) in before.shapes().unwrap() {
            let bytes = |folder: &Folder| folder.weights(tensor).unwrap().bytes(tensor).unwrap();
            assert_eq!(bytes(&before), bytes(&after), "{name}: {tensor}");
        }
    }
}

/// Ling with columns of its output head that are divided by their lengths.
const NORMED: &str = "bailing_moe_norm_head";

/// A head of unit columns is made one when it is read, and the way back says that it is.
#[test]
fn a_head_of_unit_columns_is_folded() {
    let (_dir, at, out) = scratch();
    let source = Folder::open(&golden(NORMED)).unwrap();
    let imported = take(&golden(NORMED), &out).unwrap();
    assert!(imported.is_converted);
    let weights = Weights::open(&out.join("model.safetensors")).unwrap();
    let (theirs, ours) = (source.weights("lm_head.weight").unwrap(), weights.f32("lm_head.weight").unwrap());
    let columns = theirs.shape("lm_head.weight").unwrap()[1];
    let theirs = theirs.f32("lm_head.weight").unwrap();
    for column in 0..columns {
        let of = |head: &[f32]| -> Vec<f64> {
            head.iter().skip(column).step_by(columns).map(|&number| number.into()).collect()
        };
        let length = of(&theirs).iter().map(|number| number * number).sum::<f64>().sqrt() + 1e-7;
        for (ours, theirs) in of(&ours).into_iter().zip(of(&theirs)) {
            assert!((ours - theirs / length).abs() <= f64::from(f32::EPSILON) * ours.abs());
        }
    }
    export(&out, &weights, &imported.import.model, None, 10_000, &at, &mut |_, _| ()).unwrap();
    let back = Folder::open(&at).unwrap();
    let mut expected: serde_json::Value = serde_json::from_str(source.config()).unwrap();
    expected["norm_head"] = false.into();
    assert_eq!(serde_json::from_str::<serde_json::Value>(back.config()).unwrap(), expected);
    assert_eq!(source.shapes().unwrap(), back.shapes().unwrap());
    let (_again, _, out) = scratch();
    assert!(!take(&at, &out).unwrap().is_converted);
}

/// A table of tokens is looked up as it is, and cannot be the head of unit columns too.
#[test]
fn a_tied_head_of_unit_columns_is_refused_by_name() {
    let (_dir, at, out) = scratch();
    fs::create_dir_all(&at).unwrap();
    let mut config: serde_json::Value =
        serde_json::from_str(Folder::open(&golden(NORMED)).unwrap().config()).unwrap();
    config["tie_word_embeddings"] = true.into();
    fs::write(at.join("config.json"), config.to_string()).unwrap();
    fs::copy(golden(NORMED).join("model.safetensors"), at.join("model.safetensors")).unwrap();
    let error = take(&at, &out).unwrap_err();
    assert_eq!(error.code(), "coec::hf::refused");
    assert!(error.to_string().contains("norm_head"), "{error}");
    assert!(!out.exists());
}
