//! How large the cache may grow.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::folder::{ABOUT, INPUT, SURVEYS, TOKENS, folder};
use crate::data::DataError;

/// Bytes that the cache may grow to, unless `COEC_CACHE_BYTES` says another number.
const MOST_BYTES: u64 = 64 << 30;

/// Data from standard input stays at least so long: the run that it came for copies it when it begins.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The variable that says how large the cache may grow.
const VARIABLE: &str = "COEC_CACHE_BYTES";

/// Where the cache is, and how large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// Its folder, which may not be there yet.
    pub folder: PathBuf,
    /// Bytes in it.
    pub bytes: u64,
    /// Bytes that it may grow to.
    pub most_bytes: u64,
}

impl Cache {
    /// The cache of this user, as it is now.
    ///
    /// # Errors
    ///
    /// A variable that says no number of bytes.
    pub fn now() -> Result<Self, DataError> {
        let bytes = KINDS.iter().flat_map(|kind| items(kind)).map(|item| item.bytes).sum();
        Ok(Self { folder: folder(), bytes, most_bytes: most_bytes()? })
    }
}

/// Bytes that the cache may grow to.
pub(in crate::data) fn most_bytes() -> Result<u64, DataError> {
    let Some(given) = std::env::var_os(VARIABLE).filter(|given| !given.is_empty()) else {
        return Ok(MOST_BYTES);
    };
    let given = given.to_string_lossy();
    given.parse().map_err(|_| {
        let reason = format!("{VARIABLE} is `{given}`, which is no number of bytes");
        DataError::Cache { path: folder(), source: io::Error::new(io::ErrorKind::InvalidInput, reason) }
    })
}

/// The folders in the cache.
const KINDS: [&str; 3] = [TOKENS, SURVEYS, INPUT];

/// Something in the cache.
struct Item {
    used: SystemTime,
    bytes: u64,
    path: PathBuf,
    /// Whether a run that begins may need it.
    is_needed: bool,
}

/// Throws away what was not used for longest until the cache has `most` bytes; never `kept`. Whoever reads
/// an entry that goes keeps what it has open.
pub(in crate::data) fn make_room(most: u64, kept: &Path) {
    let mut items: Vec<Item> = KINDS.iter().flat_map(|kind| items(kind)).collect();
    items.sort_by_key(|item| item.used);
    let mut total: u64 = items.iter().map(|item| item.bytes).sum();
    for Item { bytes, path, is_needed, .. } in items {
        if total <= most {
            return;
        }
        let may_go = path != kept && !is_needed;
        if may_go && (fs::remove_dir_all(&path).is_ok() || fs::remove_file(&path).is_ok()) {
            let _ = fs::remove_file(path.with_extension("lock"));
            total -= bytes;
        }
    }
}

/// What there is of a kind.
fn items(kind: &str) -> Vec<Item> {
    let Ok(entries) = fs::read_dir(folder().join(kind)) else { return Vec::new() };
    let now = SystemTime::now();
    let is_young = |used| now.duration_since(used).is_ok_and(|age| age < DAY);
    let item = |path: PathBuf| {
        let about = fs::metadata(&path).ok()?;
        let used = if about.is_dir() { fs::metadata(path.join(ABOUT)).ok()? } else { about.clone() };
        let used = used.modified().ok()?;
        let is_lock = path.extension().is_some_and(|extension| extension == "lock");
        let bytes = if about.is_dir() { bytes_in(&path) } else { about.len() };
        (!is_lock).then_some(Item { used, bytes, path, is_needed: kind == INPUT && is_young(used) })
    };
    entries.flatten().filter_map(|entry| item(entry.path())).collect()
}

/// Bytes of the files in a folder.
fn bytes_in(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
}
