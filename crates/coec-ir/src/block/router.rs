//! From logits to selected experts and their weights.

use serde::{Deserialize, Serialize};

use super::words::words;

/// How a router scores, selects and weights. Logits and scores are f32.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Router {
    /// From logits to scores.
    pub score: Score,
    /// Divide the selected scores by their sum.
    pub renorm: bool,
    /// Multiplies the weights, after `renorm`.
    pub scale: f64,
    /// Restrict the selection to the best groups of experts.
    pub groups: Option<Groups>,
    /// Add a trained bias to the logits.
    pub bias: bool,
}

impl Router {
    /// One that weighs the selected experts by their scores as they are, and selects among all.
    pub fn plain(score: Score) -> Self {
        Self { score, renorm: false, scale: 1.0, groups: None, bias: false }
    }
}

/// The scoring function of a router.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Score {
    /// Softmax over all experts, before the selection.
    Softmax,
    /// An independent sigmoid per expert.
    Sigmoid,
}

/// Group-limited selection: score each group, keep the best, select inside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Groups {
    /// How many equal groups the experts form.
    pub groups: usize,
    /// How many groups stay eligible per token.
    pub keep: usize,
    /// How a group is scored.
    pub score: GroupScore,
}

/// The score of a group of experts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupScore {
    /// Its best score (DeepSeek-V2).
    Max,
    /// The sum of its two best, biased, scores (DeepSeek-V3).
    Top2,
}

words!(Score { Softmax => "softmax", Sigmoid => "sigmoid" });
words!(GroupScore { Max => "max", Top2 => "top2" });
