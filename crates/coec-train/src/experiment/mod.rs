//! Experiments of several runs: what their losses show, and what they do not.
//!
//! Arms are trained with the same seeds, so that each seed is a pair: data, order and schedule are the same
//! in both. The [`Difference`] of two arms is the mean over these pairs with Student's interval, and its
//! [`Verdict`] says whether the interval leaves zero out.

mod curve;
mod statistics;

pub use curve::{Axis, Curve};
pub use statistics::{CONFIDENCE, Difference, Spread, Verdict};
