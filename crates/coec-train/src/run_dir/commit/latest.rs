//! What can be said of the newest commit at a glance, without reading its tensors.

use std::io::Read;
use std::time::SystemTime;

use serde::Deserialize;

use super::{Commits, STATE};

/// The newest commit, as its name and its state have it. Nothing is held against the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latest {
    /// Steps done.
    pub step: usize,
    /// When it was written.
    pub at: SystemTime,
    /// The backend the run was on.
    pub backend: Option<String>,
}

/// As much of a state as is read.
#[derive(Deserialize)]
struct OfState {
    identity: OfIdentity,
}

#[derive(Deserialize)]
struct OfIdentity {
    backend: String,
}

impl Commits {
    /// The newest commit, if there is one. `known` is what was found the last time: of the same commit nothing
    /// is read again.
    pub fn latest(&self, known: Option<&Latest>) -> Option<Latest> {
        let entry = self.entries().ok()?.pop()?;
        if let Some(known) = known.filter(|known| known.step == entry.stage.step) {
            return Some(known.clone());
        }
        let at = entry.path.metadata().and_then(|about| about.modified()).ok()?;
        let mut text = Vec::new();
        let state = self.disk.open(&entry.path.join(STATE)).and_then(|mut file| file.read_to_end(&mut text));
        let of: Option<OfState> = state.ok().and_then(|_| serde_json::from_slice(&text).ok());
        Some(Latest { step: entry.stage.step, at, backend: of.map(|of| of.identity.backend) })
    }
}
