//! Named tensors: the one place where parameter names, shapes and initial values meet.

use crate::{Act, Coe, Dense, Mha, Mla, Model, Sink, Site, Verified, walk};

/// A named tensor of a model, laid out as PyTorch stores it: a linear map is `[out, in]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// Its name, in Hugging Face's style.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// How training starts it.
    pub init: Init,
}

/// The initial values of a tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// N(0, std^2).
    Normal {
        /// Standard deviation.
        std: f64,
    },
    /// Uniform in `[-bound, bound]`.
    Uniform {
        /// Half the width of the interval.
        bound: f64,
    },
    /// All ones: norm weights.
    Ones,
    /// All zeros: biases.
    Zeros,
}

impl Init {
    /// Linear maps and embeddings: N(0, 0.02^2).
    pub const LINEAR: Self = Self::Normal { std: 0.02 };

    /// Kaiming-uniform with `a = sqrt(5)`: the bound `sqrt(6 / ((1 + a^2) fan_in))` is `1/sqrt(fan_in)`.
    pub fn router(fan_in: usize) -> Self {
        Self::Uniform { bound: 1.0 / (fan_in as f64).sqrt() }
    }
}

impl Param {
    /// A named tensor.
    pub fn new(name: impl Into<String>, shape: impl Into<Vec<usize>>, init: Init) -> Self {
        Self { name: name.into(), shape: shape.into(), init }
    }

    /// Its number of elements.
    pub fn elements(&self) -> u128 {
        self.shape.iter().map(|&n| n as u128).product()
    }
}

/// A linear map's weight, `[out, in]`.
pub(crate) fn linear(name: String, out: usize, input: usize) -> Param {
    Param::new(name, [out, input], Init::LINEAR)
}

/// A router's weight, `[E, D]`.
pub(crate) fn router(name: String, experts: usize, dim: usize) -> Param {
    Param::new(name, [experts, dim], Init::router(dim))
}

/// The projections of a gated or plain MLP.
pub(crate) fn mlp(prefix: &str, act: Act, dim: usize, hidden: usize) -> impl Iterator<Item = Param> {
    let gate = act.is_gated().then(|| linear(format!("{prefix}.gate_proj.weight"), hidden, dim));
    let up = linear(format!("{prefix}.up_proj.weight"), hidden, dim);
    let down = linear(format!("{prefix}.down_proj.weight"), dim, hidden);
    gate.into_iter().chain([up, down])
}

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
}

impl Sink for Tensors {
    type Error = std::convert::Infallible;

    fn embedding(&mut self, model: &Model, name: &str) -> Result<(), Self::Error> {
        self.trained.push(linear(name.into(), model.vocab, model.dim));
        Ok(())
    }

    fn mha(&mut self, model: &Model, site: &Site, block: &Mha) -> Result<(), Self::Error> {
        self.trained.extend(block.params(model.dim, &site.norm, &site.prefix));
        Ok(())
    }

    fn mla(&mut self, model: &Model, site: &Site, block: &Mla) -> Result<(), Self::Error> {
        self.trained.extend(block.params(model.dim, &site.norm, &site.prefix));
        Ok(())
    }

    fn coe(&mut self, model: &Model, site: &Site, block: &Coe) -> Result<(), Self::Error> {
        self.trained.extend(block.params(model.dim, &site.norm, &site.prefix));
        self.state.extend(block.state(&site.prefix));
        Ok(())
    }

    fn dense(&mut self, model: &Model, site: &Site, block: &Dense) -> Result<(), Self::Error> {
        self.trained.extend(block.params(model.dim, &site.norm, &site.prefix));
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
