//! Specs from the disk, from standard input, and the one that is built in; the settings of Hugging Face folders too.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use coec_hf::{HfError, Import, model_name};
use coec_lang::{Loader, MAX_SOURCE, Remark, SETTINGS, Translated};

/// The path under which the built-in quickstart is found.
pub const QUICKSTART: &str = "quickstart.coe (built in)";
const QUICKSTART_TEXT: &str = include_str!("../../../specs/quickstart.coe");

/// The path under which standard input is found once it is read, and what messages call it. As it has
/// no folder, paths in it start at the current one.
pub const STDIN: &str = "standard input";

/// Standard input, or why it cannot be read. It comes once, and a command may load it twice.
static INPUT: OnceLock<Result<Vec<u8>, (io::ErrorKind, String)>> = OnceLock::new();

/// Reads standard input, to be found under [`STDIN`].
pub fn take_input() {
    INPUT.get_or_init(|| limited(io::stdin().lock()).map_err(|error| (error.kind(), error.to_string())));
}

/// Whether standard input was read as a spec.
#[cfg(feature = "train")]
pub fn is_input_taken() -> bool {
    INPUT.get().is_some()
}

/// Reads files, never more of one than a spec may have.
pub struct Disk;

impl Loader for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path == Path::new(QUICKSTART) {
            return Ok(QUICKSTART_TEXT.into());
        }
        match INPUT.get() {
            Some(input) if path == Path::new(STDIN) => {
                input.clone().map_err(|(kind, reason)| io::Error::new(kind, reason))
            }
            _ => limited(File::open(settings_of(path)?)?),
        }
    }

    /// The folder as the system knows it, and the name in it: relative paths start where the name
    /// stands, also where it is a link.
    fn canonical(&self, path: &Path) -> PathBuf {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = fs::canonicalize(folder.unwrap_or(Path::new(".")));
        match (folder, path.file_name()) {
            (Ok(folder), Some(name)) => folder.join(name),
            _ => path.to_owned(),
        }
    }

    /// The model of a `config.json`, under the name of its folder.
    fn translate(&self, path: &Path, text: &str) -> Option<Result<Translated, Vec<Remark>>> {
        let spec = |import: Import| Translated {
            spec: coec_ir::text::model(&import.model),
            remarks: import.notes.into_iter().map(|note| note_of(note.key, &note.text)).collect(),
        };
        let errors = |errors: Vec<HfError>| errors.iter().map(error_of).collect();
        Some(coec_hf::import(text, &name_of(path)).map(spec).map_err(errors))
    }
}

/// A folder stands for its settings.
fn settings_of(path: &Path) -> io::Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let settings = path.join(SETTINGS);
    if settings.is_file() {
        return Ok(settings);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is a folder, and has no {SETTINGS}")))
}

/// What a model is called whose settings were read at a path: as their folder, or the file where that has a name of
/// its own.
fn name_of(path: &Path) -> String {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let named = match path.file_name() {
        Some(file) if file == SETTINGS => whole.parent().and_then(Path::file_name),
        Some(_) if path == Path::new(STDIN) => None,
        _ if path.is_dir() => whole.file_name(),
        _ => whole.file_stem(),
    };
    named.map_or_else(|| "model".into(), |name| model_name(&name.to_string_lossy()))
}

/// The code of what a `config.json` says that is no error.
pub const NOTE: &str = "coec::hf::note";

fn note_of(key: String, text: &str) -> Remark {
    let message = format!("`{key}`: {text}");
    Remark { code: NOTE, message, help: String::new(), key: Some(key) }
}

fn error_of(error: &HfError) -> Remark {
    let key = error.key().map(str::to_owned);
    Remark { code: error.code(), message: error.to_string(), help: error.help(), key }
}

/// The bytes of a spec, and one more where there are too many.
fn limited(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_SOURCE as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
