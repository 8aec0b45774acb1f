//! The sizes of models S and M, as tests/bench/s.coe and m.coe have them.

/// What a layer of a model is given, and has.
pub struct Size {
    /// Of the model.
    pub name: &'static str,
    /// Sequences in a batch.
    pub sequences: usize,
    /// Tokens in a sequence.
    pub context: usize,
    /// Tokens there are.
    pub vocab: usize,
    /// Width of the stream.
    pub dim: usize,
    /// Heads, each of `dim / heads`.
    pub heads: usize,
    /// Experts to select from.
    pub experts: usize,
    /// Experts that a token selects in one pass.
    pub selected: usize,
    /// Width of an expert.
    pub hidden: usize,
}

impl Size {
    /// Tokens in a batch.
    pub fn tokens(&self) -> usize {
        self.sequences * self.context
    }
}

pub const SIZES: [Size; 2] = [
    Size {
        name: "S",
        sequences: 8,
        context: 256,
        vocab: 512,
        dim: 256,
        heads: 4,
        experts: 16,
        selected: 2,
        hidden: 128,
    },
    Size {
        name: "M",
        sequences: 4,
        context: 256,
        vocab: 4096,
        dim: 512,
        heads: 4,
        experts: 64,
        selected: 4,
        hidden: 176,
    },
];
