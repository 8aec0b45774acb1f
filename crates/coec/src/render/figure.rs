//! Figures as people and programs read them.

use coec_ir::{
    Figure, Recompute, Shard,
    cost::{Cost, Setting},
};
use coec_lang::Spec;
use num_bigint::BigUint;
use serde::Serialize;

use super::number;

/// The convention every report states next to its numbers.
pub const CONVENTION: &str = "2 FLOPs a multiply-add, matrix products only, per token; \
     k, M, G, T decimal, Ki, Mi, Gi binary";

/// Which of the two figures of active parameters is which, said below tables that have both.
pub const ACTIVE: &str =
    "params.active counts the embedding and the head whole, params.active_non_embedding leaves them out";

/// A figure in JSON: an exact integer, or a string where integers may be of any size.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum FigureValue {
    Integer(u128),
    Text(String),
}

impl FigureValue {
    pub fn new(figure: Figure, value: BigUint) -> Self {
        match (figure, u128::try_from(&value)) {
            (Figure::ExpertsPaths, _) | (_, Err(_)) => Self::Text(value.to_string()),
            (_, Ok(value)) => Self::Integer(value),
        }
    }
}

/// Every static figure by name, in the order of the language reference.
pub struct Figures<'a>(pub &'a Cost);

impl Serialize for Figures<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let known = self.0.figures().map(|(figure, value)| (figure.name(), FigureValue::new(figure, value)));
        serializer.collect_map(known)
    }
}

/// The setting a model's figures are shown in when nobody says otherwise.
pub fn default_setting(spec: &Spec) -> Setting {
    Setting::of(&spec.model, &Default::default())
}

/// What figures are for: `16 x 128 tokens, f32`, and what is computed again where something is.
pub fn setting(setting: Setting) -> String {
    let Setting { context, batch, precision, recompute, ranks, shard } = setting;
    let again = match recompute {
        Recompute::None => String::new(),
        _ => format!(", recompute={}", recompute.word()),
    };
    let ranks = match (ranks, shard) {
        (1, _) => String::new(),
        (_, Shard::None) => format!(", on each of {ranks} ranks"),
        (_, Shard::Full) => format!(", on each of {ranks} ranks, shard=full"),
    };
    format!("{batch} x {context} tokens, {}{again}{ranks}", precision.word())
}

/// Digits beyond which a count of paths is given by its size.
const LONG: usize = 15;

/// A figure in a table.
pub fn cell(figure: Figure, digits: &str) -> String {
    match figure {
        Figure::ExpertsPaths if digits.len() > LONG => coec_ir::first_digits(digits, 4),
        Figure::ExpertsPaths | Figure::ExpertsCalls => number::grouped(digits),
        _ if figure.unit() == coec_ir::Unit::Bytes => {
            number::short(digits.parse().unwrap_or(f64::NAN), figure.unit())
        }
        _ => number::grouped(digits),
    }
}
