//! Training: data, tokenizers, the step loop, measured budgets and run directories.
//!
//! This crate is where files and clocks live. What is drawn at random derives
//! from (seed, step, purpose) by [`data::Stream`], so that a run can be resumed exactly.
//!
//! [`run`] trains; [`generate`](mod@generate) samples from a run, [`eval`] measures one on other text;
//! [`pass`] is one forward pass with given weights. [`tensorboard`] makes event files of a run's logs.
//! [`run_dir::commit`] says how a run's state gets to the disk, and [`disk`] is what all of it goes through.

pub mod data;
pub mod device;
mod error;
pub mod eval;
pub mod experiment;
mod experts;
pub mod fingerprint;
pub mod generate;
mod json;
mod load;
pub mod memory;
pub mod moved;
pub mod optimizer;
mod overlap;
pub mod pass;
mod pool;
pub mod report;
pub mod routing;
pub mod run;
pub mod run_dir;
pub mod sample;
pub mod samples;
pub mod step;
pub mod tensorboard;
pub mod tokenizer;
pub mod world;

pub use coec_store::{disk, weights};
pub use error::TrainError;
pub use experts::{ExpertCounts, ExpertLine};
pub use load::load_model;
