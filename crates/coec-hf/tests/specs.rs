//! The handwritten specs of specs/families are the models of the published folders.

mod common;

use std::io;
use std::path::Path;

use coec_lang::{Loader, Outcome, check, load_one};
use common::{imported, nameless, published};

struct Repository;

impl Loader for Repository {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path))
    }
}

#[test]
fn specs_are_the_published_models() {
    for name in [
        "deepseek_moe_16b",
        "deepseek_v2_lite",
        "deepseek_v3",
        "dots_llm1",
        "glm_4_5_air",
        "glm_4_7_flash",
        "joyai_llm_flash",
        "kimi_k2",
        "ling_lite_1_5",
        "ling_mini_2_0",
        "minimax_m2",
        "mixtral_8x7b",
        "olmoe_1b_7b",
        "qwen3_30b_a3b",
    ] {
        let path = format!("specs/families/{name}.coe");
        let spec = load_one(&path, &[], &Repository).unwrap_or_else(|errors| panic!("{path}: {errors:?}"));
        assert_eq!(nameless(&spec.model), nameless(&imported(published(name)).model), "{name}");
        let report = check(&spec, &Repository).unwrap_or_else(|errors| panic!("{path}: {errors:?}"));
        assert!(report.verdicts.len() >= 3, "{name} has budgets");
        for verdict in &report.verdicts {
            assert_eq!(verdict.outcome, Outcome::Holds, "{name}: {}", verdict.at.text);
        }
        assert!(spec.advice.is_empty(), "{name}: {:?}", spec.advice);
    }
}
