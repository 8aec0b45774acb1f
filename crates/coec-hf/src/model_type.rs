//! The families by name.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

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
    /// Kimi-K2, DeepSeek-V3 by another name.
    KimiK2,
    /// JoyAI-LLM-Flash, DeepSeek-V3 by another name.
    JoyaiLlmFlash,
    /// GLM-4.5: half of each head turns; DeepSeek-V3's experts.
    Glm4Moe,
    /// GLM-4.7-Flash: latent attention; DeepSeek-V3's experts.
    Glm4MoeLite,
    /// dots.llm1: a norm over each head; DeepSeek-V3's experts.
    Dots1,
    /// MiniMax-M2: half of each head turns; sigmoid scores with a selection bias.
    MinimaxM2,
    /// The first DeepSeekMoE: ordinary attention, shared experts.
    Deepseek,
    /// Ling, the first: shared experts behind a renormalised softmax.
    BailingMoe,
    /// Ling 2.0: half of each head turns; DeepSeek-V3's experts.
    BailingMoeV2,
}

impl Family {
    /// Every family; where several can express a model, the most specific comes first.
    pub const ALL: [Self; 16] = [
        Self::Mixtral,
        Self::Olmoe,
        Self::Qwen3Moe,
        Self::Qwen2Moe,
        Self::DeepseekV3,
        Self::DeepseekV2,
        Self::CoeDeepseekV2,
        Self::KimiK2,
        Self::JoyaiLlmFlash,
        Self::Dots1,
        Self::Glm4Moe,
        Self::Glm4MoeLite,
        Self::MinimaxM2,
        Self::Deepseek,
        Self::BailingMoe,
        Self::BailingMoeV2,
    ];

    /// The family of a `model_type`.
    pub fn of_model_type(model_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.model_type() == model_type)
    }

    /// Its `model_type`.
    pub fn model_type(self) -> &'static str {
        match self {
            Self::Mixtral => "mixtral",
            Self::Olmoe => "olmoe",
            Self::Qwen2Moe => "qwen2_moe",
            Self::Qwen3Moe => "qwen3_moe",
            Self::DeepseekV2 => "deepseek_v2",
            Self::DeepseekV3 => "deepseek_v3",
            Self::CoeDeepseekV2 => "coe_deepseekv2",
            Self::KimiK2 => "kimi_k2",
            Self::JoyaiLlmFlash => "joyai_llm_flash",
            Self::Glm4Moe => "glm4_moe",
            Self::Glm4MoeLite => "glm4_moe_lite",
            Self::Dots1 => "dots1",
            Self::MinimaxM2 => "minimax_m2",
            Self::Deepseek => "deepseek",
            Self::BailingMoe => "bailing_moe",
            Self::BailingMoeV2 => "bailing_moe_v2",
        }
    }

    /// The family of settings that have its `model_type`: both of Ling's have the first's.
    pub(crate) fn of_settings(self, settings: &Map<String, Value>) -> Self {
        match self {
            Self::BailingMoe if is_second_ling(settings) => Self::BailingMoeV2,
            other => other,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.model_type())
    }
}

/// Whether settings of Ling are of its second version: by their class, or else by a setting that only that
/// has.
fn is_second_ling(settings: &Map<String, Value>) -> bool {
    const OF_THE_SECOND: [&str; 5] =
        ["score_function", "n_group", "topk_group", "moe_router_enable_expert_bias", "routed_scaling_factor"];
    match settings.get("architectures").and_then(Value::as_array) {
        Some(classes) if !classes.is_empty() => {
            classes.iter().any(|class| class == "BailingMoeV2ForCausalLM")
        }
        _ => OF_THE_SECOND.iter().any(|key| settings.get(*key).is_some_and(|value| !value.is_null())),
    }
}
