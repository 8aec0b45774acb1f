//! The language model: embedding, layers, head.

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, activation};

use crate::{
    attention::Attention,
    cache::Cache,
    ffn::{Ffn, Load},
    norm::RmsNorm,
    parameters::Binding,
    positions::Positions,
};

/// A decoder-only language model.
#[derive(Module, Debug)]
pub struct LanguageModel {
    /// `[V, D]`.
    pub embedding: Param<Tensor<2>>,
    /// The layers, in order.
    pub layers: Vec<Layer>,
    /// Before the head.
    pub norm: RmsNorm,
    /// `[V, D]`; the embedding serves when there is none.
    pub head: Option<Param<Tensor<2>>>,
    #[module(skip)]
    bindings: Arc<Vec<Binding>>,
}

/// Attention, then experts or an MLP.
#[derive(Module, Debug)]
pub struct Layer {
    /// `h + Attention(Norm(h))`.
    pub attention: Attention,
    /// The sublayer after it, with its own wiring.
    pub ffn: Ffn,
}

/// The result of a forward pass.
#[derive(Debug, Clone)]
pub struct Forward {
    /// `[B, T, V]`.
    pub logits: Tensor<3>,
    /// The weighted balance losses of all layers and iterations, `[1]`; `None` if the model has none.
    pub aux_loss: Option<Tensor<1>>,
    /// How often each expert was selected, per layer and routing.
    pub loads: Vec<Load>,
}

impl LanguageModel {
    pub(crate) fn from_parts(
        embedding: Param<Tensor<2>>,
        layers: Vec<Layer>,
        norm: RmsNorm,
        head: Option<Param<Tensor<2>>>,
        bindings: Vec<Binding>,
    ) -> Self {
        Self { embedding, layers, norm, head, bindings: Arc::new(bindings) }
    }

    /// How the module's parameters are named when saved, in walk order.
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// The same model with its first `count` layers only.
    pub(crate) fn with_layers(mut self, count: usize) -> Self {
        self.layers.truncate(count);
        self
    }

    /// The device the model is on.
    pub fn device(&self) -> Device {
        self.embedding.val().device()
    }

    /// Logits and losses for `tokens` `[B, T]`.
    pub fn forward(&self, tokens: Tensor<2, Int>) -> Forward {
        self.run(tokens, None)
    }

    /// An empty generation cache.
    pub fn cache(&self) -> Cache {
        Cache::new(self.layers.len())
    }

    /// Logits `[B, T, V]` for `tokens` `[B, T]` that follow those in `cache`.
    pub fn extend(&self, tokens: Tensor<2, Int>, cache: &mut Cache) -> Tensor<3> {
        self.run(tokens, Some(cache)).logits
    }

    fn run(&self, tokens: Tensor<2, Int>, mut cache: Option<&mut Cache>) -> Forward {
        let [b, t] = tokens.dims();
        let embedding = self.embedding.val();
        let [_, d] = embedding.dims();
        let start = cache.as_ref().map_or(0, |cache| cache.seen);
        let mut positions = Positions::new(start, t, &embedding.device(), embedding.dtype());

        let mut h = embedding.clone().select(0, tokens.reshape([b * t])).reshape([b, t, d]);
        let mut aux_loss: Option<Tensor<1>> = None;
        let mut loads = Vec::new();
        for (l, layer) in self.layers.iter().enumerate() {
            h = layer.attention.forward(h, &mut positions, cache.as_mut().map(|c| &mut c.layers[l]));
            h = match &layer.ffn {
                Ffn::Dense(dense) => dense.forward(h),
                Ffn::Chain(chain) => {
                    let (h, observed) = chain.forward(h);
                    aux_loss = match (aux_loss, observed.aux_loss) {
                        (Some(sum), Some(loss)) => Some(sum + loss),
                        (sum, loss) => sum.or(loss),
                    };
                    let counts = observed.counts.into_iter().enumerate();
                    loads.extend(counts.map(|(iteration, counts)| Load { layer: l, iteration, counts }));
                    h
                }
            };
        }
        if let Some(cache) = cache {
            cache.seen += t;
        }
        let head = self.head.as_ref().map_or(embedding, Param::val); // [V, D]
        let [v, _] = head.dims();
        let logits = self.norm.forward(h).reshape([b * t, d]).matmul(head.transpose());
        Forward { logits: logits.reshape([b, t, v]), aux_loss, loads }
    }
}

/// Mean cross-entropy in nats of `logits` `[B, T, V]` against `targets` `[B, T]`, `[1]`.
pub fn cross_entropy(logits: Tensor<3>, targets: Tensor<2, Int>) -> Tensor<1> {
    let [b, t, v] = logits.dims();
    let log_probs = activation::log_softmax(logits.reshape([b * t, v]), 1);
    let picked = log_probs.gather(1, targets.reshape([b * t, 1])); // [N, 1]
    // Rows first, then their mean: a fixed order of summation.
    -picked.reshape([b, t]).mean_dim(1).mean_dim(0).reshape([1])
}
