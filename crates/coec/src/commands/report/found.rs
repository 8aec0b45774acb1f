//! What the arguments name.

use coec_report::values::{Arm, Pair};

/// Everything that was named.
#[derive(Debug, Default)]
pub struct Found {
    pub arms: Vec<Arm>,
    pub pairs: Vec<Pair>,
    /// What could not be read, and need not be.
    pub notes: Vec<String>,
}

/// What is said of a run whose spec cannot be read.
pub fn note(run: &str, reason: &str) -> String {
    format!("the spec of {run} cannot be read, so that what follows from it is left out: {reason}")
}
