//! From queries, keys and values to the output.

use rayon::prelude::*;

use super::{super::blocks::Block, Inputs, Sizes};
use crate::{
    Precision,
    cpu::{self, Multiply, Part, Real, Rows, Scratch, View, product, unwritten, widest},
};

/// Where the forward pass puts what the backward pass reads, of all heads, of some, or of one block.
pub(super) struct Kept<'a, T> {
    /// The probabilities.
    pub probs: &'a mut [T],
    /// What went to the sink of each query; nothing without sinks.
    pub sunk: &'a mut [T],
}

impl<'a, T> Kept<'a, T> {
    /// Parts of so many probabilities and queries.
    fn parts(self, probs: usize, queries: usize) -> impl Iterator<Item = Kept<'a, T>> {
        let mut sunk = self.sunk.chunks_exact_mut(queries.max(1));
        let probs = self.probs.chunks_exact_mut(probs.max(1));
        probs.map(move |probs| Kept { probs, sunk: sunk.next().unwrap_or_default() })
    }

    /// What is a block's, which is the first; and what remains.
    fn split(self, block: &Block) -> [Kept<'a, T>; 2] {
        let (probs, other_probs) = self.probs.split_at_mut(block.probs());
        let (sunk, other_sunk) = self.sunk.split_at_mut(block.queries.min(self.sunk.len()));
        [Kept { probs, sunk }, Kept { probs: other_probs, sunk: other_sunk }]
    }
}

/// The output `[B, T, H, e]`; what the backward pass reads goes to `kept`.
pub(super) fn forward<T: Multiply>(inputs: &Inputs<'_, T>, kept: Option<Kept<'_, T>>) -> Vec<T> {
    let sizes = inputs.sizes;
    if sizes.queries == 1 {
        return forward_one(inputs, kept);
    }
    let blocks = sizes.blocks();
    let row = sizes.heads * sizes.value;
    let mut output = unwritten(sizes.batch * sizes.queries * row);
    let mut kept = kept.map(|kept| kept.parts(sizes.probs(), sizes.queries));
    let mut tasks = Vec::new();
    for (sequence, output) in output.chunks_exact_mut((sizes.queries * row).max(1)).enumerate() {
        // Of each head, what remains.
        let mut kept: Vec<Option<Kept<'_, T>>> =
            (0..sizes.heads).map(|_| kept.as_mut().and_then(Iterator::next)).collect();
        for part in Rows::new(output, sizes.queries, row).parts([sizes.block, sizes.value]) {
            let (head, block) = (part.col / sizes.value, blocks[part.row / sizes.block]);
            let own = kept[head].take().map(|all| {
                let [own, rest] = all.split(&block);
                kept[head] = Some(rest);
                own
            });
            tasks.push((sequence, head, block, part, own));
        }
    }
    tasks.into_par_iter().with_max_len(1).for_each(|(sequence, head, block, Part { mut to, .. }, own)| {
        let q = inputs.queries(sequence, head, &block);
        let (k, v) = (inputs.keys(sequence, head, &block), inputs.values(sequence, head, &block));
        let seen = |scores: &mut [T], sunk: &mut [T]| {
            softmax(scores, sunk, &block, inputs.scale, inputs.sink(head));
        };
        attend([q, k, v], own, &mut to, inputs.precision, seen);
    });
    output
}

/// The output `[B, 1, H, e]` of one query, which sees all keys of its one block: heads that read the same
/// ones are rows of one product.
fn forward_one<T: Multiply>(inputs: &Inputs<'_, T>, kept: Option<Kept<'_, T>>) -> Vec<T> {
    let Sizes { batch, heads, kv_heads, width, value, .. } = inputs.sizes;
    let group = heads / kv_heads;
    let mut output = unwritten(batch * heads * value);
    let block = inputs.sizes.blocks()[0];
    let mut kept = kept.map(|kept| kept.parts(group * block.keys, group));
    let outputs = output.chunks_exact_mut((group * value).max(1)).enumerate();
    let tasks: Vec<_> =
        outputs.map(|(task, output)| (task, output, kept.as_mut().and_then(Iterator::next))).collect();
    tasks.into_par_iter().with_max_len(1).for_each(|(task, output, own)| {
        let (sequence, head) = (task / kv_heads, task % kv_heads * group);
        let q = View::new(&inputs.q[task * group * width..][..group * width], group, width);
        let (k, v) = (inputs.keys(sequence, head, &block), inputs.values(sequence, head, &block));
        let all_seen = |scores: &mut [T], sunk: &mut [T]| {
            let mut sunk = sunk.iter_mut();
            for (i, row) in scores.chunks_exact_mut(block.keys).enumerate() {
                let sunk = sunk.next().map(std::slice::from_mut).unwrap_or_default();
                softmax(row, sunk, &block, inputs.scale, inputs.sink(head + i));
            }
        };
        attend([q, k, v], own, &mut Rows::new(output, group, value), inputs.precision, all_seen);
    });
    output
}

/// Queries, keys and values to outputs, with a `softmax` of the scores, which are kept where there is a place
/// for them.
fn attend<T: Multiply>(
    [q, k, v]: [View<'_, T>; 3],
    kept: Option<Kept<'_, T>>,
    to: &mut Rows<'_, T>,
    precision: Precision,
    softmax: impl Fn(&mut [T], &mut [T]),
) {
    let (queries, keys) = (q.rows(), k.rows());
    let mut scratch = Scratch::new(if kept.is_some() { 0 } else { queries * keys });
    let Kept { probs, sunk } = kept.unwrap_or_else(|| Kept { probs: scratch.as_mut_slice(), sunk: &mut [] });
    product(&mut Rows::new(probs, queries, keys), q, k.transposed(), false, precision);
    softmax(probs, sunk);
    product(to, View::new(&*probs, queries, keys), v, false, precision);
}

/// Softmax of `scale * scores` over the keys each query of a block may see, 0 elsewhere, in place: with the
/// score of a sink among them, whose probabilities go to `sunk` where there is a place for them.
fn softmax<T: Real>(scores: &mut [T], sunk: &mut [T], block: &Block, scale: T, sink: Option<T>) {
    widest!(scores: &mut [T], sunk: &mut [T], block: &Block, scale: T, sink: Option<T>;
        T => softmax_inline(scores, sunk, block, scale, sink))
}

#[inline(always)]
fn softmax_inline<T: Real>(scores: &mut [T], sunk: &mut [T], block: &Block, scale: T, sink: Option<T>) {
    for (query, scores) in scores.chunks_exact_mut(block.keys).enumerate() {
        let seen = block.seen(query);
        let (scores, after) = scores.split_at_mut(seen.end);
        let (before, seen) = scores.split_at_mut(seen.start);
        match sink {
            None => cpu::softmax(seen, scale),
            Some(sink) => {
                let taken = cpu::softmax_with_sink(seen, scale, sink);
                if let Some(place) = sunk.get_mut(query) {
                    *place = taken;
                }
            }
        }
        before.fill(T::ZERO);
        after.fill(T::ZERO);
    }
}
