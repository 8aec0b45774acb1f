//! What makes a model meaningful, and the proof that one is.
//!
//! The bounds of each number and the rules between fields stand in the [tables](crate::table) of the
//! blocks; here they are applied.

use std::ops::Deref;

use crate::check::Check;
use crate::table::{self, Block, Kind, Tabled, Value};
use crate::{
    Attention, Bounds, Ffn, Model, Place, Stack, Tokenizer, Train, Violation, ViolationKind, bounds,
};

/// A value that [`verify`] accepted. Nothing else makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// The value, no longer marked as verified.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

/// Checks `model`, returning it as verified or everything that is wrong with it.
pub fn verify(model: Model) -> Result<Verified<Model>, Vec<Violation>> {
    let mut found = verify_head(&table::head(&model));
    if !model.layers.is_consistent() {
        let kind = ViolationKind::InconsistentStack;
        found.push(Violation { place: Place::Model, path: "layers".into(), kind });
        return Err(found);
    }
    found.extend(verify_loops(&model.layers));
    for (kind, layer) in model.layers.kinds().iter().enumerate() {
        found.extend(verify_attention(&layer.attention, Place::Attention(kind)));
        found.extend(verify_ffn(&layer.ffn, Place::Ffn(kind)));
    }
    if found.is_empty() { Ok(Verified(model)) } else { Err(found) }
}

/// Everything wrong with the [fields of a model](table::head) that hold for all of it.
pub fn verify_head(head: &Block) -> Vec<Violation> {
    let mut check = Check::at(Place::Model);
    bounded(&mut check, "", head);
    check.found()
}

/// Everything wrong with the passes of the layers that run again: with what iterations these have, they are to be no
/// more than a chain may have.
pub fn verify_loops(layers: &Stack) -> Vec<Violation> {
    let mut check = Check::at(Place::Model);
    for one in layers.loops() {
        let of_layer =
            |layer: usize| layers.kinds()[layers.order()[layer]].ffn.as_coe().map_or(1, |coe| coe.iter);
        let iterations = (one.start..one.end).map(of_layer).max().unwrap_or(1);
        let max = (bounds::LOOP.max / iterations as f64).floor().max(1.0);
        if check.holds(&[table::LOOP]) {
            check.real(table::LOOP, one.times as f64, Bounds { max, ..bounds::LOOP });
        }
    }
    check.found()
}

/// Everything wrong with an attention block by itself; `place` is what the violations name.
pub fn verify_attention(attention: &Attention, place: Place) -> Vec<Violation> {
    checked(attention, place).found()
}

/// Everything wrong with a feed-forward block by itself; `place` is what the violations name.
pub fn verify_ffn(ffn: &Ffn, place: Place) -> Vec<Violation> {
    checked(ffn, place).found()
}

/// A block with everything wrong with it: numbers out of their bounds, and rules that do not hold.
fn checked(tabled: &impl Tabled, place: Place) -> Check {
    let mut check = Check::at(place);
    bounded(&mut check, "", &tabled.block());
    tabled.rules(&mut check);
    check
}

/// Checks a training block against the model it trains: its vocabulary and its context, as far
/// as they are known.
pub fn verify_train(train: &Train, vocab: Option<usize>, context: Option<usize>) -> Vec<Violation> {
    let mut check = checked(train, Place::Train);
    let exceeded = context.filter(|&model| check.holds(&["context"]) && train.context > model);
    if let Some(model) = exceeded {
        check.push("context", ViolationKind::TrainContextExceedsModel { train: train.context, model });
    }
    let tokens = match train.tokenizer {
        Tokenizer::Bytes => Some(256),
        Tokenizer::Bpe { vocab } => check.holds(&["tokenizer.vocab"]).then_some(vocab),
        Tokenizer::File { .. } => None,
    };
    if let (Some(tokens), Some(vocab)) = (tokens, vocab)
        && tokens > vocab
    {
        check.push("tokenizer", ViolationKind::VocabTooSmall { tokens, vocab });
    }
    check.found()
}

/// Notes every number of `block` that is out of the bounds that its table gives it. `path` is that
/// of the block, with its point.
fn bounded(check: &mut Check, path: &str, block: &Block) {
    for (field, value) in block.table.fields.iter().zip(&block.values) {
        if let Some(value) = value {
            bounded_value(check, &format!("{path}{}", field.name), field.kind, value);
        }
    }
}

fn bounded_value(check: &mut Check, path: &str, kind: Kind, value: &Value) {
    match value {
        Value::Block(block) => bounded(check, &format!("{path}."), block),
        Value::List(values) => {
            for value in values {
                bounded_value(check, path, kind, value);
                // A list of numbers too large is one mistake.
                if matches!(kind, Kind::Counts(..)) && !check.holds(&[path]) {
                    break;
                }
            }
        }
        Value::Count(n) => check.real(path, *n as f64, bounds_of(kind, bounds::STEPS.max)),
        Value::Real(x) => check.real(path, *x, bounds_of(kind, bounds::SHARE.max)),
        Value::Flag(_) | Value::Word(_) | Value::Text(_) => {}
    }
}

/// The bounds of a number; `most` is its largest value if it is an amount.
fn bounds_of(kind: Kind, most: f64) -> Bounds {
    match kind {
        Kind::Count(bounds)
        | Kind::OptionalCount(bounds)
        | Kind::Counts(bounds, _)
        | Kind::Real(bounds)
        | Kind::Pair(bounds)
        | Kind::Reals(bounds) => bounds,
        Kind::Amount => Bounds { min: 0.0, max: most },
        Kind::Flag
        | Kind::Text
        | Kind::Texts
        | Kind::Name(..)
        | Kind::Word(_)
        | Kind::Words(_)
        | Kind::Block(_)
        | Kind::Blocks(_) => Bounds::ANY,
    }
}
