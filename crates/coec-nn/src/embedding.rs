//! The two ends of a language model: from tokens to the residual stream, and from it to logits.

use burn::module::{Module, Param as Slot};
use burn::tensor::{Int, Tensor};
use coec_ir::{Init, Param, Tokens};
use coec_kernels::Precision;

use crate::{Maker, RmsNorm};

/// The token embedding.
#[derive(Module, Debug)]
pub struct Embedding {
    /// What it is.
    #[module(skip)]
    pub config: Tokens,
    /// `[V, D]`.
    pub weight: Slot<Tensor<2>>,
}

impl Embedding {
    /// A table of `vocab` rows, saved as `name`.
    pub fn new(make: &mut Maker, name: &str, vocab: usize, config: Tokens) -> Self {
        Self { config, weight: make.one(Param::new(name, [vocab, make.dim], Init::LINEAR)) }
    }

    /// The stream `[B, T, D]` of tokens `[B, T]`.
    pub fn forward(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        let [b, t] = tokens.dims();
        let rows = coec_kernels::embed(self.weight.val(), tokens.reshape([b * t])); // [N, D]
        let [_, d] = rows.dims();
        let rows = if self.config.multiplier == 1.0 { rows } else { rows * self.config.multiplier };
        rows.reshape([b, t, d])
    }
}

/// The final norm and the output head.
#[derive(Module, Debug)]
pub struct Head {
    /// Before the head.
    pub norm: RmsNorm,
    /// `[V, D]`; the embedding serves when there is none.
    pub weight: Option<Slot<Tensor<2>>>,
}

impl Head {
    /// A head with the norm saved as `norm`; with weights of its own when they have a `name`.
    pub fn new(make: &mut Maker, norm: &str, name: Option<&str>, vocab: usize) -> Self {
        let norm = RmsNorm::new(make, Param::new(norm, [make.dim], Init::Ones));
        let weight = name.map(|name| make.one(Param::new(name, [vocab, make.dim], Init::LINEAR)));
        Self { norm, weight }
    }

    /// Logits of the stream `[B, T, D]`, to be made in f32 unless their pass is in another precision.
    pub fn forward(&self, h: Tensor<3>, embedding: &Embedding) -> Logits {
        let [b, t, d] = h.dims();
        let weight = self.weight.as_ref().unwrap_or(&embedding.weight).val(); // [V, D]
        let x = self.norm.forward(h).reshape([b * t, d]);
        let scale = 1.0 / embedding.config.logits_scaling;
        Logits { x, weight, shape: [b, t], precision: Precision::F32, scale }
    }
}

/// The logits of every token: a product that is made when it is asked for. A loss never holds all of it.
#[derive(Debug, Clone)]
pub struct Logits {
    /// The normed stream, `[B*T, D]`.
    pub(crate) x: Tensor<2>,
    /// The head, `[V, D]`.
    pub(crate) weight: Tensor<2>,
    /// B and T.
    pub(crate) shape: [usize; 2],
    /// Of the product's factors.
    pub(crate) precision: Precision,
    /// What the product is multiplied with.
    pub(crate) scale: f64,
}

impl Logits {
    /// All of them, `[B, T, V]`.
    pub fn tensor(self) -> Tensor<3> {
        let ([b, t], [v, _]) = (self.shape, self.weight.dims());
        let logits = coec_kernels::linear(self.x, self.weight, self.precision).reshape([b, t, v]);
        if self.scale == 1.0 { logits } else { logits * self.scale }
    }
}
