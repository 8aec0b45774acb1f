//! The language model: embedding, layers, head.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor};
use coec_ir::{Param, Recompute, Train};
use coec_kernels::Precision;

use crate::{
    Binding, Bindings, Cache, Embedding, Forward, Head, LoadError, Pass, Selections,
    attention::Attention,
    ffn::{Chain, Ffn},
    recompute,
};

/// A decoder-only language model, of whatever blocks its spec names.
#[derive(Module, Debug)]
pub struct LanguageModel {
    /// From tokens to the residual stream.
    pub embedding: Embedding,
    /// The layers, in order.
    pub layers: Vec<Layer>,
    /// From the residual stream to logits.
    pub head: Head,
    /// The layers in the order they run, one of a loop as often as it runs.
    #[module(skip)]
    passes: Vec<usize>,
    #[module(skip)]
    bindings: Bindings,
}

/// How a pass computes. By default it keeps everything, in f32.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Manner {
    /// What the backward pass computes again: it takes less memory and more time, and comes to the same.
    pub recompute: Recompute,
    /// What products multiply in.
    pub precision: coec_ir::Precision,
}

impl Manner {
    /// Of training, and of whatever is counted for it.
    pub fn of(train: &Train) -> Self {
        Self { recompute: train.recompute, precision: train.precision }
    }
}

/// What the kernels call a precision: what becomes of the factors of products.
pub fn factors(precision: coec_ir::Precision) -> Precision {
    match precision {
        coec_ir::Precision::F32 => Precision::F32,
        coec_ir::Precision::Bf16 => Precision::Bf16,
    }
}

/// Attention, then experts or an MLP.
#[derive(Module, Debug)]
pub struct Layer {
    /// `h + Attention(Norm(h))`.
    pub attention: Attention,
    /// The sublayer after it, with its own wiring.
    pub ffn: Ffn,
}

impl LanguageModel {
    pub(crate) fn from_parts(
        embedding: Embedding,
        layers: Vec<Layer>,
        head: Head,
        passes: Vec<usize>,
        bindings: Bindings,
    ) -> Self {
        Self { embedding, layers, head, passes, bindings }
    }

    /// How the module's parameters are named when saved, in walk order.
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// The same model with its first `count` layers only.
    pub(crate) fn with_layers(mut self, count: usize) -> Self {
        self.layers.truncate(count);
        self.passes.retain(|&layer| layer < count);
        self
    }

    /// The layers in the order they run, one of a loop as often as it runs.
    pub fn passes(&self) -> &[usize] {
        &self.passes
    }

    /// The device the model is on.
    pub fn device(&self) -> Device {
        self.embedding.weight.val().device()
    }

    /// Logits and losses for `tokens` `[B, T]`, in f32.
    pub fn forward(&self, tokens: Tensor<2, Int>) -> Forward {
        self.forward_as(tokens, Manner::default())
    }

    /// The same in another manner.
    pub fn forward_as(&self, tokens: Tensor<2, Int>, manner: Manner) -> Forward {
        let pass = Pass::new(&tokens, &self.embedding, None).in_precision(factors(manner.precision));
        self.run(tokens, pass, manner.recompute)
    }

    /// An empty generation cache, of passes in f32.
    pub fn cache(&self) -> Cache {
        Cache::new(self.passes.len())
    }

    /// An empty generation cache of passes in `precision`.
    pub fn cache_in(&self, precision: coec_ir::Precision) -> Cache {
        self.cache().in_precision(factors(precision))
    }

    /// Logits `[B, T, V]` for `tokens` `[B, T]` that follow those in `cache`.
    pub fn extend(&self, tokens: Tensor<2, Int>, cache: &mut Cache) -> Tensor<3> {
        let pass = Pass::new(&tokens, &self.embedding, Some(cache));
        self.run(tokens, pass, Recompute::None).logits.tensor()
    }

    fn run(&self, tokens: Tensor<2, Int>, mut pass: Pass<'_>, recompute: Recompute) -> Forward {
        let mut h = self.embedding.forward(tokens); // [B, T, D]
        for &layer in &self.passes {
            h = self.layers[layer].forward_recomputing(h, &mut pass, recompute);
        }
        pass.finish(self.head.forward(h, &self.embedding))
    }

    /// Every named tensor with its values, trained or state, in walk order.
    pub fn tensors(&self) -> Vec<(Param, Vec<f32>)> {
        self.bindings.tensors(self)
    }

    /// Hands over every named tensor, trained or state, in walk order, copied from the device one at
    /// a time: a model need not be in memory twice to be saved.
    pub fn each_tensor<E>(&self, take: impl FnMut(&Param, &[f32]) -> Result<(), E>) -> Result<(), E> {
        self.bindings.each_tensor(self, take)
    }

    /// Every trained tensor with its gradient, zero where none flowed, in walk order.
    pub fn gradients(&self, grads: &GradientsParams) -> Vec<(Param, Vec<f32>)> {
        self.bindings.gradients(grads)
    }

    /// Replaces every tensor by what `source` gives for its name, trained or state.
    pub fn load(self, source: impl FnMut(&Param) -> Result<Vec<f32>, String>) -> Result<Self, LoadError> {
        self.bindings.clone().load(self, source)
    }

    /// Parameters of the module itself, as built: what the closed form is held against.
    pub fn parameter_count(&self) -> u128 {
        self.bindings.parameter_count(self)
    }

    /// After an optimizer step, moves every selection bias by the `loads` of the step's batch.
    pub fn update_biases(mut self, selections: &[Selections]) -> Self {
        for layer in &mut self.layers {
            if let Ffn::Chain(chain) = &mut layer.ffn {
                chain.update_biases(selections);
            }
        }
        self
    }
}

impl Layer {
    /// The stream after the layer, `[B, T, D]`.
    fn forward(&self, h: Tensor<3>, pass: &mut Pass<'_>) -> Tensor<3> {
        let h = self.attention.forward(h, pass);
        self.ffn.forward(h, pass)
    }

    /// The same, where the backward pass computes again what `what` says of the layer.
    fn forward_recomputing(&self, h: Tensor<3>, pass: &mut Pass<'_>, what: Recompute) -> Tensor<3> {
        match (what, &self.ffn) {
            (Recompute::Layers, _) => recompute(self, h, pass, Self::forward),
            (Recompute::Experts, Ffn::Chain(chain)) => {
                let h = self.attention.forward(h, pass);
                recompute(chain, h, pass, Chain::forward)
            }
            (Recompute::Experts, Ffn::Dense(_)) | (Recompute::None, _) => self.forward(h, pass),
        }
    }
}
