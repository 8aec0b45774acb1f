//! The families: one file for each, which says how its settings are read and written.

mod coe_deepseekv2;
mod deepseek;
mod deepseek_v2;
mod deepseek_v3;
mod mixtral;
mod olmoe;
mod plain;
mod qwen;
mod qwen2_moe;
mod qwen3_moe;

use std::fmt;

use coec_ir::{Ffn, Model};
use serde::{Deserialize, Serialize};

use crate::inert::COMMON;
use crate::read::Reader;
use crate::write::{Parts, Writer};
use crate::{Reason, canonical, canonical::canonical_chain};

/// A family of Hugging Face models, by its `model_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Mixtral: experts chosen by a renormalised softmax.
    Mixtral,
    /// OLMoE: a norm over whole queries and keys.
    Olmoe,
    /// Qwen1.5-MoE and Qwen2-MoE: biased projections, shared experts behind a sigmoid.
    Qwen2Moe,
    /// Qwen3-MoE: a norm over each head.
    Qwen3Moe,
    /// DeepSeek-V2: latent attention, shared experts, groups by their best.
    DeepseekV2,
    /// DeepSeek-V3: sigmoid scores with a selection bias.
    DeepseekV3,
    /// The published Chain-of-Experts on DeepSeek-V2's blocks.
    #[serde(rename = "coe_deepseekv2")]
    CoeDeepseekV2,
}

/// What a family is made of.
pub(crate) struct Record {
    pub model_type: &'static str,
    /// The class of its language model.
    pub architecture: &'static str,
    /// Settings of its own that change no output.
    pub inert: &'static [&'static [Reason]],
    /// The model that settings describe. It has no name yet, and is not verified.
    pub read: fn(&mut Reader<'_>) -> Model,
    /// The settings that describe a model in canonical form.
    pub write: fn(&Parts<'_>, &mut Writer),
    /// The folder's name of a tensor of a feed-forward sublayer, both without
    /// `model.layers.N.`.
    pub rename: fn(&str, &Ffn) -> String,
    /// Whether folders may hold layers beyond the model's, which predict further tokens.
    pub predicts_further: bool,
    /// Whether `gate` of a single iteration is said.
    pub is_chain: bool,
}

impl Family {
    /// Every family; where several can express a model, the most specific comes first.
    pub const ALL: [Self; 7] = [
        Self::Mixtral,
        Self::Olmoe,
        Self::Qwen3Moe,
        Self::Qwen2Moe,
        Self::DeepseekV3,
        Self::DeepseekV2,
        Self::CoeDeepseekV2,
    ];

    /// The family of a `model_type`.
    pub fn of_model_type(model_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.model_type() == model_type)
    }

    /// Its `model_type`.
    pub fn model_type(self) -> &'static str {
        self.record().model_type
    }

    /// The class of its language model, as `architectures` names it.
    pub fn architecture(self) -> &'static str {
        self.record().architecture
    }

    /// The settings that change no output of a model of this family, each with the reason.
    pub fn inert(self) -> impl Iterator<Item = &'static Reason> {
        COMMON.iter().chain(self.record().inert.iter().copied().flatten())
    }

    pub(crate) fn record(self) -> &'static Record {
        match self {
            Self::Mixtral => &mixtral::RECORD,
            Self::Olmoe => &olmoe::RECORD,
            Self::Qwen2Moe => &qwen2_moe::RECORD,
            Self::Qwen3Moe => &qwen3_moe::RECORD,
            Self::DeepseekV2 => &deepseek_v2::RECORD,
            Self::DeepseekV3 => &deepseek_v3::RECORD,
            Self::CoeDeepseekV2 => &coe_deepseekv2::RECORD,
        }
    }

    /// `model` in the form that this family's folders have; see [`canonical()`](canonical()).
    pub fn canonical(self, model: &Model) -> Model {
        if self.record().is_chain { canonical_chain(model) } else { canonical(model) }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.model_type())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// docs/families.md names every setting that is asked for, and every one that is inert.
    #[test]
    fn the_page_names_every_setting() {
        let page = include_str!("../../../../docs/families.md");
        let named = |key: &str| page.contains(&format!("`{key}`"));
        let windowed = json!({"use_sliding_window": true, "topk_method": "group_limited_greedy"});
        for family in Family::ALL {
            for settings in [json!({}), windowed.clone()] {
                let Value::Object(settings) = settings else { continue };
                let mut reader = Reader::new(family, &settings);
                (family.record().read)(&mut reader);
                let asked = reader.asked().chain(family.inert().map(|reason| reason.key));
                let missing: Vec<_> = asked.filter(|key| !named(key)).collect();
                assert!(missing.is_empty(), "{family}: {missing:?}");
            }
        }
    }

    /// A setting is inert or honoured, and has one reason.
    #[test]
    fn reasons_are_given_once() {
        for family in Family::ALL {
            let keys: Vec<_> = family.inert().map(|reason| reason.key).collect();
            let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
            assert_eq!(distinct.len(), keys.len(), "{family}");
        }
    }
}
