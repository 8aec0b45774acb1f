//! The cache: a folder of tokens by what they were made of, shared by all runs of a user.
//!
//! An entry appears whole or not at all, is never changed, and is thrown away when the cache grows too
//! large, the one that was not used for longest first.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use coec_store::atomic::{self, AtomicFolder};
use coec_store::disk::{self, Lock};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::file::TokenFile;
use super::room::{make_room, most_bytes};
use super::{DataError, Ids, Tokens};
use crate::tokenizer::Lost;

/// The names of the parts of an entry.
pub(super) const TRAIN: &str = "train";
pub(super) const VALIDATION: &str = "validation";

/// The folders in the cache.
pub(super) const TOKENS: &str = "tokens";
pub(super) const SURVEYS: &str = "surveys";

/// What an entry says of itself.
pub(super) const ABOUT: &str = "entry.json";

/// How long to wait between two looks at a lock.
const PATIENCE: Duration = Duration::from_millis(100);

/// The tokens of a part, as an entry describes them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Part {
    pub tokens: usize,
    pub documents: u64,
    pub bytes: u64,
    pub has_prompts: bool,
    pub lost: Lost,
}

#[derive(Debug, Serialize, Deserialize)]
struct About {
    parts: [Part; 2],
}

/// The folder of the cache: `$COEC_CACHE`, else `coec` in the user's folder for caches, else in the folder
/// for temporary files.
pub fn folder() -> PathBuf {
    match std::env::var_os("COEC_CACHE").filter(|folder| !folder.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => dirs::cache_dir().unwrap_or_else(std::env::temp_dir).join("coec"),
    }
}

/// A file of the cache that cannot be written.
pub(super) fn unwritable(path: &Path, source: io::Error) -> DataError {
    DataError::Cache { path: path.to_owned(), source }
}

/// What was found out about data of this key, if it was kept.
pub(crate) fn survey<T: DeserializeOwned>(key: &str) -> Option<T> {
    let path = folder().join(SURVEYS).join(key);
    let found = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
    note_use(&path);
    Some(found)
}

/// Keeps what was found out about data of this key. It can be found out again: a cache that cannot be
/// written is no error yet.
pub(crate) fn keep_survey(key: &str, survey: &impl Serialize) {
    let folder = folder().join(SURVEYS);
    let text = serde_json::to_vec(survey).unwrap_or_default();
    let _ = fs::create_dir_all(&folder).and_then(|()| atomic::write(&folder.join(key), &text));
}

/// Writes down that a file was used now, which decides what goes first; a cache that cannot be written needs
/// no order.
fn note_use(path: &Path) {
    let _ = File::options().append(true).open(path).and_then(|file| file.set_modified(SystemTime::now()));
}

/// A place in the cache.
pub(super) struct Entry {
    path: PathBuf,
    /// Bytes that the cache may grow to.
    most_bytes: u64,
}

impl Entry {
    /// The place of `key`, in a folder that is there.
    pub fn of(key: &str) -> Result<Self, DataError> {
        let folder = folder().join(TOKENS);
        fs::create_dir_all(&folder).map_err(|source| unwritable(&folder, source))?;
        Ok(Self { path: folder.join(key), most_bytes: most_bytes()? })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The tokens, if they are there and sound as far as their lengths tell; blocks are held against
    /// their sums when they are read.
    pub fn open(&self) -> Option<[Tokens; 2]> {
        let about = fs::read(self.path.join(ABOUT)).ok()?;
        let About { parts } = serde_json::from_slice(&about).ok()?;
        let open = |name: &str, part: &Part| {
            let file = TokenFile::open(&self.path, name, part.tokens).ok()?;
            let Part { documents, bytes, has_prompts, lost, .. } = *part;
            Some(Tokens { ids: Ids::File(Arc::new(file)), documents, bytes, has_prompts, lost })
        };
        let found = [open(TRAIN, &parts[0])?, open(VALIDATION, &parts[1])?];
        note_use(&self.path.join(ABOUT));
        Some(found)
    }

    /// Waits until nobody else makes this entry.
    pub fn lock(&self) -> Result<Lock, DataError> {
        let path = self.path.with_extension("lock");
        loop {
            match disk::system().lock(&path).map_err(|source| unwritable(&path, source))? {
                Some(lock) => return Ok(lock),
                None => std::thread::sleep(PATIENCE),
            }
        }
    }

    /// Makes the entry: `write` puts the parts into a folder, which then appears in its place.
    pub fn make(
        &self,
        write: &mut dyn FnMut(&Path) -> Result<[Part; 2], DataError>,
    ) -> Result<(), DataError> {
        let failed = |source| unwritable(&self.path, source);
        // What is there and could not be opened is damaged.
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let folder = AtomicFolder::create(&self.path).map_err(failed)?;
        let about = About { parts: write(folder.scratch())? };
        let text = serde_json::to_vec_pretty(&about).map_err(|error| failed(error.into()))?;
        fs::write(folder.scratch().join(ABOUT), text).map_err(failed)?;
        folder.commit().map_err(failed)?;
        make_room(self.most_bytes, &self.path);
        Ok(())
    }
}
