//! A spec with other numbers in some of its fields, as `--set` would change them.

use coec_ir::table::{ATTENTION, FFN, Field, MODEL, Table, Tabled, Value as Known};
use coec_ir::{Attention, Ffn, Model, Verified};

use crate::ast::{Assignment, Name, Value, ValueKind};
use crate::diagnostic::Found;
use crate::resolve::model::Draft;
use crate::resolve::train::TrainDraft;
use crate::resolve::{Cx, Fuel};
use crate::source::{SourceId, Span};
use crate::spec::Spec;

impl Spec {
    /// The model with other whole numbers in some of its fields, each by its dotted name, as `--set` would change them;
    /// `None` where that is no model.
    pub fn with(&self, values: &[(&str, usize)]) -> Option<Verified<Model>> {
        turned_model(self, values)
    }

    /// The whole number that a field of the model holds, by its dotted name. Of a list of equal numbers, that number.
    pub fn count(&self, path: &str) -> Option<usize> {
        match field(self, path)?.1 {
            Known::Count(n) => Some(n),
            Known::List(list) => {
                let first = list.first()?.clone();
                let Known::Count(n) = first else { return None };
                list.iter().all(|value| *value == first).then_some(n)
            }
            _ => None,
        }
    }

    /// The feed-forward block that layers have unless an override says otherwise.
    pub fn base_ffn(&self) -> Option<Ffn> {
        base_ffn(self, &self.draft)
    }
}

/// The draft of `spec` with these values in its fields, each by its dotted name.
pub(crate) fn turned(spec: &Spec, values: &[(&str, usize)]) -> Draft {
    // The errors of such drafts are never shown, so it does not matter where they point.
    let nowhere = Span::new(SourceId(0), 0, 0);
    let name = |text: &str| Name { text: text.into(), span: nowhere };
    let mut draft = spec.draft.clone();
    let mut train = TrainDraft::empty(nowhere);
    let (mut found, mut fuel) = (Found::default(), Fuel::default());
    let mut cx = Cx { scopes: &spec.scopes, found: &mut found, fuel: &mut fuel };
    for (path, value) in values {
        let set = Assignment {
            path: path.split('.').map(name).collect(),
            value: Value { kind: ValueKind::Number(value.to_string()), span: nowhere },
        };
        cx.set(&set, &mut draft, &mut train);
    }
    draft
}

/// The model of `spec` with these values, if it is one.
pub(crate) fn turned_model(spec: &Spec, values: &[(&str, usize)]) -> Option<Verified<Model>> {
    let draft = turned(spec, values);
    let (mut found, mut fuel) = (Found::default(), Fuel::default());
    let mut cx = Cx { scopes: &spec.scopes, found: &mut found, fuel: &mut fuel };
    cx.model(&draft).model
}

/// The feed-forward block of a draft that layers have unless an override says otherwise, which
/// `--set ffn.x` changes.
pub(crate) fn base_ffn(spec: &Spec, draft: &Draft) -> Option<Ffn> {
    let (mut found, mut fuel) = (Found::default(), Fuel::default());
    let mut cx = Cx { scopes: &spec.scopes, found: &mut found, fuel: &mut fuel };
    let call = cx.bind(FFN, Ffn::TABLES, draft.ffn()?)?;
    cx.ffn(&call)
}

/// A field by its dotted name, with what it holds in `spec`.
pub(crate) fn field(spec: &Spec, path: &str) -> Option<(&'static Field, Known)> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let Some(rest) = rest else {
        let head = coec_ir::table::head(&spec.model);
        let value = head.fields().find(|(name, _)| *name == first).map(|(_, value)| value.clone());
        return Some((MODEL.fields.iter().find(|field| field.name == first)?, value?));
    };
    let layers = || spec.model.layers.kinds().iter();
    let block = match first {
        // A model without a block of its own has the default in every layer.
        ATTENTION => base_attention(spec)
            .or_else(|| layers().next().map(|layer| layer.attention.clone()))
            .map(|attention| attention.block()),
        FFN => base_ffn(spec, &spec.draft)
            .or_else(|| layers().next().map(|layer| layer.ffn.clone()))
            .map(|ffn| ffn.block()),
        _ => None,
    }?;
    inside(&block, rest)
}

/// What a field of the training holds, by its dotted name inside the block.
pub(crate) fn train_field(spec: &Spec, path: &str) -> Option<Known> {
    let train = spec.train_or_default().ok()?;
    inside(&train.block(), path).map(|(_, value)| value)
}

fn base_attention(spec: &Spec) -> Option<Attention> {
    // What most layers have: an attention block depends on the model around it.
    let all: Vec<&Attention> = spec.model.layers.iter().map(|layer| &layer.attention).collect();
    coec_ir::text::most_common(&all).map(|most| (*most).clone())
}

fn inside(block: &coec_ir::table::Block, path: &str) -> Option<(&'static Field, Known)> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let table: &'static Table = block.table;
    let position = table.position(first)?;
    let value = block.values.get(position)?.clone()?;
    match (rest, &value) {
        (None, _) => Some((&table.fields[position], value)),
        (Some(rest), Known::Block(inner)) => inside(inner, rest),
        _ => None,
    }
}
