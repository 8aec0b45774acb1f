//! The one walk over a model.
//!
//! [`walk`] alone decides the order of layers and, by the [`Site`] it hands over with
//! each block, the names of parameters. Everything that turns a model into something else is
//! a [`Sink`].

use crate::{Attention, Ffn, Model, Site, Verified};

/// What a model is lowered into. No method has a default, so that none is forgotten.
pub trait Sink {
    /// Why a sink gives up.
    type Error;

    /// The token embedding `[V, D]`.
    fn embedding(&mut self, model: &Model, name: &str) -> Result<(), Self::Error>;
    /// An attention sublayer with the norm and the residual around it.
    fn attention(&mut self, model: &Model, site: &Site, block: &Attention) -> Result<(), Self::Error>;
    /// The feed-forward sublayer of the same layer, with its own norms and wiring.
    fn ffn(&mut self, model: &Model, site: &Site, block: &Ffn) -> Result<(), Self::Error>;
    /// The final norm and the output head; `head` is `None` when the embedding serves as one.
    fn head(&mut self, model: &Model, norm: &str, head: Option<&str>) -> Result<(), Self::Error>;
}

/// Hands the blocks of `model` to `sink` in the order data flows through them.
pub fn walk<S: Sink>(model: &Verified<Model>, sink: &mut S) -> Result<(), S::Error> {
    sink.embedding(model, Site::EMBEDDING)?;
    for (l, layer) in model.layers.iter().enumerate() {
        sink.attention(model, &Site::attention(l), &layer.attention)?;
        sink.ffn(model, &Site::ffn(l), &layer.ffn)?;
    }
    sink.head(model, Site::FINAL_NORM, (!model.embedding.tied).then_some(Site::HEAD))
}
