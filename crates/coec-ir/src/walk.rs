//! The one walk over a model.
//!
//! [`walk`] alone decides the order of layers and, by the [`Site`] it hands over with
//! each block, the names of parameters. Everything that turns a model into something else is
//! a [`Sink`].

use crate::{Attention, Coe, Dense, Ffn, Mha, Mla, Model, Site, Verified};

/// What a model is lowered into. No method has a default: a new block breaks
/// every sink at compile time until it says what it does with it.
pub trait Sink {
    /// Why a sink gives up.
    type Error;

    /// The token embedding `[V, D]`.
    fn embedding(&mut self, model: &Model, name: &str) -> Result<(), Self::Error>;
    /// Multi-head attention with the norm and the residual around it.
    fn mha(&mut self, model: &Model, site: &Site, block: &Mha) -> Result<(), Self::Error>;
    /// Latent attention with the norm and the residual around it.
    fn mla(&mut self, model: &Model, site: &Site, block: &Mla) -> Result<(), Self::Error>;
    /// A chain of experts with its own norms and wiring.
    fn coe(&mut self, model: &Model, site: &Site, block: &Coe) -> Result<(), Self::Error>;
    /// A dense MLP with the norm and the residual around it.
    fn dense(&mut self, model: &Model, site: &Site, block: &Dense) -> Result<(), Self::Error>;
    /// The final norm and the output head; `head` is `None` when the embedding serves as one.
    fn head(&mut self, model: &Model, norm: &str, head: Option<&str>) -> Result<(), Self::Error>;
}

/// Hands the blocks of `model` to `sink` in the order data flows through them.
pub fn walk<S: Sink>(model: &Verified<Model>, sink: &mut S) -> Result<(), S::Error> {
    sink.embedding(model, Site::EMBEDDING)?;
    for (l, layer) in model.layers.iter().enumerate() {
        let attention = Site::attention(l);
        match &layer.attention {
            Attention::Mha(block) => sink.mha(model, &attention, block)?,
            Attention::Mla(block) => sink.mla(model, &attention, block)?,
        }
        let ffn = Site::ffn(l);
        match &layer.ffn {
            Ffn::Coe(block) => sink.coe(model, &ffn, block)?,
            Ffn::Dense(block) => sink.dense(model, &ffn, block)?,
        }
    }
    sink.head(model, Site::FINAL_NORM, (!model.embedding.tied).then_some(Site::HEAD))
}
