//! What every sublayer says of itself: its tensors, and what it costs.

use serde::{Deserialize, Serialize};

use super::words::words;
use crate::{Flops, Kept, Param};

/// Where something is normed: before something else is done with it, or after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormAt {
    /// Before.
    Before,
    /// After.
    After,
}

words!(NormAt { Before => "before", After => "after" });

/// A sublayer in a model of width `dim` at `context` positions. All counts are exact.
pub trait Sublayer {
    /// Trained parameters under `prefix`, the norms in front included: `norm` is their name without
    /// `.weight`.
    fn params(&self, dim: usize, norm: &str, prefix: &str) -> Vec<Param>;

    /// Untrained tensors saved with the model.
    fn state(&self, _prefix: &str) -> Vec<Param> {
        Vec::new()
    }

    /// Elements of [`params`](Self::params).
    fn param_count(&self, dim: usize) -> u128 {
        self.params(dim, "", "").iter().map(Param::elements).sum()
    }

    /// Of these, elements that a token cannot have used that went through it `passes` times.
    fn idle_params(&self, _dim: usize, _passes: usize) -> u128 {
        0
    }

    /// FLOPs of a sequence of `context` tokens.
    fn flops(&self, dim: usize, context: usize) -> Flops;

    /// Of attention, the width of its scores and of its values, summed over the heads: what [`Flops::causal`] takes.
    fn mixed(&self) -> [u128; 2] {
        [0, 0]
    }

    /// Of attention, how many positions a token sees at most, if not all before it.
    fn window(&self) -> Option<usize> {
        None
    }

    /// Elements kept per token for the backward pass.
    fn kept(&self, dim: usize, context: usize) -> Kept;

    /// Elements alive at once per token while the backward pass is in the largest product.
    fn transient(&self, dim: usize, context: usize) -> u128;

    /// Cached elements of a sequence of `context` tokens.
    fn cache(&self, _context: usize) -> u128 {
        0
    }
}
