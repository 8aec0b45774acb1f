//! The language model: embedding, layers, head.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor};
use coec_ir::{Param, Recompute};

use crate::{
    Binding, Bindings, Cache, Embedding, Forward, Head, Load, LoadError, Pass,
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
    #[module(skip)]
    bindings: Bindings,
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
        bindings: Bindings,
    ) -> Self {
        Self { embedding, layers, head, bindings }
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
        self.embedding.weight.val().device()
    }

    /// Logits and losses for `tokens` `[B, T]`.
    pub fn forward(&self, tokens: Tensor<2, Int>) -> Forward {
        self.run(tokens, None, Recompute::None)
    }

    /// The same to learn from, where the backward pass computes again what `recompute` says: it takes less
    /// memory and more time, and comes to the same.
    pub fn forward_recomputing(&self, tokens: Tensor<2, Int>, recompute: Recompute) -> Forward {
        self.run(tokens, None, recompute)
    }

    /// An empty generation cache.
    pub fn cache(&self) -> Cache {
        Cache::new(self.layers.len())
    }

    /// Logits `[B, T, V]` for `tokens` `[B, T]` that follow those in `cache`.
    pub fn extend(&self, tokens: Tensor<2, Int>, cache: &mut Cache) -> Tensor<3> {
        self.run(tokens, Some(cache), Recompute::None).logits.tensor()
    }

    fn run(&self, tokens: Tensor<2, Int>, cache: Option<&mut Cache>, recompute: Recompute) -> Forward {
        let mut pass = Pass::new(&tokens, &self.embedding, cache);
        let mut h = self.embedding.forward(tokens); // [B, T, D]
        for layer in &self.layers {
            h = layer.forward_recomputing(h, &mut pass, recompute);
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
    pub fn update_biases(mut self, loads: &[Load]) -> Self {
        for layer in &mut self.layers {
            if let Ffn::Chain(chain) = &mut layer.ffn {
                chain.update_biases(loads);
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
