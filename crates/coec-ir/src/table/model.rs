//! `model NAME { ... }`, and the blocks that hold for all of it.

use super::tabled::tabled;
use super::value::Held;
use super::{Block, Default, Field, Kind, Table, Tabled, Value};
use crate::{Attention, Ffn, Loop, Model, Rms, Stack, Tokens, bounds};

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
    Field::new(LOOP, Kind::Count(bounds::LOOP), Default::Nothing),
]);

/// The field of the attention sublayers, which may differ between layers.
pub const ATTENTION: &str = "attention";
/// The field of the feed-forward sublayers, which may differ between layers.
pub const FFN: &str = "ffn";

/// The passes of layers that run again, which stand in square brackets.
pub const LOOP: &str = "loop";

/// The fields of a model that hold for all of it; those of its layers are empty.
pub fn head(model: &Model) -> Block {
    let Model { vocab, context, dim, norm, embedding, layers, .. } = model;
    let whole = [vocab.value(), context.value(), dim.value(), layers.len().value()];
    let values = whole.into_iter().chain([norm.value(), embedding.value(), None, None, None]).collect();
    Block { table: &MODEL, values }
}

/// The loops of a stack as a spec writes them: `loop[1..3]`, and how often its layers run.
pub fn loops(layers: &Stack) -> Vec<(String, Value)> {
    let written = |one: &Loop| {
        let index = match one.end - one.start {
            1 => one.start.to_string(),
            _ => format!("{}..{}", one.start, one.end),
        };
        (format!("{LOOP}[{index}]"), Value::Count(one.times))
    };
    layers.loops().iter().map(written).collect()
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
