//! What the tests of this folder share.
#![allow(dead_code)] // each test file uses its part

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use coec_lang::{Diagnostics, Loader};

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Reads specs from the repository; paths are relative to its root.
pub struct Repository;

impl Loader for Repository {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(root().join(path))
    }
}

/// A text of the repository.
pub fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files with an extension in a folder and the folders below it, relative to the root, sorted.
pub fn files(folder: &str, extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}")) {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&path, extension));
        } else if Path::new(&path).extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Diagnostics as one line each.
pub fn lines(diagnostics: &Diagnostics) -> String {
    let line = |d: &coec_lang::Diagnostic| {
        let at = &d.labels()[0];
        format!("{}:{}:{}: {}: {}; {}", at.file, at.line, at.column, d.code(), d.message(), d.help())
    };
    diagnostics.iter().map(line).collect::<Vec<_>>().join("\n")
}
