//! The difference as JSON: integers are exact.

use coec_ir::cost::Setting;
use coec_ir::diff::{Change, FigureChange, Loading, Pattern};
use coec_ir::{Figure, Unit, text};
use serde::Serialize;

use super::{Difference, Side};
use crate::render::figure::FigureValue;

#[derive(Serialize)]
pub struct Document {
    schema: &'static str,
    old: SideDocument,
    new: SideDocument,
    /// Whether both mean the same.
    equal: bool,
    fields: Vec<ChangeDocument>,
    figures: Vec<FigureDocument>,
    checkpoint: CheckpointDocument,
    budget: BudgetDocument,
    training: Vec<ChangeDocument>,
}

#[derive(Serialize)]
struct SideDocument {
    name: String,
    setting: Setting,
}

#[derive(Serialize)]
struct ChangeDocument {
    field: String,
    /// The layers it differs in; absent where all that both have are meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    layers: Option<Vec<usize>>,
    old: Option<String>,
    new: Option<String>,
}

#[derive(Serialize)]
struct FigureDocument {
    figure: Figure,
    unit: &'static str,
    old: FigureValue,
    new: FigureValue,
    delta: Delta,
    /// `delta / old` in lowest terms; `null` of nothing.
    relative: Option<RelativeDocument>,
}

/// What was added: an integer, or a string where integers may be of any size.
#[derive(Serialize)]
#[serde(untagged)]
enum Delta {
    Integer(i128),
    Text(String),
}

#[derive(Serialize)]
struct RelativeDocument {
    numerator: i128,
    denominator: u128,
}

#[derive(Serialize)]
struct CheckpointDocument {
    /// Whether a checkpoint of the first loads into the second.
    loads: bool,
    missing: Vec<PatternDocument>,
    surplus: Vec<PatternDocument>,
    misshapen: Vec<PatternDocument>,
}

#[derive(Serialize)]
struct PatternDocument {
    names: String,
    tensors: u128,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_shape: Option<Vec<usize>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_shape: Option<Vec<usize>>,
}

#[derive(Serialize)]
struct BudgetDocument {
    removed: Vec<String>,
    added: Vec<String>,
}

impl Document {
    pub fn of(difference: &Difference) -> Self {
        let side = |side: &Side| SideDocument { name: side.name.into(), setting: side.setting };
        let rules = |rules: &[&coec_ir::Rule]| rules.iter().map(|rule| text::rule(rule)).collect();
        Self {
            schema: coec_ir::SCHEMA,
            old: side(&difference.old),
            new: side(&difference.new),
            equal: difference.is_empty(),
            fields: difference.fields.iter().map(ChangeDocument::of).collect(),
            figures: difference.figures.iter().map(FigureDocument::of).collect(),
            checkpoint: CheckpointDocument::of(&difference.loading),
            budget: BudgetDocument {
                removed: rules(&difference.rules.removed),
                added: rules(&difference.rules.added),
            },
            training: difference.training.iter().map(ChangeDocument::of).collect(),
        }
    }
}

impl ChangeDocument {
    fn of(change: &Change) -> Self {
        let Change { field, layers, old, new } = change.clone();
        Self { field, layers, old, new }
    }
}

impl FigureDocument {
    fn of(change: &FigureChange) -> Self {
        let figure = change.figure;
        let delta = change.delta();
        let delta = match (figure.unit(), i128::try_from(&delta)) {
            (Unit::Paths, _) | (_, Err(_)) => Delta::Text(delta.to_string()),
            (_, Ok(delta)) => Delta::Integer(delta),
        };
        Self {
            figure,
            unit: figure.unit().word(),
            old: FigureValue::new(figure, change.old.clone()),
            new: FigureValue::new(figure, change.new.clone()),
            delta,
            relative: change
                .relative()
                .map(|share| RelativeDocument { numerator: share.numerator, denominator: share.denominator }),
        }
    }
}

impl CheckpointDocument {
    fn of(loading: &Loading) -> Self {
        let patterns = |patterns: &[Pattern]| patterns.iter().map(PatternDocument::of).collect();
        Self {
            loads: loading.succeeds(),
            missing: patterns(&loading.missing),
            surplus: patterns(&loading.surplus),
            misshapen: patterns(&loading.misshapen),
        }
    }
}

impl PatternDocument {
    fn of(pattern: &Pattern) -> Self {
        let (old_shape, new_shape) = pattern.shapes.clone().unzip();
        Self { names: pattern.names.clone(), tensors: pattern.tensors, old_shape, new_shape }
    }
}
