//! What is alive for the backward pass, in bytes, at its peak.

use crate::{Kept, LOGIT_ROWS, Layer, Model, Precision, Recompute, Sublayer};

/// Bytes of f32, which everything is that is no factor of a product: weights, their gradients and the residual
/// stream in either precision.
pub(crate) const F32: u128 = 4;

/// The moments of a backward pass at which most is alive.
pub(crate) struct Peak<'a> {
    pub model: &'a Model,
    /// Tokens per sequence.
    pub context: usize,
    /// Tokens that are computed at once.
    pub tokens: u128,
    pub recompute: Recompute,
    pub precision: Precision,
}

impl Peak<'_> {
    /// The most bytes alive at once: everything kept, and beside it either a block of logits and what
    /// goes into the head, or what the backward pass through a layer takes once the head's are gone. What lies
    /// above a layer is gone by then too.
    pub fn bytes(&self) -> u128 {
        let layers = &self.model.layers;
        let kinds: Vec<_> =
            layers.kinds().iter().map(|layer| (self.kept(layer), self.backward(layer))).collect();
        let of_layers = layers.passes().into_iter().map(|layer| kinds[layers.order()[layer]]);
        let (kept, peak) = of_layers.fold((0, 0), |(sum, peak): (u128, u128), (kept, backward)| {
            (sum + kept, peak.max(sum + kept + backward))
        });
        (self.tokens * peak).max(self.tokens * kept + self.head())
    }

    /// Bytes outside the layers while the loss is taken: the final norm's output as a factor, the final stream,
    /// the gradient of that output, and a block of logits.
    fn head(&self) -> u128 {
        let logits = self.tokens.min(LOGIT_ROWS as u128) * self.model.vocab as u128;
        let stream = self.tokens * self.model.dim as u128;
        self.bytes_of(Kept { factors: stream, others: 2 * stream + logits })
    }

    /// Bytes per token that a layer keeps from its forward pass on.
    fn kept(&self, layer: &Layer) -> u128 {
        let [attention, ffn] = self.sublayers(layer);
        let segment = F32 * (self.model.dim as u128 + layer.ffn.as_coe().map_or(0, |coe| coe.selections()));
        match self.recompute {
            Recompute::Layers => segment,
            Recompute::Experts if self.recompute.repeats(&layer.ffn) => self.kept_by(attention) + segment,
            Recompute::Experts | Recompute::None => self.kept_by(attention) + self.kept_by(ffn),
        }
    }

    /// Bytes per token alive during the backward pass through a layer, beyond what it kept. What comes and goes
    /// is f32: results of products, before they are factors of others.
    fn backward(&self, layer: &Layer) -> u128 {
        let [attention, ffn] = self.sublayers(layer);
        let transient = |sublayer: &dyn Sublayer| F32 * sublayer.transient(self.model.dim, self.context);
        // A segment's input is kept already.
        let input = F32 * self.model.dim as u128;
        match self.recompute {
            Recompute::Layers => {
                (self.kept_by(ffn) + transient(ffn)).max(transient(attention)) + self.kept_by(attention)
                    - input
            }
            Recompute::Experts if self.recompute.repeats(&layer.ffn) => {
                (self.kept_by(ffn) + transient(ffn) - input).max(transient(attention))
            }
            Recompute::Experts | Recompute::None => transient(attention).max(transient(ffn)),
        }
    }

    fn sublayers<'b>(&self, layer: &'b Layer) -> [&'b dyn Sublayer; 2] {
        [layer.attention.sublayer(), layer.ffn.sublayer()]
    }

    /// Bytes per token that a sublayer keeps, or would.
    fn kept_by(&self, sublayer: &dyn Sublayer) -> u128 {
        self.bytes_of(sublayer.kept(self.model.dim, self.context))
    }

    fn bytes_of(&self, kept: Kept) -> u128 {
        self.precision.bytes() * kept.factors + F32 * kept.others
    }
}
