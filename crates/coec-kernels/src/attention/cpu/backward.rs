//! From the gradient of the output to those of queries, keys, values and sinks.

use rayon::prelude::*;

use super::{super::blocks::Block, Inputs, Sizes, head_of};
use crate::cpu::{self, Multiply, Part, Real, Rows, Scratch, View, product, unwritten, widest};

/// The gradients of what the forward pass took.
pub(super) struct Made<T> {
    pub q: Vec<T>,
    pub k: Vec<T>,
    pub v: Vec<T>,
    pub sinks: Option<Vec<T>>,
}

/// Of each sequence and head, its columns of `[B, tokens, heads, width]`.
fn of_heads<T: Copy>(values: &mut [T], tokens: usize, heads: usize, width: usize) -> Vec<Rows<'_, T>> {
    let sequences = values.chunks_exact_mut((tokens * heads * width).max(1));
    let parts = sequences.flat_map(|own| Rows::new(own, tokens, heads * width).parts([tokens, width]));
    parts.map(|part| part.to).collect()
}

/// The gradients, from the probabilities of keys, those of sinks, and the gradient of the output.
pub(super) fn backward<T: Multiply>(
    inputs: &Inputs<'_, T>,
    probs: &[T],
    sunk: Option<&[T]>,
    grad: &[T],
) -> Made<T> {
    let (sizes, precision) = (inputs.sizes, inputs.precision);
    let Sizes { batch, queries, keys, heads, kv_heads, width, value, .. } = sizes;
    let blocks = sizes.blocks();
    let mut q_grad = unwritten(batch * queries * heads * width);
    let mut k_grad = unwritten(batch * keys * kv_heads * width);
    let mut v_grad = unwritten(batch * keys * kv_heads * value);
    // Of each sequence and head, its part of the gradients of the sinks: sums over thousands of queries.
    let mut sink_parts = vec![0.0; batch * heads];
    let group = heads / kv_heads;
    let k_parts = of_heads(&mut k_grad, keys, kv_heads, width);
    let v_parts = of_heads(&mut v_grad, keys, kv_heads, value);
    let q_parts = of_heads(&mut q_grad, queries, kv_heads, group * width);
    let parts = q_parts.into_iter().zip(k_parts).zip(v_parts).zip(sink_parts.chunks_exact_mut(group.max(1)));
    let tasks: Vec<_> = parts.enumerate().collect();
    tasks.into_par_iter().with_max_len(1).for_each(
        |(task, (((q_grad, mut k_grad), mut v_grad), sink_parts))| {
            let (sequence, kv_head) = (task / kv_heads, task % kv_heads);
            let grad = &grad[sequence * queries * heads * value..][..queries * heads * value];
            let mut q_parts = q_grad.parts([sizes.block, width]).into_iter().map(Some).collect::<Vec<_>>();
            // Keys from here on have something in their gradients to add to.
            let mut begun = keys;
            for (i, head) in (kv_head * group..(kv_head + 1) * group).enumerate() {
                let probs = &probs[(sequence * heads + head) * sizes.probs()..][..sizes.probs()];
                let sunk = sunk.map(|sunk| &sunk[(sequence * heads + head) * queries..][..queries]);
                // The last block first: it sets what the others add to. Without a window that is all there
                // is.
                for (j, block) in blocks.iter().enumerate().rev() {
                    let probs = &probs[block.at..][..block.probs()];
                    let grad = head_of(grad, [head, heads, value], block.start, block.queries);
                    let mut scores_grad = Scratch::new(block.probs());
                    let scores_grad = scores_grad.as_mut_slice();
                    let v = inputs.values(sequence, head, block);
                    let mut made = Rows::new(scores_grad, block.queries, block.keys);
                    product(&mut made, grad, v.transposed(), false, precision);
                    let sink = sunk.map(|sunk| (&sunk[block.start..][..block.queries], &mut sink_parts[i]));
                    softmax_backward(scores_grad, probs, sink, block, inputs.scale);
                    let scores_grad = View::new(&*scores_grad, block.queries, block.keys);
                    let probs = View::new(probs, block.queries, block.keys);
                    if let Some(Part { mut to, .. }) = q_parts[j * group + i].take() {
                        product(&mut to, scores_grad, inputs.keys(sequence, head, block), false, precision);
                    }
                    let q = inputs.queries(sequence, head, block);
                    let adds = begun < keys;
                    if adds && block.first < begun {
                        k_grad.row_range(block.first..begun).fill(T::ZERO);
                        v_grad.row_range(block.first..begun).fill(T::ZERO);
                    }
                    begun = begun.min(block.first);
                    let (mut to_k, mut to_v) =
                        (k_grad.row_range(block.key_range()), v_grad.row_range(block.key_range()));
                    product(&mut to_k, scores_grad.transposed(), q, adds, precision);
                    product(&mut to_v, probs.transposed(), grad, adds, precision);
                }
            }
            // What no query sees.
            k_grad.row_range(0..begun).fill(T::ZERO);
            v_grad.row_range(0..begun).fill(T::ZERO);
        },
    );
    let of_head = |head: usize| (0..batch).map(|sequence| sink_parts[sequence * heads + head]).sum();
    let sinks = sunk.map(|_| (0..heads).map(|head| T::constant(of_head(head))).collect());
    Made { q: q_grad, k: k_grad, v: v_grad, sinks }
}

/// The gradient of the scores from that of the probabilities of a block, in place of the latter. A sink's is
/// that of one score more, to whose probability nothing flows back: `-p sum of p dp` is added to it, for the
/// `p` of each query.
fn softmax_backward<T: Real>(
    grad: &mut [T],
    probs: &[T],
    sink: Option<(&[T], &mut f64)>,
    block: &Block,
    scale: T,
) {
    widest!(grad: &mut [T], probs: &[T], sink: Option<(&[T], &mut f64)>, block: &Block, scale: T;
        T => softmax_backward_inline(grad, probs, sink, block, scale))
}

#[inline(always)]
fn softmax_backward_inline<T: Real>(
    grad: &mut [T],
    probs: &[T],
    mut sink: Option<(&[T], &mut f64)>,
    block: &Block,
    scale: T,
) {
    let rows = grad.chunks_exact_mut(block.keys).zip(probs.chunks_exact(block.keys));
    for (query, (grad, probs)) in rows.enumerate() {
        let seen = block.seen(query);
        let (grad, after) = grad.split_at_mut(seen.end);
        let (before, grad) = grad.split_at_mut(seen.start);
        let mean = cpu::softmax_gradient(grad, &probs[seen], scale);
        if let Some((sunk, sum)) = &mut sink {
            **sum -= sunk[query].to_f64() * mean.to_f64();
        }
        before.fill(T::ZERO);
        after.fill(T::ZERO);
    }
}
