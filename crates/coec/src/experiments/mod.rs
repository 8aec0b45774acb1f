//! Experiments of many runs, each a process and a directory of its own.

pub mod interrupt;
pub mod jobs;
pub mod progress;
pub mod run;
