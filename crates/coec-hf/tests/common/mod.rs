//! What several tests need.
#![allow(dead_code)]

use coec_hf::{HfError, Import};
use coec_ir::{Model, Verified, verify};
use serde_json::{Map, Value};

/// The settings of published folders, by the file's name.
pub const PUBLISHED: [(&str, &str); 17] = [
    ("mixtral_8x7b", include_str!("../configs/mixtral_8x7b.json")),
    ("olmoe_1b_7b", include_str!("../configs/olmoe_1b_7b.json")),
    ("qwen1_5_moe_a2_7b", include_str!("../configs/qwen1_5_moe_a2_7b.json")),
    ("qwen3_30b_a3b", include_str!("../configs/qwen3_30b_a3b.json")),
    ("deepseek_v2_lite", include_str!("../configs/deepseek_v2_lite.json")),
    ("deepseek_v2", include_str!("../configs/deepseek_v2.json")),
    ("deepseek_v3", include_str!("../configs/deepseek_v3.json")),
    ("coe", include_str!("../configs/coe.json")),
    ("kimi_k2", include_str!("../configs/kimi_k2.json")),
    ("joyai_llm_flash", include_str!("../configs/joyai_llm_flash.json")),
    ("glm_4_5_air", include_str!("../configs/glm_4_5_air.json")),
    ("glm_4_7_flash", include_str!("../configs/glm_4_7_flash.json")),
    ("dots_llm1", include_str!("../configs/dots_llm1.json")),
    ("minimax_m2", include_str!("../configs/minimax_m2.json")),
    ("deepseek_moe_16b", include_str!("../configs/deepseek_moe_16b.json")),
    ("ling_lite_1_5", include_str!("../configs/ling_lite_1_5.json")),
    ("ling_mini_2_0", include_str!("../configs/ling_mini_2_0.json")),
];

/// The text of a published configuration.
pub fn published(name: &str) -> &'static str {
    PUBLISHED.iter().find(|(other, _)| *other == name).expect("a published configuration").1
}

/// The import, or a panic with the errors.
pub fn imported(config: &str) -> Import {
    coec_hf::import(config, "model").unwrap_or_else(|errors| panic!("{}", lines(&errors)))
}

/// Errors in words.
pub fn lines(errors: &[HfError]) -> String {
    errors.iter().map(|error| format!("{}: {error}; {}\n", error.code(), error.help())).collect()
}

/// A configuration with some settings replaced; `null` is written, not left out.
pub fn with(config: &str, changes: &[(&str, Value)]) -> String {
    let mut settings: Map<String, Value> = serde_json::from_str(config).expect("a configuration");
    settings.extend(changes.iter().map(|(key, value)| (key.to_string(), value.clone())));
    Value::Object(settings).to_string()
}

/// A configuration without some settings.
pub fn without(config: &str, keys: &[&str]) -> String {
    let mut settings: Map<String, Value> = serde_json::from_str(config).expect("a configuration");
    settings.retain(|key, _| !keys.contains(&key.as_str()));
    Value::Object(settings).to_string()
}

/// A model without its name and comment, which no folder holds.
pub fn nameless(model: &Model) -> Model {
    Model { name: String::new(), doc: String::new(), ..model.clone() }
}

/// A model that a test changed.
pub fn verified(model: Model) -> Verified<Model> {
    verify(model).unwrap_or_else(|violations| panic!("{violations:?}"))
}
