//! The roles of tokens, held against what the compiler reads.

use std::fs;
use std::path::{Path, PathBuf};

use coec_lang::outline::{Outline, Role};

/// The specs below a folder of the repository.
fn specs(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(specs(&path)),
            false if path.extension().is_some_and(|end| end == "coe") => found.push(path),
            false => {}
        }
    }
    found
}

/// A text without errors has no token without a meaning.
#[test]
fn every_word_of_a_spec_has_a_meaning() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let all = ["specs", "tests/lang/pass"].map(|folder| specs(&root.join(folder))).concat();
    assert!(all.len() > 60, "{} specs", all.len());
    for path in all {
        let text = fs::read_to_string(&path).unwrap();
        for token in Outline::of(&text).tokens {
            let is_known = !matches!(token.role, Role::Unknown);
            assert!(is_known, "{}: {}", path.display(), &text[token.start..token.end]);
        }
    }
}
