//! Causal attention on slices, forward and backward: a task is a block of queries of a head, or, on the way
//! back, the heads that read the same keys.

mod backward;
mod forward;

use burn::backend::{Element, TensorMetadata, tensor::FloatTensor};

use self::{
    backward::{Made, backward},
    forward::{Kept, forward},
};
use super::{
    Attended, AttentionKernel, Forward, Gradients, Mixing, Saved,
    blocks::{Block, blocks},
};
use crate::{
    Precision,
    cpu::{Host, Real, View, by_dtype, unwritten},
};

impl<B: Host> AttentionKernel for B {
    fn output(inputs: Attended<B>) -> FloatTensor<B> {
        by_dtype!("attention", inputs.q.dtype(), T => {
            let (device, sizes) = (inputs.q.device(), Sizes::of(&inputs));
            let output = on_slices::<B, T, _>(inputs, |inputs| forward(&inputs, None));
            B::float(output, sizes.output(), &device)
        })
    }

    fn forward(inputs: Attended<B>) -> Forward<B> {
        by_dtype!("attention", inputs.q.dtype(), T => {
            let (device, sizes) = (inputs.q.device(), Sizes::of(&inputs));
            let count = sizes.batch * sizes.heads * sizes.probs();
            let mut probs = unwritten::<T>(count);
            let mut sunk = inputs.sinks.as_ref().map(|_| unwritten::<T>(sizes.sunk().iter().product()));
            let output = on_slices::<B, T, _>(inputs, |inputs| {
                let kept = Kept { probs: &mut probs, sunk: sunk.as_deref_mut().unwrap_or_default() };
                forward(&inputs, Some(kept))
            });
            Forward {
                output: B::float(output, sizes.output(), &device),
                probs: B::float(probs, [count], &device),
                sunk: sunk.map(|sunk| B::float(sunk, sizes.sunk(), &device)),
            }
        })
    }

    fn backward(saved: Saved<B>, grad: FloatTensor<B>) -> Gradients<B> {
        by_dtype!("the backward pass of attention", grad.dtype(), T => {
            let Saved { inputs, probs, sunk } = saved;
            let (device, heads) = (grad.device(), Sizes::of(&inputs).heads);
            let [q, k, v] = [&inputs.q, &inputs.k, &inputs.v].map(|input| input.shape());
            let (probs, sunk, grad) = (B::hold(probs), sunk.map(B::hold), B::hold(grad));
            let sunk = sunk.as_ref().map(B::slice);
            let made = on_slices::<B, T, _>(inputs, |inputs| {
                backward(&inputs, B::slice(&probs), sunk, B::slice(&grad))
            });
            let Made { q: q_grad, k: k_grad, v: v_grad, sinks } = made;
            Gradients {
                q: B::float(q_grad, q, &device),
                k: B::float(k_grad, k, &device),
                v: B::float(v_grad, v, &device),
                sinks: sinks.map(|sinks| B::float(sinks, [heads], &device)),
            }
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
    window: Option<usize>,
    block: usize,
}

impl Sizes {
    fn of<B: Host>(inputs: &Attended<B>) -> Self {
        let ([batch, queries, heads, width], [_, keys, kv_heads, value]) =
            (inputs.q.shape().dims(), inputs.v.shape().dims());
        let Mixing { window, block, .. } = inputs.mixing;
        Self { batch, queries, keys, heads, kv_heads, width, value, window, block }
    }

    fn output(&self) -> [usize; 4] {
        [self.batch, self.queries, self.heads, self.value]
    }

    /// Of what went to sinks.
    fn sunk(&self) -> [usize; 3] {
        [self.batch, self.heads, self.queries]
    }

    fn blocks(&self) -> Vec<Block> {
        blocks(self.queries, self.keys, self.window, self.block)
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
    /// Of each head, where there are any.
    sinks: Option<&'a [T]>,
    scale: T,
    sizes: Sizes,
    precision: Precision,
}

fn on_slices<B: Host, T: Real + Element, R>(inputs: Attended<B>, f: impl FnOnce(Inputs<'_, T>) -> R) -> R {
    let sizes = Sizes::of(&inputs);
    let Attended { q, k, v, sinks, mixing: Mixing { scale, precision, .. } } = inputs;
    let ([q, k, v], sinks) = ([q, k, v].map(B::hold), sinks.each().map(B::hold));
    f(Inputs {
        q: B::slice(&q),
        k: B::slice(&k),
        v: B::slice(&v),
        sinks: sinks.as_ref().map(B::slice),
        scale: T::constant(scale),
        sizes,
        precision,
    })
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

    /// The keys of a block.
    fn keys(&self, sequence: usize, head: usize, block: &Block) -> View<'a, T> {
        let Sizes { keys, kv_heads, width, .. } = self.sizes;
        let own = &self.k[sequence * keys * kv_heads * width..][..keys * kv_heads * width];
        head_of(own, [self.kv_head(head), kv_heads, width], block.first, block.keys)
    }

    /// Their values.
    fn values(&self, sequence: usize, head: usize, block: &Block) -> View<'a, T> {
        let Sizes { keys, kv_heads, value, .. } = self.sizes;
        let own = &self.v[sequence * keys * kv_heads * value..][..keys * kv_heads * value];
        head_of(own, [self.kv_head(head), kv_heads, value], block.first, block.keys)
    }

    /// The score of a head's sink.
    fn sink(&self, head: usize) -> Option<T> {
        self.sinks.map(|sinks| sinks[head])
    }

    fn kv_head(&self, head: usize) -> usize {
        head / (self.sizes.heads / self.sizes.kv_heads)
    }
}
