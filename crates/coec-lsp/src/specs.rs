//! The specs that lie about: what a search for a name goes through.

use std::path::{Path, PathBuf};

use coec_lang::SETTINGS;

/// Folders and files that one search looks at. A folder with more is no project but a disk, and nobody waits for that.
const MOST_ENTRIES: usize = 20_000;

/// Whether a file of this name is a spec that someone wrote in the language.
pub(crate) fn is_written(name: &str) -> bool {
    name.ends_with(".coe")
}

/// Whether a file of this name can be named where a spec is wanted.
pub(crate) fn is_spec(name: &str) -> bool {
    is_written(name) || name == SETTINGS
}

/// A search for files in folders.
pub(crate) struct Search {
    is_wanted: fn(&str) -> bool,
    left: usize,
    pub found: Vec<PathBuf>,
}

impl Search {
    pub fn new(is_wanted: fn(&str) -> bool) -> Self {
        Self { is_wanted, left: MOST_ENTRIES, found: Vec::new() }
    }

    /// Adds what is wanted of a folder and so many levels below it, hidden folders and built ones left out.
    pub fn below(&mut self, folder: &Path, levels: usize) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            if self.left == 0 {
                return;
            }
            self.left -= 1;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let Ok(kind) = entry.file_type() else { continue };
            let is_passed = name.starts_with('.') || name == "target" || name == "node_modules";
            if kind.is_dir() && levels > 0 && !is_passed {
                self.below(&entry.path(), levels - 1);
            } else if (self.is_wanted)(&name) && entry.path().is_file() {
                self.found.push(entry.path());
            }
        }
    }
}
