//! Which tensor of a folder is which tensor of the model.

use std::collections::HashMap;

use coec_ir::table::Described;
use coec_ir::{Coe, Ffn, Layer, Model, Tensors, Verified};

use crate::{Difference, Family, HfError};

/// A tensor in both names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// Its name in the folder.
    pub hf: String,
    /// Its name in the model.
    pub contract: String,
    /// Its shape, on both sides.
    pub shape: Vec<usize>,
    /// Whether it is trained; selection biases are saved with the model, and are not.
    pub is_trained: bool,
}

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
    /// Those of the model, in its order.
    pub mapped: Vec<Mapped>,
    /// Those besides.
    pub carried: Vec<Carried>,
}

/// The tensors of `model` under the names that a folder of the family has, in the order of the model.
pub fn tensors(model: &Verified<Model>, family: Family) -> Vec<Mapped> {
    let canonical = family.canonical(model);
    let ffns: Vec<&Ffn> = canonical.layers.iter().map(|layer| &layer.ffn).collect();
    let Tensors { trained, state } = Tensors::of(model);
    let named = |is_trained: bool| {
        let ffns = ffns.clone();
        move |param: coec_ir::Param| Mapped {
            hf: hf_name(&param.name, family, &ffns),
            contract: param.name,
            shape: param.shape,
            is_trained,
        }
    };
    trained.into_iter().map(named(true)).chain(state.into_iter().map(named(false))).collect()
}

/// How many tensors `model` has, without making a list of them.
fn count(model: &Model) -> u128 {
    let layer = |layer: &Layer| {
        let tensors = |sublayer: &dyn Described| sublayer.params(1, "", "").len() + sublayer.state("").len();
        let attention = tensors(layer.attention.sublayer());
        let (ffn, experts) = match &layer.ffn {
            Ffn::Coe(coe) => {
                let without = Coe { experts: 0, ..coe.clone() };
                (tensors(&without), coe.experts * coe.act.projections())
            }
            other => (tensors(other.sublayer()), 0),
        };
        (attention + ffn) as u128 + experts as u128
    };
    let layers: u128 = model.layers.counted().map(|(kind, count)| layer(kind) * count as u128).sum();
    let outside = if model.embedding.tied { 2 } else { 3 };
    layers + outside
}

/// The folder's name of a tensor.
fn hf_name(contract: &str, family: Family, ffns: &[&Ffn]) -> String {
    let parts = contract.strip_prefix(LAYERS).and_then(|rest| rest.split_once('.'));
    let Some((layer, inner)) = parts else { return contract.into() };
    let Some(ffn) = layer.parse().ok().and_then(|layer: usize| ffns.get(layer)) else {
        return contract.into();
    };
    format!("{LAYERS}{layer}.{}", (family.record().rename)(inner, ffn))
}

const LAYERS: &str = "model.layers.";

/// Holds the tensors of a folder, by name and shape, against those of its model: every tensor has its
/// place, or the error lists all that have none.
pub fn sort<'a>(
    model: &Verified<Model>,
    family: Family,
    found: impl IntoIterator<Item = (&'a str, &'a [usize])>,
) -> Result<Sorted, HfError> {
    let mut found: HashMap<&str, &[usize]> = found.into_iter().collect();
    let fused = found.keys().filter(|name| is_fused(name)).min();
    if let Some(name) = fused {
        return Err(HfError::Fused { name: (*name).into() });
    }
    let expected = count(model);
    // So far off, a list of names says nothing, and may not fit into memory.
    if expected > 1000 + 2 * found.len() as u128 {
        return Err(HfError::TensorCount { expected, found: found.len() });
    }
    let mut difference = Difference::default();
    let mapped = tensors(model, family);
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
        Ok(Sorted { mapped, carried })
    } else {
        Err(HfError::Tensors { family, difference })
    }
}

/// Experts as one tensor, as `save_original_format=False` writes them.
fn is_fused(name: &str) -> bool {
    name.ends_with(".mlp.experts.gate_up_proj") || name.ends_with(".mlp.experts.down_proj")
}

/// Why the model has no use for a tensor that may nevertheless be there.
fn carried_for(name: &str, model: &Model, family: Family) -> Option<Why> {
    let layer = name.strip_prefix(LAYERS).and_then(|rest| rest.split_once('.'));
    let layer = layer.and_then(|(layer, _)| layer.parse::<usize>().ok());
    if layer.is_some_and(|layer| layer >= model.layers.len()) {
        return family.record().predicts_further.then_some(Why::FurtherPrediction);
    }
    if name.ends_with(".rotary_emb.inv_freq") {
        return Some(Why::Frequencies);
    }
    (name == "lm_head.weight" && model.embedding.tied).then_some(Why::TiedHead)
}

#[cfg(test)]
mod tests {
    use super::{count, tensors};

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
            assert_eq!(count(&import.model), tensors(&import.model, import.family).len() as u128);
        }
    }
}
