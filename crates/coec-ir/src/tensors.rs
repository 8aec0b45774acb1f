//! The tensors of a model by name: what checkpoints hold.

use crate::{Attention, Ffn, Init, Model, Param, Sink, Site, Sublayer, Verified, params::linear, walk};

/// Every tensor of a model in walk order, as checkpoints hold them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tensors {
    /// Trained parameters.
    pub trained: Vec<Param>,
    /// Saved with the model but not trained by gradient: selection biases.
    pub state: Vec<Param>,
}

impl Tensors {
    /// The tensors of `model`.
    pub fn of(model: &Verified<Model>) -> Self {
        let mut tensors = Self::default();
        match walk(model, &mut tensors) {
            Ok(()) => tensors,
            Err(never) => match never {},
        }
    }

    fn push<S: Sublayer + ?Sized>(&mut self, model: &Model, site: &Site, sublayer: &S) {
        self.trained.extend(sublayer.params(model.dim, &site.norm, &site.prefix));
        self.state.extend(sublayer.state(&site.prefix));
    }
}

impl Sink for Tensors {
    type Error = std::convert::Infallible;

    fn embedding(&mut self, model: &Model, name: &str) -> Result<(), Self::Error> {
        self.trained.push(linear(name.into(), model.vocab, model.dim));
        Ok(())
    }

    fn attention(&mut self, model: &Model, site: &Site, block: &Attention) -> Result<(), Self::Error> {
        self.push(model, site, block.sublayer());
        Ok(())
    }

    fn ffn(&mut self, model: &Model, site: &Site, block: &Ffn) -> Result<(), Self::Error> {
        self.push(model, site, block.sublayer());
        Ok(())
    }

    fn head(&mut self, model: &Model, norm: &str, head: Option<&str>) -> Result<(), Self::Error> {
        self.trained.push(Param::new(norm, [model.dim], Init::Ones));
        if let Some(head) = head {
            self.trained.push(linear(head.into(), model.vocab, model.dim));
        }
        Ok(())
    }
}
