//! `model NAME { ... }`, and the blocks that hold for all of it.

use super::tabled::tabled;
use super::value::Held;
use super::{Block, Default, Field, Kind, Table, Tabled};
use crate::{Attention, Ffn, Model, Rms, Stack, Tokens, bounds};

/// `model NAME { ... }`.
pub static MODEL: Table = Table::new("model").example("ffn = coe(iter=2, k=4, experts=64)").fields(&[
    Field::new("vocab", Kind::Count(bounds::VOCAB), Default::Count(102_400)),
    Field::new("context", Kind::Count(bounds::CONTEXT), Default::Count(512)),
    Field::new("dim", Kind::Count(bounds::DIM), Default::Count(1024)),
    Field::new("layers", Kind::Count(bounds::LAYERS), Default::Count(4)),
    Field::new("norm", Kind::Block(Rms::TABLES), Default::Word("rms")),
    Field::new("embedding", Kind::Block(Tokens::TABLES), Default::Word("tokens")),
    Field::new(ATTENTION, Kind::Block(Attention::TABLES), Default::Word("mla")),
    Field::new(FFN, Kind::Block(Ffn::TABLES), Default::Required),
]);

/// The field of the attention sublayers, which may differ between layers.
pub const ATTENTION: &str = "attention";
/// The field of the feed-forward sublayers, which may differ between layers.
pub const FFN: &str = "ffn";

/// The fields of a model that hold for all of it; those of its layers are empty.
pub fn head(model: &Model) -> Block {
    let Model { vocab, context, dim, norm, embedding, layers, .. } = model;
    let whole = [vocab.value(), context.value(), dim.value(), layers.len().value()];
    let values = whole.into_iter().chain([norm.value(), embedding.value(), None, None]).collect();
    Block { table: &MODEL, values }
}

/// The model with this [`head`] and these layers; `None` if the head lacks a value.
pub fn with_layers(head: &Block, name: String, doc: String, layers: Stack) -> Option<Model> {
    let (vocab, context, dim) = (head.get("vocab")?, head.get("context")?, head.get("dim")?);
    let (norm, embedding) = (head.get("norm")?, head.get("embedding")?);
    Some(Model { name, doc, vocab, context, dim, norm, embedding, layers })
}

tabled! { Rms, Table::new("rms").positional(1), {
    eps: Kind::Real(bounds::EPS) => Default::Real(1e-6),
} }

tabled! { Tokens, Table::new("tokens"), {
    tied: Kind::Flag => Default::Flag(false),
    multiplier: Kind::Real(bounds::COEFFICIENT) => Default::Real(1.0),
    logits_scaling: Kind::Real(bounds::POSITIVE) => Default::Real(1.0),
} }
