//! `generated.sha256`: what was written, so that an edit is seen before it is written over.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::Files;

/// The file in a generated crate that lists the others with their SHA-256, as `sha256sum --check`
/// reads it. `Cargo.lock` is not listed: cargo may write it anew.
pub const LISTING: &str = "generated.sha256";

/// The hash of some bytes, in hexadecimal.
pub(crate) fn hash(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The listing of `files`.
pub(crate) fn list(files: &Files) -> String {
    let listed = files.iter().filter(|(path, _)| *path != "Cargo.lock");
    listed.map(|(path, text)| format!("{}  {path}\n", hash(text))).collect()
}

/// Whether a file is written with every crate and yet not listed.
fn is_own(path: &str) -> bool {
    matches!(path, LISTING | "Cargo.lock")
}

/// What a crate held when it was written: the hash of each file by its path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing(BTreeMap<String, String>);

impl Listing {
    /// Reads the text of a [`LISTING`].
    pub fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let entries = lines.filter_map(|line| line.split_once("  "));
        Self(entries.map(|(hash, path)| (path.to_string(), hash.to_string())).collect())
    }

    /// The files that were written.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether a file was written, or is a folder that one was written in.
    pub fn holds(&self, path: &str) -> bool {
        let below = |listed: &String| listed.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        is_own(path) || self.0.contains_key(path) || self.0.keys().any(below)
    }

    /// The files that are no longer what was written, among those listed and those `to_write`.
    /// `read` gives the bytes of a file, if it is there.
    pub fn edited(&self, to_write: &Files, read: impl Fn(&str) -> Option<Vec<u8>>) -> Vec<String> {
        let mut paths: Vec<&String> = self.0.keys().chain(to_write.keys()).collect();
        paths.sort_unstable();
        paths.dedup();
        let is_edited = |path: &&String| {
            !is_own(path) && read(path).is_some_and(|bytes| self.0.get(*path) != Some(&hash(bytes)))
        };
        paths.into_iter().filter(is_edited).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(files: &[(&str, &str)]) -> Files {
        files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect()
    }

    #[test]
    fn an_edit_is_seen_and_an_addition_is_not_one() {
        let mut now = files(&[("Cargo.lock", "1"), ("src/a.rs", "a"), ("src/b.rs", "b")]);
        let listing = Listing::read(&format!("# a comment\n{}", list(&now)));
        let edited = |now: &Files, new: &Files| {
            listing.edited(new, |path| now.get(path).map(|text| text.as_bytes().to_vec()))
        };
        assert!(edited(&now, &now).is_empty());
        now.insert("src/b.rs".into(), "mine".into());
        now.insert("src/c.rs".into(), "mine".into());
        now.insert("Cargo.lock".into(), "2".into());
        now.remove("src/a.rs");
        assert_eq!(edited(&now, &Files::new()), ["src/b.rs"]);
        // What is written for the first time must not take the place of what is there.
        assert_eq!(edited(&now, &files(&[("src/c.rs", "ours")])), ["src/b.rs", "src/c.rs"]);
    }

    #[test]
    fn folders_of_listed_files_are_held() {
        let listing = Listing::read(&list(&files(&[("src/nn/a.rs", ""), ("src-x", "")])));
        for (path, held) in [("src", true), ("src/nn", true), ("src/n", false), ("target", false)] {
            assert_eq!(listing.holds(path), held, "{path}");
        }
    }
}
