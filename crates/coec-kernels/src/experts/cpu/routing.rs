//! Which rows go to which expert.

use rayon::prelude::*;

use super::{BLOCK, Sizes};
use crate::cpu::{Real, Scratch, View, unwritten};

/// The selected (token, k) pairs, sorted by expert, then by token.
pub(super) struct Routing {
    /// The pair `n*K + k` of each sorted row.
    pub slots: Vec<u32>,
    /// The sorted row of each pair.
    pub rows: Vec<u32>,
    /// Where each expert's rows begin; one more entry for the end.
    pub starts: Vec<usize>,
    /// The token of each sorted row.
    tokens: Vec<u32>,
    k: usize,
    /// Whether the pairs are in this order already: each token's one expert is the same.
    is_sorted: bool,
}

/// Consecutive sorted rows of one expert.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    pub expert: usize,
    pub start: usize,
    pub len: usize,
}

impl Routing {
    /// A counting sort of `indices`, stable in the token.
    pub fn new(indices: &[u32], sizes: Sizes) -> Self {
        let mut starts = vec![0usize; sizes.experts + 1];
        for &expert in indices {
            assert!((expert as usize) < sizes.experts, "expert {expert} of {}", sizes.experts);
            starts[expert as usize + 1] += 1;
        }
        for expert in 0..sizes.experts {
            starts[expert + 1] += starts[expert];
        }
        let mut next = starts.clone();
        let mut slots = vec![0u32; indices.len()];
        let mut rows = vec![0u32; indices.len()];
        for (slot, &expert) in indices.iter().enumerate() {
            let row = &mut next[expert as usize];
            slots[*row] = slot as u32;
            rows[slot] = *row as u32;
            *row += 1;
        }
        let is_sorted = sizes.k == 1 && slots.is_sorted();
        let tokens = slots.iter().map(|&slot| slot / sizes.k as u32).collect();
        Self { slots, rows, starts, tokens, k: sizes.k, is_sorted }
    }

    /// The rows in blocks of one expert each, none longer than [`BLOCK`].
    pub fn blocks(&self) -> Vec<Tile> {
        let mut blocks = Vec::new();
        for (expert, bounds) in self.starts.windows(2).enumerate() {
            let mut start = bounds[0];
            while start < bounds[1] {
                let len = (bounds[1] - start).min(BLOCK);
                blocks.push(Tile { expert, start, len });
                start += len;
            }
        }
        blocks
    }

    /// The row of `source` `[N, width]` that stands in this sorted row.
    pub fn row_of<'a, T>(&self, source: &'a [T], width: usize, row: usize) -> &'a [T] {
        &source[self.tokens[row] as usize * width..][..width]
    }

    /// The rows of a block of `source` `[N, width]`, where they are.
    pub fn rows_of<'a, T: Real>(&'a self, source: &'a [T], width: usize, block: &Tile) -> View<'a, T> {
        if self.is_sorted {
            return View::new(&source[block.start * width..][..block.len * width], block.len, width);
        }
        View::picked(source, &self.tokens[block.start..][..block.len], width)
    }

    /// The same, copied to `scratch` unless they follow each other.
    pub fn rows_together<'a, T: Real>(
        &'a self,
        source: &'a [T],
        width: usize,
        block: &Tile,
        scratch: &'a mut Scratch<T>,
    ) -> View<'a, T> {
        if self.is_sorted {
            return self.rows_of(source, width, block);
        }
        self.each_row(source, width, block, scratch, |_, from, to| to.copy_from_slice(from))
    }

    /// The same, each row times its weight, which are those of all sorted rows.
    pub fn weighted_rows<'a, T: Real>(
        &self,
        source: &[T],
        width: usize,
        block: &Tile,
        weights: &[T],
        scratch: &'a mut Scratch<T>,
    ) -> View<'a, T> {
        self.each_row(source, width, block, scratch, |row, from, to| {
            for (to, &value) in to.iter_mut().zip(from) {
                *to = weights[row] * value;
            }
        })
    }

    /// What `write(sorted row, from, to)` makes of each row of a block, in `scratch`.
    fn each_row<'a, T: Real>(
        &self,
        source: &[T],
        width: usize,
        block: &Tile,
        scratch: &'a mut Scratch<T>,
        write: impl Fn(usize, &[T], &mut [T]),
    ) -> View<'a, T> {
        *scratch = Scratch::new(block.len * width);
        let tokens = &self.tokens[block.start..][..block.len];
        for (i, (to, &token)) in scratch.as_mut_slice().chunks_exact_mut(width).zip(tokens).enumerate() {
            write(block.start + i, &source[token as usize * width..][..width], to);
        }
        View::new(scratch.as_mut_slice(), block.len, width)
    }

    /// Per token, the sum over its K rows of `sorted` `[N*K, width]`, each times its factor.
    pub fn combine<T: Real>(&self, sorted: Vec<T>, width: usize, factors: Option<&[T]>) -> Vec<T> {
        if self.is_sorted && factors.is_none_or(|factors| factors.iter().all(|&factor| factor == T::ONE)) {
            return sorted;
        }
        let tokens = self.slots.len() / self.k;
        let mut out = unwritten(tokens * width);
        out.par_chunks_mut(width * 64).enumerate().for_each(|(chunk, out)| {
            for (token, out) in out.chunks_exact_mut(width).enumerate() {
                for (k, slot) in ((chunk * 64 + token) * self.k..).take(self.k).enumerate() {
                    let row = &sorted[self.rows[slot] as usize * width..][..width];
                    let factor = factors.map_or(T::ONE, |factors| factors[slot]);
                    for (sum, &value) in out.iter_mut().zip(row) {
                        *sum = if k == 0 { factor * value } else { *sum + factor * value };
                    }
                }
            }
        });
        out
    }
}

/// Splits a row-major buffer into one slice per block. Blocks must cover it in order.
pub(super) fn split<'a, T>(mut buffer: &'a mut [T], blocks: &[Tile], width: usize) -> Vec<&'a mut [T]> {
    blocks
        .iter()
        .map(|block| {
            let (head, tail) = std::mem::take(&mut buffer).split_at_mut(block.len * width);
            buffer = tail;
            head
        })
        .collect()
}
