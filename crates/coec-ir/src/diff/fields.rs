//! The fields in which two models, or two trainings, differ.

use std::collections::HashMap;

use super::ranges::runs;
use crate::table::{self, Block, Tabled, Value};
use crate::{Layer, Model, Train, text};

/// The numbers of a layer's value before and after; `None` where there is no such layer.
type Pair = (Option<usize>, Option<usize>);

/// A field that differs. A value that only one side has is `None` on the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its dotted name: `ffn.router.scale`.
    pub field: String,
    /// The layers it differs in, in order; `None` if in all that both models have, or if layers
    /// have no part in it.
    pub layers: Option<Vec<usize>>,
    /// As the first spec has it.
    pub old: Option<String>,
    /// As the second has it.
    pub new: Option<String>,
}

/// Most runs of layers that a name lists.
const MOST_RUNS: usize = 6;

impl Change {
    /// The field with the layers it differs in, as a spec overrides them: `ffn[1..3].k`.
    pub fn name(&self) -> String {
        let Some(layers) = &self.layers else { return self.field.clone() };
        let (block, rest) = self.field.split_at(self.field.find('.').unwrap_or(self.field.len()));
        let runs = runs(layers);
        let mut indices: Vec<String> = runs
            .iter()
            .take(MOST_RUNS)
            .map(|&(first, last)| match first == last {
                true => first.to_string(),
                false => format!("{first}..{}", last + 1),
            })
            .collect();
        if runs.len() > MOST_RUNS {
            indices.push("...".into());
        }
        format!("{block}[{}]{rest}", indices.join(", "))
    }
}

/// The fields in which two models differ, in the order of the language reference. Names and
/// comments mean nothing.
///
/// Layers are compared one with one. Those that only one model has are listed where they are not
/// what most of the other's are: a model that grew by more of the same differs in `layers` alone.
pub fn model(old: &Model, new: &Model) -> Vec<Change> {
    let mut changes = of_fields("", &named(&table::head(old)), &named(&table::head(new)));
    changes.extend(of_layers("attention", old, new, |layer| layer.attention.block()));
    changes.extend(of_layers("ffn", old, new, |layer| layer.ffn.block()));
    let [old, new] = [old, new].map(|model| table::loops(&model.layers));
    changes.extend(of_fields("", &borrowed(&old), &borrowed(&new)));
    changes
}

/// The fields in which two trainings differ, each behind `train.`.
pub fn train(old: Option<&Train>, new: Option<&Train>) -> Vec<Change> {
    let fields = |train: Option<&Train>| train.map(|train| named(&train.block())).unwrap_or_default();
    of_fields("train.", &fields(old), &fields(new))
}

fn borrowed(fields: &[(String, Value)]) -> Vec<(&str, Value)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.clone())).collect()
}

/// Fields side by side, those of `old` first.
fn of_fields(prefix: &str, old: &[(&str, Value)], new: &[(&str, Value)]) -> Vec<Change> {
    fn find<'a>(fields: &'a [(&str, Value)], name: &str) -> Option<&'a Value> {
        fields.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }
    let only_new = new.iter().filter(|(name, _)| find(old, name).is_none());
    let names = old.iter().chain(only_new).map(|(name, _)| name);
    names.flat_map(|name| of_value(&format!("{prefix}{name}"), find(old, name), find(new, name))).collect()
}

/// One field, and the fields inside it where both sides have them.
fn of_value(field: &str, old: Option<&Value>, new: Option<&Value>) -> Vec<Change> {
    if old == new {
        return Vec::new();
    }
    let change = |old: Option<String>, new: Option<String>| {
        vec![Change { field: field.to_string(), layers: None, old, new }]
    };
    match (old, new) {
        (Some(Value::Block(a)), Some(Value::Block(b)))
            if a.table.word == b.table.word || has_same_fields(a, b) =>
        {
            let (old, new) = (a.table.word, b.table.word);
            let mut changes =
                if old == new { Vec::new() } else { change(Some(old.into()), Some(new.into())) };
            changes.extend(of_fields(&format!("{field}."), &named(a), &named(b)));
            changes
        }
        _ => change(old.map(Value::to_string), new.map(Value::to_string)),
    }
}

/// Whether two blocks have fields, and of the same names, as the routers do.
fn has_same_fields(a: &Block, b: &Block) -> bool {
    let names = |block| Block::fields(block).map(|(name, _)| name);
    names(a).next().is_some() && names(a).eq(names(b))
}

fn named(block: &Block) -> Vec<(&'static str, Value)> {
    block.fields().map(|(name, value)| (name, value.clone())).collect()
}

/// The changes of a field that may differ between layers.
fn of_layers(name: &str, old: &Model, new: &Model, block: impl Fn(&Layer) -> Block) -> Vec<Change> {
    // A value by its number, the same on both sides: layers are many, values few.
    let mut values: Vec<Value> = Vec::new();
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut number = |model: &Model| -> Vec<usize> {
        let of_kind = |layer: &Layer| {
            let value = Value::Block(block(layer));
            *numbers.entry(value.to_string()).or_insert_with(|| {
                values.push(value);
                values.len() - 1
            })
        };
        let kinds: Vec<usize> = model.layers.kinds().iter().map(of_kind).collect();
        model.layers.order().iter().map(|&kind| kinds[kind]).collect()
    };
    let (before, after) = (number(old), number(new));
    let base = |numbers: &[usize]| text::most_common(&numbers.iter().collect::<Vec<_>>()).copied();
    let (old_base, new_base) = (base(&before), base(&after));

    // The layers of each pair of values, in the order of the first.
    let mut pairs: Vec<(Pair, Vec<usize>)> = Vec::new();
    let mut places: HashMap<Pair, usize> = HashMap::new();
    for layer in 0..before.len().max(after.len()) {
        let pair = (before.get(layer).copied(), after.get(layer).copied());
        let is_as_before = match pair {
            (Some(before), Some(after)) => before == after,
            (None, added) => added == old_base,
            (removed, None) => removed == new_base,
        };
        if !is_as_before {
            let place = *places.entry(pair).or_insert_with(|| {
                pairs.push((pair, Vec::new()));
                pairs.len() - 1
            });
            pairs[place].1.push(layer);
        }
    }

    let common: Vec<usize> = (0..before.len().min(after.len())).collect();
    let mut changes: Vec<Change> = Vec::new();
    let mut known: HashMap<(String, Option<String>, Option<String>), usize> = HashMap::new();
    for ((before, after), layers) in pairs {
        let of = |number: Option<usize>| number.map(|number| &values[number]);
        for change in of_value(name, of(before), of(after)) {
            let key = (change.field.clone(), change.old.clone(), change.new.clone());
            let place = *known.entry(key).or_insert_with(|| {
                changes.push(Change { layers: Some(Vec::new()), ..change });
                changes.len() - 1
            });
            changes[place].layers.get_or_insert_default().extend(&layers);
        }
    }
    for change in &mut changes {
        let layers = change.layers.get_or_insert_default();
        layers.sort_unstable();
        if *layers == common {
            change.layers = None;
        }
    }
    changes
}
