//! What is added to the results of the two products of an expert, or of an MLP.

use burn::backend::{
    Backend, Dispatch, ExtensionType, TensorMetadata,
    autodiff::{Autodiff, checkpoint::strategy::CheckpointStrategy, ops::NodeGuard},
    tensor::FloatTensor,
};
use burn::tensor::{DType, Tensor};

use crate::bridge::Bridge;

/// The biases of experts or, with a dimension less, of an MLP.
#[derive(Debug, Clone)]
pub struct Biases<const D: usize> {
    /// Added to the first product, before the activation: `[E, G*F]`, or `[G*F]`.
    pub b_in: Tensor<D>,
    /// Added to the second product, before a gate weighs it: `[E, D]`, or `[D]`.
    pub b_out: Tensor<D>,
}

impl<const D: usize> Biases<D> {
    /// `f` of both.
    pub(crate) fn map<const R: usize>(self, f: impl Fn(Tensor<D>) -> Tensor<R>) -> Biases<R> {
        Biases { b_in: f(self.b_in), b_out: f(self.b_out) }
    }
}

/// The same on one backend, where there are some.
#[derive(Debug, Clone, ExtensionType)]
pub enum Added<B: Backend> {
    /// No biases.
    Nothing,
    /// Biases of both products.
    Biases {
        /// `[E, G*F]`, or `[G*F]`.
        b_in: FloatTensor<B>,
        /// `[E, D]`, or `[D]`.
        b_out: FloatTensor<B>,
    },
}

impl Added<Dispatch> {
    /// Of shapes that were asked for.
    pub(crate) fn new<const D: usize>(biases: Option<Biases<D>>) -> Self {
        match biases {
            None => Self::Nothing,
            Some(Biases { b_in, b_out }) => {
                Self::Biases { b_in: b_in.into_dispatch(), b_out: b_out.into_dispatch() }
            }
        }
    }
}

impl<B: Backend> Added<B> {
    /// `b_in` and `b_out`.
    pub(crate) fn pair(&self) -> Option<[&FloatTensor<B>; 2]> {
        match self {
            Self::Nothing => None,
            Self::Biases { b_in, b_out } => Some([b_in, b_out]),
        }
    }

    /// Their element types, by name.
    pub(crate) fn dtypes(&self) -> impl Iterator<Item = (&'static str, DType)> {
        let of = |[b_in, b_out]: [&FloatTensor<B>; 2]| [("b_in", b_in.dtype()), ("b_out", b_out.dtype())];
        self.pair().map(of).into_iter().flatten()
    }
}

impl<B: Bridge> Added<B> {
    /// As tensors.
    pub(crate) fn tensors<const D: usize>(self) -> Option<Biases<D>> {
        match self {
            Self::Nothing => None,
            Self::Biases { b_in, b_out } => Some(Biases { b_in: B::tensor(b_in), b_out: B::tensor(b_out) }),
        }
    }

    /// Of tensors.
    pub(crate) fn of<const D: usize>(biases: Option<Biases<D>>) -> Self {
        match biases {
            None => Self::Nothing,
            Some(Biases { b_in, b_out }) => {
                Self::Biases { b_in: B::primitive(b_in), b_out: B::primitive(b_out) }
            }
        }
    }
}

impl<B: Backend, C: CheckpointStrategy> Added<Autodiff<B, C>> {
    /// Their places on the tape, and what stands there.
    pub(crate) fn untaped(self) -> (Option<[NodeGuard; 2]>, Added<B>) {
        match self {
            Self::Nothing => (None, Added::Nothing),
            Self::Biases { b_in, b_out } => {
                let nodes = [b_in.node(), b_out.node()];
                (Some(nodes), Added::Biases { b_in: b_in.into_primitive(), b_out: b_out.into_primitive() })
            }
        }
    }
}
