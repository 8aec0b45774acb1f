//! What one of several ranks holds.
//!
//! Every rank computes its own sequences. Under `shard=none` each holds the whole model, and gradients are
//! exchanged: `coec train` under MPI. Under `shard=full` each holds its part of every tensor, and gathers those of
//! a layer while it computes it: PyTorch's FSDP2, as transformers applies it.

use serde::{Deserialize, Serialize};

/// Elements of gradients that ranks exchange at once.
pub const EXCHANGED: usize = 4 << 20;

/// What of a model is divided among the ranks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shard {
    /// Nothing.
    #[default]
    None,
    /// Weights, gradients and moments.
    Full,
}

impl Shard {
    /// Every value, in the order documentation lists them.
    pub const ALL: &[Self] = &[Self::None, Self::Full];

    /// The word of the language for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Full => "full",
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// How many elements one rank holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Held {
    /// Of all parameters.
    pub parameters: u128,
    /// Of weights gathered from the other ranks, at the most; as many of their gradients, until they are divided.
    pub gathered: u128,
    /// Of what goes to other ranks or comes from them.
    pub exchanged: u128,
}

impl Held {
    /// Of `parameters` on one of `ranks`, where `units` are those that are gathered together.
    pub fn of(parameters: u128, ranks: usize, shard: Shard, units: &Units) -> Self {
        let slice = parameters.div_ceil(ranks as u128);
        match shard {
            _ if ranks == 1 => Self { parameters, gathered: 0, exchanged: 0 },
            // The rank's slice of the sums, a bucket that is sent, and one that is received.
            Shard::None => {
                let bucket = parameters.min(EXCHANGED as u128);
                Self { parameters, gathered: 0, exchanged: slice + 2 * bucket }
            }
            // The next unit comes while one is computed.
            Shard::Full => Self { parameters: slice, gathered: units.most(), exchanged: units.largest() },
        }
    }
}

/// Parameters that are gathered together.
pub(crate) struct Units {
    /// Of the largest layer.
    pub layer: u128,
    /// Of the token embedding.
    pub embedding: u128,
    /// Of the final norm and an output head of its own.
    pub head: u128,
    /// Whether the head is the embedding.
    pub tied: bool,
}

impl Units {
    /// Most that is gathered at a time. A tied embedding stays from the first look-up to the last gradient.
    fn most(&self) -> u128 {
        match self.tied {
            true => self.embedding + self.head + self.layer,
            false => self.largest(),
        }
    }

    fn largest(&self) -> u128 {
        self.layer.max(self.embedding).max(self.head)
    }
}
