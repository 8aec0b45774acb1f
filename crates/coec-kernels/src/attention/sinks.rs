//! A tensor that may be there or not, across the border to a backend.

use burn::backend::{Backend, ExtensionType, tensor::FloatTensor};

/// The sinks of an attention. What crosses to a backend may be an enum of this crate, and no `Option`.
#[derive(Debug, Clone, ExtensionType)]
pub enum Sinks<B: Backend> {
    /// What a query has a probability for is a key.
    None,
    /// `[H]`: the score of each head's sink.
    Each(FloatTensor<B>),
}

impl<B: Backend> Sinks<B> {
    /// Of the tensor, where there is one.
    pub(super) fn of(sinks: Option<FloatTensor<B>>) -> Self {
        sinks.map_or(Self::None, Self::Each)
    }

    /// A look at the tensor.
    pub(super) fn as_ref(&self) -> Option<&FloatTensor<B>> {
        match self {
            Self::None => None,
            Self::Each(sinks) => Some(sinks),
        }
    }

    /// The tensor.
    pub(super) fn each(self) -> Option<FloatTensor<B>> {
        match self {
            Self::None => None,
            Self::Each(sinks) => Some(sinks),
        }
    }
}
