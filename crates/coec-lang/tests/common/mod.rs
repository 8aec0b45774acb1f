//! What the tests of whole texts share.
#![allow(dead_code)] // each test file uses its part

pub mod tokens;

use std::io;
use std::path::{Path, PathBuf};

use coec_lang::Loader;

/// A folder, relative to this crate.
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The specs in a folder that are text, by name.
pub fn specs_in(folder: &Path) -> Vec<(String, String)> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".coe"))
        .collect();
    names.sort();
    let read = |name: String| Some((std::fs::read_to_string(folder.join(&name)).ok()?, name));
    names.into_iter().filter_map(read).map(|(text, name)| (name, text)).collect()
}

/// A folder in which one file reads otherwise.
pub struct Beside<'a> {
    pub path: &'a str,
    pub text: &'a str,
    pub home: &'a Path,
}

impl Loader for Beside<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path == Path::new(self.path) { Ok(self.text.into()) } else { std::fs::read(self.home.join(path)) }
    }
}
