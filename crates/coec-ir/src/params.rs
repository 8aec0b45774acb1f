//! Named tensors: their shapes and initial values.

use crate::Act;

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

/// The projections of an MLP, gated or plain, and behind them their biases.
pub(crate) fn mlp(prefix: &str, act: Act, [dim, hidden]: [usize; 2], bias: bool) -> Vec<Param> {
    let gate = act.is_gated().then_some(("gate_proj", [hidden, dim]));
    let all = || gate.into_iter().chain([("up_proj", [hidden, dim]), ("down_proj", [dim, hidden])]);
    let weights = all().map(|(name, [out, input])| linear(format!("{prefix}.{name}.weight"), out, input));
    let biases = all()
        .filter(|_| bias)
        .map(|(name, [out, _])| Param::new(format!("{prefix}.{name}.bias"), [out], Init::Zeros));
    weights.chain(biases).collect()
}
