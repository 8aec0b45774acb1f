//! Causal attention on slices, forward and backward: a task is a block of queries of a head, or, on the way
//! back, the heads that read the same keys.

use burn::backend::{Element, TensorMetadata, tensor::FloatTensor};
use rayon::prelude::*;

use super::{
    Attended, AttentionKernel, Saved,
    blocks::{Block, blocks},
};
use crate::{
    Precision,
    cpu::{self, Host, Multiply, Part, Real, Rows, Scratch, View, by_dtype, product, unwritten, widest},
};

impl<B: Host> AttentionKernel for B {
    fn output(inputs: Attended<B>) -> FloatTensor<B> {
        by_dtype!("attention", inputs.q.dtype(), T => {
            let (device, sizes) = (inputs.q.device(), Sizes::of(&inputs));
            let output = on_slices::<B, T, _>(inputs, |inputs| forward(&inputs, None));
            B::float(output, sizes.output(), &device)
        })
    }

    fn forward(inputs: Attended<B>) -> [FloatTensor<B>; 2] {
        by_dtype!("attention", inputs.q.dtype(), T => {
            let (device, sizes) = (inputs.q.device(), Sizes::of(&inputs));
            let count = sizes.batch * sizes.heads * sizes.probs();
            let mut probs = unwritten::<T>(count);
            let output = on_slices::<B, T, _>(inputs, |inputs| forward(&inputs, Some(&mut probs)));
            [B::float(output, sizes.output(), &device), B::float(probs, [count], &device)]
        })
    }

    fn backward(saved: Saved<B>, grad: FloatTensor<B>) -> [FloatTensor<B>; 3] {
        by_dtype!("the backward pass of attention", grad.dtype(), T => {
            let Saved { inputs, probs } = saved;
            let device = grad.device();
            let [q, k, v] = [&inputs.q, &inputs.k, &inputs.v].map(|input| input.shape());
            let (probs, grad) = (B::hold(probs), B::hold(grad));
            let grads = on_slices::<B, T, _>(inputs, |inputs| backward(&inputs, B::slice(&probs), B::slice(&grad)));
            let [q_grad, k_grad, v_grad] = grads;
            [B::float(q_grad, q, &device), B::float(k_grad, k, &device), B::float(v_grad, v, &device)]
        })
    }
}

/// The sizes of an attention.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    batch: usize,
    queries: usize,
    keys: usize,
    heads: usize,
    /// Of keys and values.
    kv_heads: usize,
    /// Width of queries and keys.
    width: usize,
    /// Width of values.
    value: usize,
    block: usize,
}

impl Sizes {
    fn of<B: Host>(inputs: &Attended<B>) -> Self {
        let ([batch, queries, heads, width], [_, keys, kv_heads, value]) =
            (inputs.q.shape().dims(), inputs.v.shape().dims());
        Self { batch, queries, keys, heads, kv_heads, width, value, block: inputs.block }
    }

    fn output(&self) -> [usize; 4] {
        [self.batch, self.queries, self.heads, self.value]
    }

    fn blocks(&self) -> Vec<Block> {
        blocks(self.queries, self.keys, self.block)
    }

    /// Probabilities of a head.
    fn probs(&self) -> usize {
        self.blocks().last().map_or(0, |last| last.at + last.probs())
    }
}

/// The inputs as slices in row-major order.
struct Inputs<'a, T> {
    q: &'a [T],
    k: &'a [T],
    v: &'a [T],
    scale: T,
    sizes: Sizes,
    precision: Precision,
}

fn on_slices<B: Host, T: Real + Element, R>(inputs: Attended<B>, f: impl FnOnce(Inputs<'_, T>) -> R) -> R {
    let (sizes, scale, precision) = (Sizes::of(&inputs), T::constant(inputs.scale), inputs.precision);
    let [q, k, v] = [inputs.q, inputs.k, inputs.v].map(B::hold);
    f(Inputs { q: B::slice(&q), k: B::slice(&k), v: B::slice(&v), scale, sizes, precision })
}

/// Rows `first..first + count` of head `head` of a sequence `[tokens, heads, width]`.
fn head_of<T: Copy>(
    sequence: &[T],
    [head, heads, width]: [usize; 3],
    first: usize,
    count: usize,
) -> View<'_, T> {
    View::strided(&sequence[(first * heads + head) * width..], count, width, heads * width)
}

impl<'a, T: Copy> Inputs<'a, T> {
    /// Queries of a block.
    fn queries(&self, sequence: usize, head: usize, block: &Block) -> View<'a, T> {
        let Sizes { queries, heads, width, .. } = self.sizes;
        let own = &self.q[sequence * queries * heads * width..][..queries * heads * width];
        head_of(own, [head, heads, width], block.start, block.queries)
    }

    /// The keys that a block sees.
    fn keys(&self, sequence: usize, head: usize, block: &Block) -> View<'a, T> {
        let Sizes { keys, kv_heads, width, .. } = self.sizes;
        let own = &self.k[sequence * keys * kv_heads * width..][..keys * kv_heads * width];
        head_of(own, [self.kv_head(head), kv_heads, width], 0, block.keys)
    }

    /// Their values.
    fn values(&self, sequence: usize, head: usize, block: &Block) -> View<'a, T> {
        let Sizes { keys, kv_heads, value, .. } = self.sizes;
        let own = &self.v[sequence * keys * kv_heads * value..][..keys * kv_heads * value];
        head_of(own, [self.kv_head(head), kv_heads, value], 0, block.keys)
    }

    fn kv_head(&self, head: usize) -> usize {
        head / (self.sizes.heads / self.sizes.kv_heads)
    }
}

/// The output `[B, 1, H, e]` of one query, which sees all keys: heads that read the same ones are rows of one
/// product. Its probabilities go to `probs`.
fn forward_one<T: Multiply>(inputs: &Inputs<'_, T>, probs: Option<&mut [T]>) -> Vec<T> {
    let Sizes { batch, keys, heads, kv_heads, width, value, .. } = inputs.sizes;
    let group = heads / kv_heads;
    let block = Block { start: 0, queries: 1, keys, at: 0 };
    let mut output = unwritten(batch * heads * value);
    let mut kept = probs.map(|probs| probs.chunks_exact_mut(group * keys));
    let outputs = output.chunks_exact_mut((group * value).max(1)).enumerate();
    let tasks: Vec<_> =
        outputs.map(|(task, output)| (task, output, kept.as_mut().and_then(Iterator::next))).collect();
    tasks.into_par_iter().with_max_len(1).for_each(|(task, output, own)| {
        let (sequence, head) = (task / kv_heads, task % kv_heads * group);
        let q = View::new(&inputs.q[task * group * width..][..group * width], group, width);
        let (k, v) = (inputs.keys(sequence, head, &block), inputs.values(sequence, head, &block));
        let all_seen = |scores: &mut [T]| {
            scores.chunks_exact_mut(keys).for_each(|row| softmax(row, keys, inputs.scale));
        };
        attend([q, k, v], own, &mut Rows::new(output, group, value), inputs.precision, all_seen);
    });
    output
}

/// Queries, keys and values to outputs, with a `softmax` of the scores, which are kept where there is a place
/// for them.
fn attend<T: Multiply>(
    [q, k, v]: [View<'_, T>; 3],
    kept: Option<&mut [T]>,
    to: &mut Rows<'_, T>,
    precision: Precision,
    softmax: impl Fn(&mut [T]),
) {
    let (queries, keys) = (q.rows(), k.rows());
    let mut scratch = Scratch::new(if kept.is_some() { 0 } else { queries * keys });
    let probs = kept.unwrap_or_else(|| scratch.as_mut_slice());
    product(&mut Rows::new(probs, queries, keys), q, k.transposed(), false, precision);
    softmax(probs);
    product(to, View::new(&*probs, queries, keys), v, false, precision);
}

/// The output `[B, T, H, e]`; the probabilities of all blocks go to `probs`.
fn forward<T: Multiply>(inputs: &Inputs<'_, T>, probs: Option<&mut [T]>) -> Vec<T> {
    let sizes = inputs.sizes;
    if sizes.queries == 1 {
        return forward_one(inputs, probs);
    }
    let blocks = sizes.blocks();
    let row = sizes.heads * sizes.value;
    let mut output = unwritten(sizes.batch * sizes.queries * row);
    let mut kept = probs.map(|probs| probs.chunks_exact_mut(sizes.probs().max(1)));
    let mut tasks = Vec::new();
    for (sequence, output) in output.chunks_exact_mut((sizes.queries * row).max(1)).enumerate() {
        // Of each head, what remains of its probabilities.
        let mut kept: Vec<Option<&mut [T]>> =
            (0..sizes.heads).map(|_| kept.as_mut().and_then(Iterator::next)).collect();
        for part in Rows::new(output, sizes.queries, row).parts([sizes.block, sizes.value]) {
            let (head, block) = (part.col / sizes.value, blocks[part.row / sizes.block]);
            let own = kept[head].take().map(|all| all.split_at_mut(block.probs()));
            let own = own.map(|(own, rest)| {
                kept[head] = Some(rest);
                own
            });
            tasks.push((sequence, head, block, part, own));
        }
    }
    tasks.into_par_iter().with_max_len(1).for_each(|(sequence, head, block, Part { mut to, .. }, own)| {
        let q = inputs.queries(sequence, head, &block);
        let (k, v) = (inputs.keys(sequence, head, &block), inputs.values(sequence, head, &block));
        let seen = |scores: &mut [T]| softmax(scores, block.keys, inputs.scale);
        attend([q, k, v], own, &mut to, inputs.precision, seen);
    });
    output
}

/// Of each sequence and head, its columns of `[B, tokens, heads, width]`.
fn of_heads<T: Copy>(values: &mut [T], tokens: usize, heads: usize, width: usize) -> Vec<Rows<'_, T>> {
    let sequences = values.chunks_exact_mut((tokens * heads * width).max(1));
    let parts = sequences.flat_map(|own| Rows::new(own, tokens, heads * width).parts([tokens, width]));
    parts.map(|part| part.to).collect()
}

/// The gradients of `q`, `k` and `v`.
fn backward<T: Multiply>(inputs: &Inputs<'_, T>, probs: &[T], grad: &[T]) -> [Vec<T>; 3] {
    let (sizes, precision) = (inputs.sizes, inputs.precision);
    let Sizes { batch, queries, keys, heads, kv_heads, width, value, .. } = sizes;
    let blocks = sizes.blocks();
    let mut q_grad = unwritten(batch * queries * heads * width);
    let mut k_grad = unwritten(batch * keys * kv_heads * width);
    let mut v_grad = unwritten(batch * keys * kv_heads * value);
    let group = heads / kv_heads;
    let k_parts = of_heads(&mut k_grad, keys, kv_heads, width);
    let v_parts = of_heads(&mut v_grad, keys, kv_heads, value);
    let q_parts = of_heads(&mut q_grad, queries, kv_heads, group * width);
    let tasks: Vec<_> = q_parts.into_iter().zip(k_parts).zip(v_parts).enumerate().collect();
    tasks.into_par_iter().with_max_len(1).for_each(|(task, ((q_grad, mut k_grad), mut v_grad))| {
        let (sequence, kv_head) = (task / kv_heads, task % kv_heads);
        let grad = &grad[sequence * queries * heads * value..][..queries * heads * value];
        let mut q_parts = q_grad.parts([sizes.block, width]).into_iter().map(Some).collect::<Vec<_>>();
        let mut adds = false;
        for (i, head) in (kv_head * group..(kv_head + 1) * group).enumerate() {
            let probs = &probs[(sequence * heads + head) * sizes.probs()..][..sizes.probs()];
            // The last block first: it sees all keys, and sets what the others add to.
            for (j, block) in blocks.iter().enumerate().rev() {
                let probs = &probs[block.at..][..block.probs()];
                let grad = head_of(grad, [head, heads, value], block.start, block.queries);
                let mut scores_grad = Scratch::new(block.probs());
                let scores_grad = scores_grad.as_mut_slice();
                let v = inputs.values(sequence, head, block);
                let mut made = Rows::new(scores_grad, block.queries, block.keys);
                product(&mut made, grad, v.transposed(), false, precision);
                softmax_backward(scores_grad, probs, block.keys, inputs.scale);
                let scores_grad = View::new(&*scores_grad, block.queries, block.keys);
                let probs = View::new(probs, block.queries, block.keys);
                if let Some(Part { mut to, .. }) = q_parts[j * group + i].take() {
                    product(&mut to, scores_grad, inputs.keys(sequence, head, block), false, precision);
                }
                let q = inputs.queries(sequence, head, block);
                product(&mut k_grad.first_rows(block.keys), scores_grad.transposed(), q, adds, precision);
                product(&mut v_grad.first_rows(block.keys), probs.transposed(), grad, adds, precision);
                adds = true;
            }
        }
        if !adds {
            k_grad.fill(T::ZERO);
            v_grad.fill(T::ZERO);
        }
    });
    [q_grad, k_grad, v_grad]
}

/// Softmax of `scale * scores` over the keys each query may see, 0 elsewhere, in place: rows of `keys`, the
/// last of which sees all of them, and each before it one less.
fn softmax<T: Real>(scores: &mut [T], keys: usize, scale: T) {
    widest!(scores: &mut [T], keys: usize, scale: T; T => softmax_inline(scores, keys, scale))
}

#[inline(always)]
fn softmax_inline<T: Real>(scores: &mut [T], keys: usize, scale: T) {
    let queries = scores.len() / keys;
    for (row, scores) in scores.chunks_exact_mut(keys).enumerate() {
        let (seen, hidden) = scores.split_at_mut(keys - queries + row + 1);
        cpu::softmax(seen, scale);
        hidden.fill(T::ZERO);
    }
}

/// The gradient of the scores from that of the probabilities, in place of the latter.
fn softmax_backward<T: Real>(grad: &mut [T], probs: &[T], keys: usize, scale: T) {
    widest!(grad: &mut [T], probs: &[T], keys: usize, scale: T;
        T => softmax_backward_inline(grad, probs, keys, scale))
}

#[inline(always)]
fn softmax_backward_inline<T: Real>(grad: &mut [T], probs: &[T], keys: usize, scale: T) {
    let queries = grad.len() / keys;
    for (row, (grad, probs)) in grad.chunks_exact_mut(keys).zip(probs.chunks_exact(keys)).enumerate() {
        let (grad, hidden) = grad.split_at_mut(keys - queries + row + 1);
        cpu::softmax_gradient(grad, probs, scale);
        hidden.fill(T::ZERO);
    }
}
