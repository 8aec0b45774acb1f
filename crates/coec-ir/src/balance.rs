//! Keeping the experts evenly used.

use serde::{Deserialize, Serialize};

/// One way of balancing expert load. Several may act together; losses are
/// summed over iterations and layers, each with its own coefficient.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// `alpha * mean over sequences of sum_e f_e P_e`, with
    /// `f_e = count_e * E / (K * T)` not differentiated and `P_e` the mean over
    /// the sequence of `p[e]` (for sigmoid, of `p / sum p`). DeepSeek-V2, eq. 23.
    SeqAux {
        /// Coefficient of the loss.
        alpha: f64,
    },
    /// The same sum over the whole batch at once. Switch Transformer, eq. 4.
    SwitchAux {
        /// Coefficient of the loss.
        alpha: f64,
    },
    /// `alpha * mean of logsumexp(logits)^2`. ST-MoE, eq. 5.
    ZLoss {
        /// Coefficient of the loss.
        alpha: f64,
    },
    /// No loss: after every optimizer step `b_e += rate * sign(mean count - count_e)`.
    /// The bias takes part in the selection only. DeepSeek-V3, section 2.1.2.
    Bias {
        /// Step of the bias.
        rate: f64,
    },
}

impl Balance {
    /// The word of the language for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::SeqAux { .. } => "seq_aux",
            Self::SwitchAux { .. } => "switch_aux",
            Self::ZLoss { .. } => "z_loss",
            Self::Bias { .. } => "bias",
        }
    }
}
