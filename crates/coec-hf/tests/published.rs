//! Published folders are the models that their publications count.

mod common;

use coec_hf::{Family, Kept, export, family_of, tensors};
use coec_ir::cost::{Cost, Setting};
use coec_ir::{Attention, Balance, Conditions, Ffn, Figure, Gate, Model, Residual, Rope, Verified};
use common::{PUBLISHED, imported, nameless, published, verified};

fn figure(model: &Verified<Model>, figure: Figure) -> u128 {
    let cost = Cost::of(model, Setting::of(model, &Conditions::default()));
    u128::try_from(cost.figure(figure).unwrap()).unwrap()
}

/// Totals as published, and active parameters as semantics.md defines them: the lookup table counts.
#[test]
fn parameters_are_as_published() {
    for (name, total, active) in [
        ("mixtral_8x7b", 46_702_792_704, 12_879_925_248),
        ("olmoe_1b_7b", 6_919_161_856, 1_282_017_280),
        ("qwen1_5_moe_a2_7b", 14_315_784_192, 2_689_173_504),
        ("qwen3_30b_a3b", 30_532_122_624, 3_353_032_704),
        ("deepseek_v2_lite", 15_706_484_224, 2_661_150_208),
        ("deepseek_v2", 235_741_434_880, 21_375_800_320),
        // 671,026,419,200 with the 58 selection biases of 256, which are state here.
        ("deepseek_v3", 671_026_419_200 - 58 * 256, 37_552_282_624),
        ("coe", 780_672_000, 780_672_000 - 4 * 56 * 3 * 1024 * 704),
        ("kimi_k2", 1_026_408_209_408, 32_861_477_888),
        ("joyai_llm_flash", 48_942_532_608, 3_304_310_784),
        ("glm_4_5_air", 106_852_245_504, 13_424_123_904),
        ("glm_4_7_flash", 29_943_390_976, 3_896_763_136),
        ("dots_llm1", 142_774_373_888, 14_016_581_120),
        ("minimax_m2", 228_689_748_992, 11_030_537_216),
        ("deepseek_moe_16b", 16_375_728_128, 2_828_650_496),
        ("ling_lite_1_5", 16_801_974_272, 2_753_153_024),
        ("ling_mini_2_0", 16_255_638_528, 1_432_968_192),
    ] {
        let model = imported(published(name)).model;
        assert_eq!(figure(&model, Figure::ParamsTotal), total, "{name}");
        assert_eq!(figure(&model, Figure::ParamsActive), active, "{name}");
    }
}

/// Every element of a folder is counted: names and shapes add up to the published total.
#[test]
fn tensors_add_up() {
    for (name, config) in PUBLISHED {
        let import = imported(config);
        let tensors = import.tensors();
        let elements = |is_trained: bool| {
            let tensors = tensors.iter().filter(|tensor| tensor.is_trained == is_trained);
            tensors.map(|tensor| tensor.shape.iter().map(|&n| n as u128).product::<u128>()).sum::<u128>()
        };
        assert_eq!(elements(true), figure(&import.model, Figure::ParamsTotal), "{name}");
        let biases = match name {
            "deepseek_v3" => 58 * 256,
            "kimi_k2" => 60 * 384,
            "joyai_llm_flash" => 39 * 256,
            "glm_4_5_air" => 45 * 128,
            "glm_4_7_flash" => 46 * 64,
            "dots_llm1" => 61 * 128,
            "minimax_m2" => 62 * 256,
            "ling_mini_2_0" => 19 * 256,
            _ => 0,
        };
        assert_eq!(elements(false), biases, "{name}");
    }
}

#[test]
fn names_are_the_folders() {
    for (name, tensor, shape) in [
        ("mixtral_8x7b", "model.layers.31.block_sparse_moe.gate.weight", vec![8, 4096]),
        ("mixtral_8x7b", "model.layers.0.block_sparse_moe.experts.7.w1.weight", vec![14336, 4096]),
        ("mixtral_8x7b", "model.layers.0.block_sparse_moe.experts.7.w2.weight", vec![4096, 14336]),
        ("olmoe_1b_7b", "model.layers.0.self_attn.k_norm.weight", vec![2048]),
        ("qwen1_5_moe_a2_7b", "model.layers.3.mlp.shared_expert.down_proj.weight", vec![2048, 5632]),
        ("qwen1_5_moe_a2_7b", "model.layers.3.mlp.shared_expert_gate.weight", vec![1, 2048]),
        ("qwen1_5_moe_a2_7b", "model.layers.3.self_attn.v_proj.bias", vec![2048]),
        ("qwen3_30b_a3b", "model.layers.47.self_attn.q_norm.weight", vec![128]),
        ("deepseek_v2_lite", "model.layers.0.mlp.gate_proj.weight", vec![10944, 2048]),
        ("deepseek_v2_lite", "model.layers.1.mlp.shared_experts.gate_proj.weight", vec![2816, 2048]),
        ("deepseek_v2", "model.layers.59.self_attn.q_a_layernorm.weight", vec![1536]),
        ("deepseek_v3", "model.layers.3.mlp.gate.e_score_correction_bias", vec![256]),
        ("coe", "model.layers.0.mlp.gate.0.weight", vec![63, 1024]),
        ("kimi_k2", "model.layers.60.mlp.experts.383.up_proj.weight", vec![2048, 7168]),
        ("joyai_llm_flash", "model.layers.39.mlp.shared_experts.down_proj.weight", vec![2048, 768]),
        ("glm_4_5_air", "model.layers.45.self_attn.v_proj.bias", vec![1024]),
        ("glm_4_7_flash", "model.layers.46.self_attn.q_b_proj.weight", vec![20 * 256, 768]),
        ("dots_llm1", "model.layers.61.self_attn.q_norm.weight", vec![128]),
        ("minimax_m2", "model.layers.0.block_sparse_moe.e_score_correction_bias", vec![256]),
        ("minimax_m2", "model.layers.61.block_sparse_moe.experts.255.w2.weight", vec![3072, 1536]),
        ("minimax_m2", "model.layers.61.self_attn.q_norm.weight", vec![48 * 128]),
        ("deepseek_moe_16b", "model.layers.27.mlp.shared_experts.gate_proj.weight", vec![2816, 2048]),
        ("ling_mini_2_0", "model.layers.19.attention.query_layernorm.weight", vec![128]),
        ("ling_mini_2_0", "model.layers.19.mlp.gate.expert_bias", vec![256]),
    ] {
        let import = imported(published(name));
        let tensors = import.tensors();
        let found = tensors.iter().find(|other| other.hf == tensor);
        assert_eq!(found.map(|found| &found.shape), Some(&shape), "{name}: {tensor}");
    }
}

/// A folder's name is one tensor's, and a model's too.
#[test]
fn names_are_one_to_one() {
    for (name, config) in PUBLISHED {
        let tensors = imported(config).tensors();
        for side in
            [|tensor: &coec_hf::Mapped| tensor.hf.clone(), |tensor: &coec_hf::Mapped| tensor.contract.clone()]
        {
            let distinct: std::collections::BTreeSet<_> = tensors.iter().map(side).collect();
            assert_eq!(distinct.len(), tensors.len(), "{name}");
        }
    }
}

#[test]
fn what_settings_mean() {
    let mixtral = imported(published("mixtral_8x7b"));
    assert_eq!(mixtral.family, Family::Mixtral);
    let Ffn::Coe(coe) = &mixtral.model.layers.kinds()[0].ffn else { panic!("experts") };
    assert!(coe.router.renorm && coe.residual == Residual::Outer && coe.balance.is_empty());
    assert_eq!(mixtral.notes[0].key, "router_aux_loss_coef", "{:?}", mixtral.notes);

    let lite = imported(published("deepseek_v2_lite"));
    let layers: Vec<bool> = lite.model.layers.iter().map(|layer| layer.ffn.as_coe().is_some()).collect();
    assert!(!layers[0] && layers[1..].iter().all(|&experts| experts));
    let Attention::Mla(mla) = &lite.model.layers.kinds()[0].attention else { panic!("latent") };
    let Rope::Yarn { factor, mscale, .. } = mla.rope else { panic!("yarn") };
    assert_eq!((mla.q_rank, factor, mscale), (None, 40.0, 0.707));

    let v3 = imported(published("deepseek_v3"));
    let coe = v3.model.layers.kinds()[1].ffn.as_coe().unwrap();
    assert_eq!(coe.balance, [Balance::Bias { rate: 0.001 }, Balance::SeqAux { alpha: 0.001 }]);

    let coe = imported(published("coe"));
    let coe = coe.model.layers.kinds()[0].ffn.as_coe().unwrap();
    assert_eq!((coe.iter, coe.residual, coe.gate), (1, Residual::Inner, Gate::Independent));
}

#[test]
fn every_setting_is_honoured_or_listed() {
    let import = imported(published("olmoe_1b_7b"));
    let inert: Vec<_> = import.inert.iter().map(|inert| inert.key.as_str()).collect();
    let expected = [
        "attention_dropout",
        "eos_token_id",
        "initializer_range",
        "model_type",
        "pad_token_id",
        "torch_dtype",
        "transformers_version",
        "use_cache",
        "router_aux_loss_coef",
    ];
    assert_eq!(inert, expected);
}

/// The way back from what was published: an export describes the same model.
#[test]
fn an_export_is_the_same_model() {
    for (name, config) in PUBLISHED {
        let import = imported(config);
        let settings = export(&import.model, import.family, "bfloat16")
            .unwrap_or_else(|errors| panic!("{name}: {}", common::lines(&errors)));
        let again = imported(&coec_hf::pretty(&settings));
        assert_eq!(again.model, import.model, "{name}");
        assert_eq!(again.family, import.family, "{name}");
        // The router of the single chain is a list of one again.
        assert_eq!(tensors(&again.model, again.family), import.tensors(), "{name}");
    }
}

#[test]
fn what_was_kept_is_restored() {
    for (name, config) in PUBLISHED {
        let import = imported(config);
        let kept = Kept::read(config).unwrap();
        assert_eq!(kept.family(), import.family);
        assert_eq!(kept.restored(&import.model, "bfloat16").unwrap(), config, "{name}: byte for byte");

        let mut model = import.model.clone().into_inner();
        model.context /= 2;
        model.name = "shorter".into();
        let restored = kept.restored(&verified(model.clone()), "float32").unwrap();
        assert_eq!(nameless(&imported(&restored).model), nameless(&model), "{name}");
        let restored: serde_json::Value = serde_json::from_str(&restored).unwrap();
        let before: serde_json::Value = serde_json::from_str(config).unwrap();
        assert_eq!(restored["eos_token_id"], before["eos_token_id"], "{name}");
        assert_eq!(restored["transformers_version"], before["transformers_version"], "{name}");
        assert_eq!(restored["torch_dtype"], "float32", "{name}");
    }
}

#[test]
fn the_family_is_found_again() {
    for (name, config) in PUBLISHED {
        let import = imported(config);
        match import.family {
            // DeepSeek-V3 by other names, of which transformers knows the last.
            Family::KimiK2 | Family::JoyaiLlmFlash | Family::Glm4MoeLite => {
                assert_eq!(family_of(&import.model), Ok(Family::DeepseekV3), "{name}");
            }
            family if family.has_class() => assert_eq!(family_of(&import.model), Ok(family), "{name}"),
            // A folder that nothing loads is only written if it is asked for.
            Family::BailingMoeV2 => assert_eq!(family_of(&import.model), Ok(Family::Glm4Moe), "{name}"),
            _ => assert!(family_of(&import.model).is_err(), "{name}"),
        }
    }
}
