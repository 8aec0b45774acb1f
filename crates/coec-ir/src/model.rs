//! The model: its sizes and its stack of layers.

use serde::{Deserialize, Serialize};

use crate::{Attention, Ffn};

/// A decoder-only language model. Every value is explicit: no defaults exist here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The name it is declared under; also names the output folder.
    pub name: String,
    /// The `///` comment in front of it, lines joined by `\n`; empty if there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// Vocabulary size V.
    pub vocab: usize,
    /// Positions T the model is declared for.
    pub context: usize,
    /// Width D of the residual stream.
    pub dim: usize,
    /// The one norm of the model; its eps holds for every RMSNorm.
    pub norm: Rms,
    /// Token embedding and output head.
    pub embedding: Tokens,
    /// The layers, in order.
    pub layers: Stack,
}

/// RMSNorm: `x * rsqrt(mean(x^2) + eps) * w`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rms {
    /// Added to the mean square before the root.
    pub eps: f64,
}

/// The token embedding; `tied` shares its table with the output head.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tokens {
    /// Whether the output head is the embedding table.
    pub tied: bool,
    /// Embeddings are multiplied with this.
    pub multiplier: f64,
    /// Logits are divided by this.
    pub logits_scaling: f64,
}

impl Tokens {
    /// A table, which serves as output head too if it is `tied`, and nothing else.
    pub fn plain(tied: bool) -> Self {
        Self { tied, multiplier: 1.0, logits_scaling: 1.0 }
    }
}

/// One layer: an attention sublayer, then a feed-forward sublayer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// `h + Attention(Norm(h))`.
    pub attention: Attention,
    /// The sublayer after it, with its own residual wiring.
    pub ffn: Ffn,
}

/// The layers of a model, each distinct kind stored once.
///
/// `order[l]` is the index into `kinds` of layer `l`. Kinds stand in the order
/// of their first layer and no two are equal, so equal stacks compare equal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stack {
    kinds: Vec<Layer>,
    order: Vec<usize>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    loops: Vec<Loop>,
}

/// Layers that run in order, and then again, with the same weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loop {
    /// The first layer.
    pub start: usize,
    /// The layer behind the last.
    pub end: usize,
    /// How often they run in all.
    pub times: usize,
}

impl Stack {
    /// A stack of `count` equal layers.
    pub fn repeat(layer: Layer, count: usize) -> Self {
        let kinds = if count == 0 { vec![] } else { vec![layer] };
        Self { kinds, order: vec![0; count], loops: Vec::new() }
    }

    /// A stack from its layers in order, equal layers merged into one kind.
    pub fn from_layers<'a>(layers: impl IntoIterator<Item = &'a Layer>) -> Self {
        let mut stack = Self { kinds: Vec::new(), order: Vec::new(), loops: Vec::new() };
        for layer in layers {
            let kind = stack.kinds.iter().position(|k| k == layer).unwrap_or_else(|| {
                stack.kinds.push(layer.clone());
                stack.kinds.len() - 1
            });
            stack.order.push(kind);
        }
        stack
    }

    /// A stack from runs of equal layers, in order.
    pub fn from_runs(runs: impl IntoIterator<Item = (Layer, usize)>) -> Self {
        let runs: Vec<_> = runs.into_iter().collect();
        Self::from_layers(runs.iter().flat_map(|(layer, count)| std::iter::repeat_n(layer, *count)))
    }

    /// The same with some of its layers run again, by their order. A loop of one pass is none.
    pub fn with_loops(mut self, loops: impl IntoIterator<Item = Loop>) -> Self {
        self.loops = loops.into_iter().filter(|one| one.times != 1).collect();
        self.loops.sort_by_key(|one| one.start);
        self
    }

    /// The layers that run more than once, in order.
    pub fn loops(&self) -> &[Loop] {
        &self.loops
    }

    /// How often a layer runs.
    pub fn times(&self, layer: usize) -> usize {
        let holds = |one: &&Loop| (one.start..one.end).contains(&layer);
        self.loops.iter().find(holds).map_or(1, |one| one.times)
    }

    /// The layers in the order they run: one of a loop as often as it runs.
    pub fn passes(&self) -> Vec<usize> {
        let mut passes = Vec::with_capacity(self.len());
        let mut layer = 0;
        while layer < self.len() {
            match self.loops.iter().find(|one| one.start == layer && one.end > layer) {
                Some(one) => {
                    let layers = layer..one.end.min(self.len());
                    (0..one.times).for_each(|_| passes.extend(layers.clone()));
                    layer = layers.end;
                }
                None => {
                    passes.push(layer);
                    layer += 1;
                }
            }
        }
        passes
    }

    /// How many layers there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are no layers at all.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The distinct kinds of layer, in order of first use.
    pub fn kinds(&self) -> &[Layer] {
        &self.kinds
    }

    /// The kind of each layer, an index into [`kinds`](Self::kinds).
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// The layers in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Layer> + Clone {
        self.order.iter().map(|&kind| &self.kinds[kind])
    }

    /// Each kind with the number of layers of that kind.
    pub fn counted(&self) -> impl Iterator<Item = (&Layer, usize)> {
        let mut counts = vec![0; self.kinds.len()];
        for &kind in &self.order {
            counts[kind] += 1;
        }
        self.kinds.iter().zip(counts)
    }

    /// Whether every index of the order names a kind, and loops hold layers, none of them two, as of a deserialized
    /// stack might not be.
    pub fn is_consistent(&self) -> bool {
        let mut behind = 0;
        let is_loop = |one: &Loop| {
            let follows = behind <= one.start && one.start < one.end && one.end <= self.len();
            behind = one.end;
            follows
        };
        self.order.iter().all(|&kind| kind < self.kinds.len()) && self.loops.iter().all(is_loop)
    }
}
