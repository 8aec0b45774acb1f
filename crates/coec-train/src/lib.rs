//! Training: data, tokenizers, the step loop, measured budgets and run directories.
//!
//! This crate is where files and clocks live. What is drawn at random derives
//! from (seed, step, purpose) by [`data::Stream`], so that a run can be resumed exactly.
//!
//! [`run`] trains; [`generate`](mod@generate) samples from a finished run; [`pass`] is one
//! forward pass with given weights.

pub mod atomic;
mod checkpoint;
pub mod data;
mod error;
pub mod folder;
pub mod gemm;
pub mod generate;
pub mod optimizer;
pub mod pass;
pub mod peak;
pub mod report;
pub mod run;
pub mod run_dir;
pub mod sample;
pub mod step;
pub mod tokenizer;
pub mod weights;

pub use checkpoint::load_model;
pub use error::TrainError;
