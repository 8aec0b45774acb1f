//! The cache: a folder of tokens by what they were made of, shared by all runs of a user.
//!
//! An entry appears whole or not at all, is never changed, and is thrown away when the cache grows too
//! large, the one that was not used for longest first.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use coec_store::atomic::AtomicFolder;
use coec_store::disk::{self, Lock};
use serde::{Deserialize, Serialize};

use super::file::TokenFile;
use super::{DataError, Ids, Tokens};
use crate::tokenizer::Lost;

/// The names of the parts of an entry.
pub(super) const TRAIN: &str = "train";
pub(super) const VALIDATION: &str = "validation";
const PARTS: [&str; 2] = [TRAIN, VALIDATION];

/// What an entry says of itself.
const ABOUT: &str = "entry.json";

/// Bytes that the cache may grow to, unless `COEC_CACHE_BYTES` says another number.
const MOST_BYTES: u64 = 64 << 30;

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

/// A place in the cache.
pub(super) struct Entry {
    path: PathBuf,
}

impl Entry {
    /// The place of `key`, in a folder that is there.
    pub fn of(key: &str) -> Result<Self, DataError> {
        let folder = folder().join("tokens");
        fs::create_dir_all(&folder).map_err(|source| unwritable(&folder, source))?;
        Ok(Self { path: folder.join(key) })
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
        // When it was last used decides what goes first; a cache that cannot be written needs no order.
        let _ = File::options()
            .append(true)
            .open(self.path.join(ABOUT))
            .and_then(|file| file.set_modified(SystemTime::now()));
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
        self.make_room();
        Ok(())
    }

    /// Throws away what was not used for longest until the cache is as small as it may be; never this
    /// entry. Whoever reads an entry that goes keeps what it has open.
    fn make_room(&self) {
        let given = std::env::var("COEC_CACHE_BYTES").ok().and_then(|bytes| bytes.parse().ok());
        let most = given.unwrap_or(MOST_BYTES);
        let Some(Ok(entries)) = self.path.parent().map(fs::read_dir) else { return };
        let mut all: Vec<(SystemTime, u64, PathBuf)> = entries
            .flatten()
            .filter_map(|entry| {
                let path = entry.path();
                let used = fs::metadata(path.join(ABOUT)).and_then(|about| about.modified()).ok()?;
                Some((used, bytes_of(&path), path))
            })
            .collect();
        all.sort();
        let mut total: u64 = all.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, path) in all {
            if total <= most {
                return;
            }
            if path != self.path && fs::remove_dir_all(&path).is_ok() {
                let _ = fs::remove_file(path.with_extension("lock"));
                total -= bytes;
            }
        }
    }
}

/// Bytes of the files of a part.
fn bytes_of(entry: &Path) -> u64 {
    let files =
        PARTS.iter().flat_map(|part| ["tokens", "sums"].map(|kind| entry.join(format!("{part}.{kind}"))));
    files.filter_map(|file| fs::metadata(file).ok()).map(|file| file.len()).sum()
}
