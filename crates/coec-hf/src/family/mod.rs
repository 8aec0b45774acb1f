//! The families: one file for each, which says how its settings are read and written.

pub(crate) mod bailing;
mod bailing_moe;
mod bailing_moe_v2;
mod biased;
mod coe_deepseekv2;
mod deepseek;
mod deepseek_v1;
mod deepseek_v2;
mod deepseek_v3;
mod dots1;
mod ernie4_5_moe;
mod flex_olmo;
mod glm4_moe;
mod glm4_moe_lite;
mod gpt_oss;
mod granitemoe;
mod hunyuan_v1_moe;
mod minimax_m2;
mod mixtral;
mod olmoe;
mod plain;
mod qwen;
mod qwen2_moe;
mod qwen3_moe;

use coec_ir::Model;

use crate::inert::COMMON;
use crate::layout::{Layout, Names};
use crate::read::Reader;
use crate::write::{Parts, Writer};
use crate::{Family, Reason, canonical, canonical::canonical_chain};

/// What a family is made of.
pub(crate) struct Record {
    /// The class of its language model.
    pub architecture: &'static str,
    /// Settings of its own that change no output.
    pub inert: &'static [&'static [Reason]],
    /// The model that settings describe. It has no name yet, and is not verified.
    pub read: fn(&mut Reader<'_>) -> Model,
    /// The settings that describe a model in canonical form.
    pub write: fn(&Parts<'_>, &mut Writer),
    /// The tensors of a folder as it is published.
    pub stored: Names,
    /// The same as transformers 5 holds them in memory, if it has the class.
    pub fused: Option<Names>,
    /// Whether folders may hold layers beyond the model's, which predict further tokens.
    pub predicts_further: bool,
    /// Whether `gate` of a single iteration is said.
    pub is_chain: bool,
    /// Whether `transformers` has a class for it, or code is published that it loads.
    pub has_class: bool,
}

impl Family {
    /// The class of its language model, as `architectures` names it.
    pub fn architecture(self) -> &'static str {
        self.record().architecture
    }

    /// The settings that change no output of a model of this family, each with the reason.
    pub fn inert(self) -> impl Iterator<Item = &'static Reason> {
        COMMON.iter().chain(self.record().inert.iter().copied().flatten())
    }

    /// Whether `transformers` has a class for it, or code is published that it loads: what is exported can be
    /// used.
    pub fn has_class(self) -> bool {
        self.record().has_class
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
            Self::KimiK2 | Self::JoyaiLlmFlash => &deepseek_v3::BY_ANOTHER_NAME,
            Self::Glm4Moe => &glm4_moe::RECORD,
            Self::Glm4MoeLite => &glm4_moe_lite::RECORD,
            Self::Dots1 => &dots1::RECORD,
            Self::MinimaxM2 => &minimax_m2::RECORD,
            Self::Deepseek => &deepseek_v1::RECORD,
            Self::BailingMoe => &bailing_moe::RECORD,
            Self::BailingMoeV2 => &bailing_moe_v2::RECORD,
            Self::FlexOlmo => &flex_olmo::RECORD,
            Self::Granitemoe => &granitemoe::RECORD,
            Self::HunyuanV1Moe => &hunyuan_v1_moe::RECORD,
            Self::Ernie4_5Moe => &ernie4_5_moe::RECORD,
            Self::GptOss => &gpt_oss::RECORD,
        }
    }

    /// The names of its folders' tensors in a layout; as they are stored, if it has no other.
    pub(crate) fn names(self, layout: Layout) -> &'static Names {
        let Record { stored, fused, .. } = self.record();
        match layout {
            Layout::Stored => stored,
            Layout::Fused => fused.as_ref().unwrap_or(stored),
        }
    }

    /// `model` in the form that this family's folders have; see [`canonical()`](canonical()).
    pub fn canonical(self, model: &Model) -> Model {
        if self.record().is_chain { canonical_chain(model) } else { canonical(model) }
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
