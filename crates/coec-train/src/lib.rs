//! Training: data, tokenizers, run directories, and the files they are made of.
//!
//! This crate is where files and clocks live. What is drawn at random derives
//! from (seed, step, purpose) by [`data::Stream`], so that a run can be resumed exactly.

pub mod atomic;
pub mod data;
pub mod peak;
pub mod run_dir;
pub mod sample;
pub mod tokenizer;
pub mod weights;
