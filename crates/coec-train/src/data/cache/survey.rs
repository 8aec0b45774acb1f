//! What was found out about data, kept under the sum of its bytes.

use std::fs;

use coec_store::atomic;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::folder::{SURVEYS, folder, note_use};

/// What was found out about data of this key, if it was kept.
pub(in crate::data) fn survey<T: DeserializeOwned>(key: &str) -> Option<T> {
    let path = folder().join(SURVEYS).join(key);
    let found = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
    note_use(&path);
    Some(found)
}

/// Keeps what was found out about data of this key. It can be found out again: a cache that cannot be
/// written is no error yet.
pub(in crate::data) fn keep_survey(key: &str, survey: &impl Serialize) {
    let folder = folder().join(SURVEYS);
    let text = serde_json::to_vec(survey).unwrap_or_default();
    let _ = fs::create_dir_all(&folder).and_then(|()| atomic::write(&folder.join(key), &text));
}
