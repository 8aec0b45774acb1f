//! Tokens in the cache: a folder of them by what they were made of.
//!
//! An entry appears whole or not at all, is never changed, and is thrown away when the cache grows too
//! large, the one that was not used for longest first.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use coec_store::atomic::AtomicFolder;
use coec_store::disk::{self, Lock};
use serde::{Deserialize, Serialize};

use super::file::TokenFile;
use super::{DataError, Ids, Tokens};
use crate::data::cache::{ABOUT, TOKENS, folder, make_room, most_bytes, note_use, unwritable};
use crate::tokenizer::Lost;

/// The names of the parts of an entry.
pub(super) const TRAIN: &str = "train";
pub(super) const VALIDATION: &str = "validation";

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
