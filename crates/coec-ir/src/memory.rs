//! What is alive for the backward pass, in elements per token, at its peak.

use crate::{Layer, Model, Recompute, Sublayer};

/// The moments of a backward pass at which most is alive.
pub(crate) struct Peak<'a> {
    pub model: &'a Model,
    /// Tokens per sequence.
    pub context: usize,
    pub recompute: Recompute,
}

impl Peak<'_> {
    /// The most elements alive at once: everything kept, and beside it either the head's gradients, or
    /// what the backward pass through a layer takes once the head's are gone. What lies above a layer is gone
    /// by then too.
    pub fn elements(&self) -> u128 {
        let layers = &self.model.layers;
        let kinds: Vec<_> =
            layers.kinds().iter().map(|layer| (self.kept(layer), self.backward(layer))).collect();
        let of_layers = layers.order().iter().map(|&kind| kinds[kind]);
        let (kept, peak) = of_layers.fold((0, 0), |(sum, peak): (u128, u128), (kept, backward)| {
            (sum + kept, peak.max(sum + kept + backward))
        });
        peak.max(kept + outside(self.model) + 2 * self.model.vocab as u128)
    }

    /// Elements that a layer keeps from its forward pass on.
    fn kept(&self, layer: &Layer) -> u128 {
        let [attention, ffn] = self.sublayers(layer);
        let segment = self.model.dim as u128 + layer.ffn.as_coe().map_or(0, |coe| coe.selections());
        match self.recompute {
            Recompute::Layers => segment,
            Recompute::Experts if self.recompute.repeats(&layer.ffn) => self.of(attention) + segment,
            Recompute::Experts | Recompute::None => self.of(attention) + self.of(ffn),
        }
    }

    /// Elements alive during the backward pass through a layer, beyond what it kept.
    fn backward(&self, layer: &Layer) -> u128 {
        let [attention, ffn] = self.sublayers(layer);
        let transient = |sublayer: &dyn Sublayer| sublayer.transient(self.model.dim, self.context);
        // A segment's input is kept already.
        let input = self.model.dim as u128;
        match self.recompute {
            Recompute::Layers => {
                (self.of(ffn) + transient(ffn)).max(transient(attention)) + self.of(attention) - input
            }
            Recompute::Experts if self.recompute.repeats(&layer.ffn) => {
                (self.of(ffn) + transient(ffn) - input).max(transient(attention))
            }
            Recompute::Experts | Recompute::None => transient(attention).max(transient(ffn)),
        }
    }

    fn sublayers<'b>(&self, layer: &'b Layer) -> [&'b dyn Sublayer; 2] {
        [layer.attention.sublayer(), layer.ffn.sublayer()]
    }

    /// Elements that a sublayer keeps, or would.
    fn of(&self, sublayer: &dyn Sublayer) -> u128 {
        sublayer.kept(self.model.dim, self.context)
    }
}

/// Elements kept outside the layers: the final stream, its norm, the log-probabilities.
fn outside(model: &Model) -> u128 {
    2 * model.dim as u128 + model.vocab as u128
}
