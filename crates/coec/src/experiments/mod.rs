//! Experiments of many runs, each a process and a directory of its own.

mod arguments;
pub mod files;
pub mod interrupt;
pub mod jobs;
pub mod progress;
pub mod run;
