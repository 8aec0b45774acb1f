//! Blocks of queries.

use std::ops::Range;

/// Consecutive queries, and the keys that some query of them sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    /// The first query.
    pub start: usize,
    /// Queries.
    pub queries: usize,
    /// The first key that the first query sees.
    pub first: usize,
    /// Keys from there on, up to the last that the last query sees.
    pub keys: usize,
    /// Where its probabilities begin among those of its head.
    pub at: usize,
    /// Keys that a query sees, at most.
    window: usize,
}

impl Block {
    /// How many probabilities it has.
    pub fn probs(&self) -> usize {
        self.queries * self.keys
    }

    /// Those of its keys that its query `query` sees: itself, and what is in the window before it.
    pub fn seen(&self, query: usize) -> Range<usize> {
        let end = self.keys - self.queries + query + 1;
        end.saturating_sub(self.window)..end
    }

    /// Where the keys are among all keys.
    pub fn key_range(&self) -> Range<usize> {
        self.first..self.first + self.keys
    }
}

/// The blocks of `queries`, which are the last of `keys`, and see all before them or `window` with
/// themselves.
pub(super) fn blocks(queries: usize, keys: usize, window: Option<usize>, block: usize) -> Vec<Block> {
    let window = window.unwrap_or(usize::MAX);
    let mut at = 0;
    let of = |start: usize| {
        let count = block.min(queries - start);
        let end = keys - queries + start + count;
        let first = (keys - queries + start + 1).saturating_sub(window);
        let block = Block { start, queries: count, first, keys: end - first, at, window };
        at += block.probs();
        block
    };
    (0..queries).step_by(block).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Query by query: the keys of a block are those that one of its queries sees, and no others.
    #[test]
    fn a_block_has_the_keys_that_its_queries_see() {
        for (queries, keys) in [(1, 1), (1, 9), (7, 7), (10, 10), (5, 13)] {
            for window in [None, Some(1), Some(2), Some(3), Some(6), Some(13), Some(usize::MAX)] {
                for block in [1, 3, 4, 20] {
                    let blocks = blocks(queries, keys, window, block);
                    let mut at = 0;
                    for block in &blocks {
                        let mut seen = vec![false; keys];
                        for query in 0..block.queries {
                            let position = keys - queries + block.start + query;
                            let own = (position + 1).saturating_sub(window.unwrap_or(keys))..position + 1;
                            let found = block.seen(query);
                            assert_eq!(block.first + found.start..block.first + found.end, own);
                            seen[own].fill(true);
                        }
                        let all: Vec<usize> = (0..keys).filter(|&key| seen[key]).collect();
                        assert_eq!(block.key_range().collect::<Vec<_>>(), all, "{block:?}");
                        assert_eq!(block.at, at);
                        at += block.probs();
                    }
                    assert_eq!(blocks.iter().map(|block| block.queries).sum::<usize>(), queries);
                }
            }
        }
    }
}
