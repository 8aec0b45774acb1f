//! What differs between two models: what they mean, what they cost, and whether the weights of
//! the one are weights of the other.
//!
//! Fields are compared as [`text`](crate::text) writes them, so that a field that can be written
//! can differ, and a name in a difference is one that `--set` takes.

mod fields;
mod figures;
mod ranges;
mod rules;
mod tensors;

pub use fields::{Change, model, train};
pub use figures::{FigureChange, Relative, figures};
pub use rules::{RuleChanges, rules};
pub use tensors::{Loading, Pattern, loading};
