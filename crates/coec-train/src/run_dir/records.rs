//! Everything that a run left to be read by people.

use serde::de::DeserializeOwned;

use super::{Metrics, RunDir, RunError, RunFile};
use crate::{experts::ExpertLine, moved::Moved, report::ReportCard, routing::RoutingLine, samples::Samples};

/// The records of a run. What a run of an earlier version, or one that has not come so far, does not have
/// is `None`, and of a log empty.
#[derive(Debug, Clone, Default)]
pub struct Records {
    /// One for each step.
    pub metrics: Option<Vec<Metrics>>,
    /// Expert load.
    pub experts: Option<Vec<ExpertLine>>,
    /// What the routers decided on held-out text.
    pub routing: Option<Vec<RoutingLine>>,
    /// Counts and verdicts.
    pub card: Option<ReportCard>,
    /// How far each tensor moved.
    pub moved: Option<Moved>,
    /// Continuations of held-out text.
    pub samples: Option<Samples>,
}

impl Records {
    /// Those of a run, which may be going on.
    ///
    /// # Errors
    ///
    /// A file that is there and cannot be read.
    pub fn read(dir: &RunDir) -> Result<Self, RunError> {
        Ok(Self {
            metrics: log(dir, RunFile::Metrics)?,
            experts: log(dir, RunFile::Experts)?,
            routing: log(dir, RunFile::Routing)?,
            card: document(dir, RunFile::Budget)?,
            moved: document(dir, RunFile::Moved)?,
            samples: document(dir, RunFile::Samples)?,
        })
    }
}

fn log<T: DeserializeOwned>(dir: &RunDir, file: RunFile) -> Result<Option<Vec<T>>, RunError> {
    dir.file(file).is_file().then(|| dir.read_log(file)).transpose()
}

fn document<T: DeserializeOwned>(dir: &RunDir, file: RunFile) -> Result<Option<T>, RunError> {
    if !dir.file(file).is_file() {
        return Ok(None);
    }
    let read = serde_json::from_str(&dir.read(file)?);
    read.map(Some).map_err(|error| RunError::BadLine {
        path: dir.file(file),
        line: error.line(),
        reason: error.to_string(),
    })
}
