//! What generation keeps from the tokens already seen.

use burn::tensor::Tensor;
use coec_kernels::Precision;

/// One layer's cached tensors, along the token dimension: keys and values for
/// multi-head attention, the normed latent and the rotated key for latent attention.
#[derive(Debug, Clone, Default)]
pub(crate) struct LayerCache {
    entries: Option<(Tensor<4>, Tensor<4>)>,
}

/// The generation cache of a model.
#[derive(Debug, Clone)]
pub struct Cache {
    pub(crate) layers: Vec<LayerCache>,
    pub(crate) seen: usize,
    /// Of the factors in the passes that share it.
    pub(crate) precision: Precision,
}

impl Cache {
    /// An empty cache for a model whose layers run so many times in all, of passes in f32.
    pub fn new(layers: usize) -> Self {
        Self { layers: vec![LayerCache::default(); layers], seen: 0, precision: Precision::F32 }
    }

    /// The same of passes in another precision. What it holds is not rounded: it is when it is multiplied.
    pub fn in_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// Tokens seen so far.
    pub fn seen(&self) -> usize {
        self.seen
    }

    /// Elements held, over all layers.
    pub fn elements(&self) -> usize {
        let size = |(a, b): &(Tensor<4>, Tensor<4>)| a.shape().num_elements() + b.shape().num_elements();
        self.layers.iter().filter_map(|layer| layer.entries.as_ref()).map(size).sum()
    }
}

impl LayerCache {
    /// Appends two tensors along dimension 1 and returns everything kept so far. Of that, later tokens see the
    /// last `window` positions, if they do not see all: no more stay.
    pub fn append(&mut self, a: Tensor<4>, b: Tensor<4>, window: Option<usize>) -> (Tensor<4>, Tensor<4>) {
        let joined = match self.entries.take() {
            None => (a, b),
            Some((before_a, before_b)) => {
                (Tensor::cat(vec![before_a, a], 1), Tensor::cat(vec![before_b, b], 1))
            }
        };
        let last = |x: Tensor<4>| {
            let positions = x.dims()[1];
            let stay = positions.min(window.unwrap_or(positions));
            x.narrow(1, positions - stay, stay)
        };
        let (a, b) = joined.clone();
        self.entries = Some(if window.is_some() { (last(a), last(b)) } else { (a, b) });
        joined
    }
}
