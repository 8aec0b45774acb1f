//! Bytes to the readers of weights and of a commit's manifest. The manifest's module is taken out of coec-train,
//! so that Burn need not be built with the fuzzer's flags.
#![no_main]
#![allow(dead_code, unused_imports)]

#[path = "../../../crates/coec-train/src/fingerprint.rs"]
mod fingerprint;
#[path = "../../../crates/coec-train/src/run_dir/commit/manifest.rs"]
mod manifest;

use std::path::PathBuf;
use std::sync::LazyLock;

use coec_store::weights::{self, Values, Weights, WeightsError};
use libfuzzer_sys::fuzz_target;

/// A file for the bytes, of this process alone.
static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("coec-fuzz-{}.safetensors", std::process::id())));

/// The errors that a file's content may be the reason of.
fn is_about_content(error: &WeightsError) -> bool {
    assert!(!error.to_string().is_empty() && !error.help().is_empty() && error.code().starts_with("coec::"));
    !matches!(error, WeightsError::Unreadable { .. } | WeightsError::Unwritable { .. })
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(manifest) = manifest::Manifest::read(bytes) {
        assert_eq!(manifest::Manifest::read(&manifest.to_json()), Ok(manifest));
    }
    std::fs::write(&*FILE, bytes).expect("the temporary folder can be written");
    let weights = match Weights::open(&FILE) {
        Ok(weights) => weights,
        Err(error) => return assert!(is_about_content(&error), "{error}"),
    };
    let names: Vec<String> = weights.names().map(str::to_string).collect();
    let mut total = 0;
    for name in &names {
        let elements: usize = weights.shape(name).expect("a listed tensor has a shape").iter().product();
        let content = weights.bytes(name).expect("a listed tensor can be read");
        total += content.len();
        assert_eq!(content.len() * 8, elements * weights.dtype(name).expect("and a kind").bitsize());
        for count in [weights.f32(name).map(|v| v.len()), weights.i64(name).map(|v| v.len())] {
            match count {
                Ok(count) => assert_eq!(count, elements),
                Err(error) => assert!(is_about_content(&error), "{error}"),
            }
        }
    }
    assert!(total <= bytes.len(), "no tensor is read from outside the file");
    let other = [("model.norm.weight", vec![8usize])];
    if let Err(error) = weights.check(&other) {
        assert!(is_about_content(&error), "{error}");
    }

    // What was read can be written, and reads back as the same.
    let contents: Vec<Vec<u8>> = names.iter().map(|name| weights.bytes(name).expect("read before")).collect();
    let tensors: Vec<(&str, &[usize], Values)> = names
        .iter()
        .zip(&contents)
        .map(|(name, content)| {
            let (shape, dtype) = (weights.shape(name).expect("read"), weights.dtype(name).expect("read"));
            (name.as_str(), shape, Values::Bytes(dtype, content))
        })
        .collect();
    let copy = FILE.with_extension("copy");
    match weights::write(&copy, &tensors, &[]) {
        Ok(()) => {
            let again = Weights::open(&copy).expect("what is written can be read");
            for (name, content) in names.iter().zip(&contents) {
                assert_eq!(&again.bytes(name).expect("it is there"), content, "{name}");
            }
        }
        Err(error) => assert!(is_about_content(&error), "{error}"),
    }
});
