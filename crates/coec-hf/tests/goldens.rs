//! Small folders that `transformers`, and the published chain's code, saved themselves.

mod common;

use std::path::{Path, PathBuf};

use coec_hf::{Family, Kept, Why, export, family_of, sort};
use coec_lang::{MapLoader, load_one};
use common::{imported, lines, nameless};
use safetensors::SafeTensors;

/// Every folder with a config.json under tests/parity/goldens/families.
fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity/goldens/families");
    let (mut waiting, mut found) = (vec![root], Vec::new());
    while let Some(folder) = waiting.pop() {
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                waiting.push(path);
            } else if path.ends_with("config.json") {
                found.push(folder.clone());
            }
        }
    }
    // MERGE: families that are not here yet.
    found.retain(|folder| {
        let settings: serde_json::Value = serde_json::from_str(&text(folder.join("config.json"))).unwrap();
        Family::of_model_type(settings["model_type"].as_str().unwrap()).is_some()
    });
    found.sort();
    assert!(found.len() >= 31, "the folders are found: {}", found.len());
    found
}

fn text(path: PathBuf) -> String {
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The names and shapes in a folder's weights, sharded or not.
fn weights(folder: &Path) -> Vec<(String, Vec<usize>)> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("model") && name.ends_with(".safetensors") {
            let bytes = std::fs::read(&path).unwrap();
            let tensors = SafeTensors::deserialize(&bytes).unwrap();
            found.extend(tensors.iter().map(|(name, tensor)| (name.to_string(), tensor.shape().to_vec())));
        }
    }
    found
}

/// The settings say what the spec beside them says, which was written by hand.
#[test]
fn settings_are_the_spec() {
    for folder in folders() {
        let import = imported(&text(folder.join("config.json")));
        let files = MapLoader::new().with("model.coe", text(folder.join("model.coe")));
        let spec = load_one("model.coe", &[], &files).unwrap_or_else(|errors| panic!("{errors:?}"));
        let canonical = import.family.canonical(&spec.model);
        assert_eq!(nameless(&import.model), nameless(&canonical), "{}", folder.display());
    }
}

/// Every tensor of a folder has its place in the model, and the other way round.
#[test]
fn no_tensor_is_missing_or_left_over() {
    for folder in folders() {
        let import = imported(&text(folder.join("config.json")));
        if import.family.check_tensors().is_err() {
            continue;
        }
        let weights = weights(&folder);
        let found = weights.iter().map(|(name, shape)| (name.as_str(), shape.as_slice()));
        let sorted = sort(&import.model, import.family, found)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        assert_eq!(sorted.mapped, import.tensors());
        // Layers that predict further tokens are where the settings count some.
        let says = import.notes.iter().any(|note| note.key == "num_nextn_predict_layers");
        assert!(sorted.carried.iter().all(|tensor| says && tensor.why == Why::FurtherPrediction));
        assert_eq!(sorted.mapped.len() + sorted.carried.len(), weights.len(), "{}", folder.display());
    }
}

#[test]
fn the_way_back_is_the_same() {
    for folder in folders() {
        let config = text(folder.join("config.json"));
        let import = imported(&config);
        let kept = Kept::read(&config).unwrap();
        assert_eq!(kept.restored(&import.model, "float32").unwrap(), config, "{}", folder.display());
        // A chain of one iteration without the stream dropped is a DeepSeek-V2 too, which comes first.
        let family = family_of(&import.model);
        assert!(family.is_ok() || !import.family.has_class(), "{}", folder.display());
        for family in [Ok(import.family), family].into_iter().flatten() {
            let settings =
                export(&import.model, family, "float32").unwrap_or_else(|e| panic!("{}", lines(&e)));
            let again = imported(&coec_hf::pretty(&settings));
            assert_eq!(again.model, import.model, "{}", folder.display());
        }
    }
}
