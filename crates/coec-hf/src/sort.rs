//! A folder's tensors, held against those of its model.

use std::collections::HashMap;

use coec_ir::table::Described;
use coec_ir::{Coe, Ffn, Layer, Model, Verified};

use crate::layout::{Layout, Names};
use crate::tensors::{Mapped, tensors_as, within};
use crate::{Difference, Family, HfError};

/// A tensor of the folder that the model has no use for, and that a way back needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// Its name in the folder.
    pub hf: String,
    /// Why the model does without it.
    pub why: Why,
}

/// Why a model does without a tensor of its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Rotary frequencies, which follow from the settings. Old folders hold them.
    Frequencies,
    /// A copy of the embedding, which serves as output head.
    TiedHead,
    /// A layer beyond the model's, which predicts further tokens.
    FurtherPrediction,
}

impl Why {
    /// The reason in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Frequencies => "rotary frequencies, which follow from the settings",
            Self::TiedHead => "a copy of the embedding, which serves as output head",
            Self::FurtherPrediction => "a layer beyond the model's, which predicts further tokens",
        }
    }
}

/// The tensors of a folder, all accounted for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sorted {
    /// How the folder holds those of the model.
    pub layout: Layout,
    /// Those of the model, in its order.
    pub mapped: Vec<Mapped>,
    /// Those besides.
    pub carried: Vec<Carried>,
}

/// Holds the tensors of a folder, by name and shape, against those of its model: every tensor has its
/// place, or the error lists all that have none.
pub fn sort<'a>(
    model: &Verified<Model>,
    family: Family,
    found: impl IntoIterator<Item = (&'a str, &'a [usize])>,
) -> Result<Sorted, HfError> {
    let mut found: HashMap<&str, &[usize]> = found.into_iter().collect();
    let layout = layout(family, found.keys().copied());
    let expected = count(model);
    // So far off, a list of names says nothing, and may not fit into memory.
    if expected > 1000 + 2 * capacity(family.names(layout), &found) {
        return Err(HfError::TensorCount { expected, found: found.len() });
    }
    let mut difference = Difference::default();
    let mapped = tensors_as(model, family, layout);
    for tensor in &mapped {
        match found.remove(tensor.hf.as_str()) {
            None => difference.missing.push(tensor.hf.clone()),
            Some(shape) if shape != tensor.shape => {
                difference.misshapen.push((tensor.hf.clone(), shape.to_vec(), tensor.shape.clone()));
            }
            Some(_) => {}
        }
    }
    let mut rest: Vec<&str> = found.into_keys().collect();
    rest.sort_unstable();
    let mut carried = Vec::new();
    for name in rest {
        match carried_for(name, model, family) {
            Some(why) => carried.push(Carried { hf: name.into(), why }),
            None => difference.surplus.push(name.into()),
        }
    }
    if difference.is_empty() {
        Ok(Sorted { layout, mapped, carried })
    } else {
        Err(HfError::Tensors { family, difference })
    }
}

/// How a folder holds its tensors: fused, if one is there that only then is.
fn layout<'a>(family: Family, mut found: impl Iterator<Item = &'a str>) -> Layout {
    let rules = |layout| family.names(layout).joined;
    let is_joined = |layout, name: &str| rules(layout).iter().any(|rule| rule.name == name);
    let is_telling = |name: &str| is_joined(Layout::Fused, name) && !is_joined(Layout::Stored, name);
    match found.any(|name| within(name).is_some_and(|(_, inner)| is_telling(inner))) {
        true => Layout::Fused,
        false => Layout::Stored,
    }
}

/// How many tensors of a model these can hold at most.
fn capacity(names: &Names, found: &HashMap<&str, &[usize]>) -> u128 {
    let held = |(name, shape): (&&str, &&[usize])| {
        let rule = within(name).and_then(|(_, inner)| names.joined.iter().find(|rule| rule.name == inner));
        match (rule, shape) {
            // A file of a few bytes can hold many experts of no width.
            (Some(rule), [experts, rest @ ..]) if rule.is_stacked() && !rest.contains(&0) => {
                *experts as u128 * rule.of.len() as u128
            }
            (Some(rule), _) => rule.of.len() as u128,
            (None, _) => 1,
        }
    };
    found.iter().map(held).sum()
}

/// How many tensors `model` has, without making a list of them.
fn count(model: &Model) -> u128 {
    let layer = |layer: &Layer| {
        let tensors = |sublayer: &dyn Described| sublayer.params(1, "", "").len() + sublayer.state("").len();
        let attention = tensors(layer.attention.sublayer());
        let (ffn, experts) = match &layer.ffn {
            Ffn::Coe(coe) => {
                let of = |experts| tensors(&Coe { experts, ..coe.clone() });
                (of(0), coe.experts as u128 * (of(1) - of(0)) as u128)
            }
            other => (tensors(other.sublayer()), 0),
        };
        (attention + ffn) as u128 + experts
    };
    let layers: u128 = model.layers.counted().map(|(kind, count)| layer(kind) * count as u128).sum();
    let outside = if model.embedding.tied { 2 } else { 3 };
    layers + outside
}

/// Why the model has no use for a tensor that may nevertheless be there.
fn carried_for(name: &str, model: &Model, family: Family) -> Option<Why> {
    // ERNIE's stand beside the layers.
    if within(name).map_or(name.starts_with("model.mtp_"), |(layer, _)| layer >= model.layers.len()) {
        return family.record().predicts_further.then_some(Why::FurtherPrediction);
    }
    if name.ends_with(".rotary_emb.inv_freq") {
        return Some(Why::Frequencies);
    }
    (name == "lm_head.weight" && model.embedding.tied).then_some(Why::TiedHead)
}

#[cfg(test)]
mod tests {
    use super::count;
    use crate::tensors::tensors;

    #[test]
    fn the_count_is_the_lists_length() {
        let published = [
            include_str!("../tests/configs/mixtral_8x7b.json"),
            include_str!("../tests/configs/qwen1_5_moe_a2_7b.json"),
            include_str!("../tests/configs/deepseek_v3.json"),
            include_str!("../tests/configs/coe.json"),
        ];
        for config in published {
            let import = crate::import(config, "m").unwrap();
            let parts =
                tensors(&import.model, import.family).iter().map(|tensor| tensor.parts.len()).sum::<usize>();
            assert_eq!(count(&import.model), parts as u128);
        }
    }
}
