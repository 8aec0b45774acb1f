//! Folders as transformers 5 writes them with `save_original_format=False`, made of those that it writes without.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::weights::{self, Dtype, Values, Weights};

/// Kind of numbers, shape, bytes.
type Stored = (Dtype, Vec<usize>, Vec<u8>);

/// The tensors of a folder by name.
type Tensors = BTreeMap<String, Stored>;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity/goldens/families").join(name)
}

fn tensors(folder: &Folder) -> Tensors {
    let one = |(name, shape): (&str, &[usize])| {
        let weights = folder.weights(name).unwrap();
        let stored = (weights.dtype(name).unwrap(), shape.to_vec(), weights.bytes(name).unwrap());
        (name.to_owned(), stored)
    };
    folder.shapes().unwrap().into_iter().map(one).collect()
}

/// The matrices of every expert stacked, gate above up, under the names of the memory of transformers.
fn fused(stored: &Tensors, [gate, up, down]: [&str; 3], renamed: &[(&str, &str)]) -> Tensors {
    let mut fused = Tensors::new();
    // Experts in the order of their numbers, not of their names.
    let mut experts: Vec<(usize, &str, &str, &Stored)> = Vec::new();
    for (name, tensor) in stored {
        match name.split_once(".experts.").map(|(layer, rest)| (layer, rest.split_once('.').unwrap())) {
            Some((layer, (expert, part))) => experts.push((expert.parse().unwrap(), layer, part, tensor)),
            None => {
                fused.insert(name.clone(), tensor.clone());
            }
        }
    }
    let order = |part: &str| [gate, up, down].iter().position(|other| part.starts_with(other)).unwrap();
    experts.sort_by_key(|(expert, layer, part, _)| (*layer, *expert, order(part)));
    for (expert, layer, part, (dtype, shape, bytes)) in experts {
        let name = if order(part) == 2 { "down_proj" } else { "gate_up_proj" };
        let empty = || (*dtype, vec![0, 0, shape[1]], Vec::new());
        let (_, whole, stacked) = fused.entry(format!("{layer}.experts.{name}")).or_insert_with(empty);
        whole[0] = expert + 1;
        whole[1] = if order(part) == 2 { shape[0] } else { 2 * shape[0] };
        stacked.extend_from_slice(bytes);
    }
    let rename =
        |name: String| renamed.iter().fold(name, |name, (published, memory)| name.replace(published, memory));
    fused.into_iter().map(|(name, tensor)| (rename(name), tensor)).collect()
}

fn take(at: &Path, out: &Path) -> Imported {
    let spec = |import: &coec_hf::Import, _| coec_ir::text::model(&import.model);
    import(&Folder::open(at).unwrap(), "a", None, out, spec, &mut |_, _| ())
        .unwrap_or_else(|error| panic!("{}: {error}", at.display()))
}

#[test]
fn fused_folders_are_the_same_models_and_come_back_fused() {
    let usual = ["gate_proj", "up_proj", "down_proj"];
    let mixtral = ["w1", "w3", "w2"];
    let moved: &[(&str, &str)] = &[(".block_sparse_moe.", ".mlp.")];
    let ernie: &[(&str, &str)] = &[("mlp.moe_statics", "mlp.gate.moe_statics")];
    for (name, parts, renamed) in [
        ("mixtral", mixtral, moved),
        ("minimax_m2", mixtral, moved),
        ("olmoe", usual, &[]),
        ("qwen2_moe", usual, &[]),
        ("qwen3_moe", usual, &[]),
        ("deepseek_v2_groups", usual, &[]),
        ("deepseek_v3", usual, &[]),
        ("glm4_moe", usual, &[]),
        ("glm4_moe_lite", usual, &[]),
        ("dots1", usual, &[]),
        ("flex_olmo", usual, &[]),
        ("ernie4_5_moe", usual, ernie),
        ("hunyuan_v1_moe", usual, &[]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let [at, out, plain, back] = ["in", "out", "plain", "back"].map(|name| dir.path().join(name));
        let source = Folder::open(&golden(name)).unwrap();
        let tensors_there = fused(&tensors(&source), parts, renamed);
        fs::create_dir(&at).unwrap();
        fs::write(at.join("config.json"), source.config()).unwrap();
        let values = tensors_there.iter().map(|(name, (dtype, shape, bytes))| {
            (name.as_str(), shape.as_slice(), Values::Bytes(*dtype, bytes))
        });
        weights::write(&at.join("model.safetensors"), &values.collect::<Vec<_>>(), &[]).unwrap();

        let imported = take(&at, &out);
        take(&golden(name), &plain);
        let read = |folder: &Path| fs::read(folder.join("model.safetensors")).unwrap();
        assert_eq!(read(&out), read(&plain), "{name}: the weights of the model");
        let weights = Weights::open(&out.join("model.safetensors")).unwrap();
        export(&out, &weights, &imported.import.model, None, 500, &back, &mut |_, _| ()).unwrap();
        assert_eq!(tensors(&Folder::open(&back).unwrap()), tensors_there, "{name}");
    }
}
