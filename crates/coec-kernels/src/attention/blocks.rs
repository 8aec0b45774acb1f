//! Blocks of queries.

/// Consecutive queries, and the keys that the last of them sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    /// The first query.
    pub start: usize,
    /// Queries.
    pub queries: usize,
    /// Keys, from the first on.
    pub keys: usize,
    /// Where its probabilities begin among those of its head.
    pub at: usize,
}

impl Block {
    /// How many probabilities it has.
    pub fn probs(&self) -> usize {
        self.queries * self.keys
    }
}

/// The blocks of `queries`, which are the last of `keys`.
pub(super) fn blocks(queries: usize, keys: usize, block: usize) -> Vec<Block> {
    let mut at = 0;
    let of = |start: usize| {
        let count = block.min(queries - start);
        let block = Block { start, queries: count, keys: keys - queries + start + count, at };
        at += block.probs();
        block
    };
    (0..queries).step_by(block).map(of).collect()
}
