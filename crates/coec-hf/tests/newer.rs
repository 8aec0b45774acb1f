//! Families whose layers differ, whose tensors are joined, or whose authors have settings of their own.

mod common;

use coec_hf::{Family, HfError, Kept, Layout, Why, import, sort, tensors_as};
use coec_ir::{Attention, Ffn, Mha, Model, NormAt, Rope};
use common::{imported, lines, nameless, published, verified, with, without};
use serde_json::{Value, json};

fn errors(config: &str) -> Vec<HfError> {
    import(config, "m").err().unwrap_or_default()
}

/// Holds that one setting alone is refused, by name, and what would be accepted.
#[track_caller]
fn refuses(name: &str, key: &str, value: Value, accepted: &str) {
    let found = errors(&with(published(name), &[(key, value)]));
    let [error] = found.as_slice() else { panic!("one error: {}", lines(&found)) };
    assert_eq!((error.code(), error.key()), ("coec::hf::refused", Some(key)), "{error}");
    assert_eq!(error.help(), format!("accepted: {accepted}"), "{error}");
}

fn mha(model: &Model, layer: usize) -> &Mha {
    match &model.layers.iter().nth(layer).unwrap().attention {
        Attention::Mha(mha) => mha,
        Attention::Mla(_) => panic!("ordinary attention"),
    }
}

#[test]
fn gpt_oss_has_windows_where_layer_types_says() {
    let config = published("gpt_oss_20b");
    let windows = |config: &str| {
        let model = imported(config).model;
        (0..model.layers.len()).map(|layer| mha(&model, layer).window).collect::<Vec<_>>()
    };
    let published = windows(config);
    assert!((0..24).all(|layer| published[layer] == (layer % 2 == 0).then_some(128)));
    // Left out, the class has the same.
    assert_eq!(windows(&without(config, &["layer_types", "sliding_window"])), published);
    let all = vec!["sliding_attention"; 24];
    assert_eq!(windows(&with(config, &[("layer_types", json!(all))])), [Some(128); 24]);
    assert_eq!(windows(&with(config, &[("sliding_window", Value::Null)])), [None; 24]);
    refuses(
        "gpt_oss_20b",
        "layer_types",
        json!(["full_attention"]),
        "one word for each of num_hidden_layers",
    );
}

/// Where nothing describes the embedding, the class extends it; a plain one must be described as that.
#[test]
fn gpt_oss_extends_its_context_unless_it_is_told() {
    let config = published("gpt_oss_20b");
    let rope = |config: &str| mha(&imported(config).model, 0).rope;
    let Rope::Yarn { factor, truncate, original, .. } = rope(config) else { panic!("yarn") };
    assert_eq!((factor, truncate, original), (32.0, false, 4096));
    for nothing in [without(config, &["rope_scaling"]), with(config, &[("rope_scaling", Value::Null)])] {
        assert_eq!(rope(&nothing), rope(config));
    }
    let plain = with(config, &[("rope_scaling", json!({"rope_type": "default"}))]);
    assert_eq!(rope(&plain), Rope::plain(150_000.0));
    let model = imported(&plain).model;
    let written = coec_hf::export(&model, Family::GptOss, "bfloat16").unwrap();
    assert_eq!(written["rope_scaling"], json!({"rope_type": "default"}));
    assert_eq!(imported(&coec_hf::pretty(&written)).model, model);
}

#[test]
fn what_the_five_refuse() {
    refuses("gpt_oss_20b", "swiglu_limit", json!(5.0), "7");
    refuses("gpt_oss_20b", "swiglu_alpha", json!(1.0), "1.702");
    refuses("gpt_oss_20b", "experts_per_token", json!(3), "the value of `num_experts_per_tok`, or none");
    refuses(
        "granite_3_1_1b_a400m",
        "sliding_window",
        json!(16),
        "null, or at least max_position_embeddings (131072)",
    );
    refuses("ernie_4_5_21b_a3b", "use_bias", json!(true), "false");
    refuses("ernie_4_5_21b_a3b", "use_rmsnorm", json!(false), "true");
    refuses("ernie_4_5_21b_a3b", "rope_reorder", json!(true), "false");
    refuses("ernie_4_5_21b_a3b", "moe_use_aux_free", json!(false), "true");
    refuses("ernie_4_5_21b_a3b", "moe_gate_act", json!("sigmoid"), "\"softmax\"");
    refuses("ernie_4_5_21b_a3b", "moe_gate", json!("hash"), "\"topk\", \"top2_fused\"");
    refuses("ernie_4_5_21b_a3b", "moe_norm_min", json!(0.5), "1e-12");
    refuses("ernie_4_5_21b_a3b", "compression_ratio", json!(2.0), "1.0");
    let each = json!([3072, 1024]);
    refuses("hunyuan_a13b", "moe_intermediate_size", each, "3072");
    refuses("hunyuan_a13b", "num_shared_expert", json!(2), "1");
    refuses("hunyuan_a13b", "moe_topk", json!([8, 8]), "one for each of 32 layers");
    refuses("hunyuan_a13b", "attention_head_dim", json!(64), "the value of `head_dim`, or none");
    refuses("hunyuan_a13b", "routed_scaling_factor", json!(2.5), "1.0");
    for key in ["use_qk_norm", "use_mixed_mlp_moe", "norm_topk_prob", "use_rotary_pos_emb"] {
        refuses("hunyuan_a13b", key, json!(false), "true");
    }
    for key in ["use_cla", "use_mla", "mlp_bias", "moe_drop_tokens", "group_limited_greedy"] {
        refuses("hunyuan_a13b", key, json!(true), "false");
    }
    refuses("hunyuan_a13b", "moe_layer_num_skipped", json!(1), "0");
    refuses("hunyuan_a13b", "norm_type", json!("layer"), "\"rms\"");
    let found = errors(&without(published("hunyuan_a13b"), &["head_dim", "attention_head_dim"]));
    assert_eq!(found[0].to_string(), "config.json of hunyuan_v1_moe has no `head_dim`", "{}", lines(&found));
}

#[test]
fn hunyuan_stretches_its_base() {
    let theta = |scaling: Value| {
        let config = without(published("hunyuan_a13b"), &["rope_parameters"]);
        let import = imported(&with(&config, &[("rope_scaling", scaling), ("rope_theta", json!(1e4))]));
        match mha(&import.model, 0).rope {
            Rope::Rope { theta, .. } => theta,
            rope => panic!("{rope:?}"),
        }
    };
    let expected = 1e4 * 1000f64.powf(128.0 / 126.0);
    assert_eq!(theta(json!({"type": "dynamic", "alpha": 1000.0, "factor": 3.0, "mscale": 0.5})), expected);
    assert_eq!(theta(json!({"type": "dynamic", "alpha": 0, "factor": 2.0})), 1e4);
    assert_eq!(theta(Value::Null), 1e4);
    let far = json!({"type": "dynamic", "alpha": 1e6, "rope_theta": 1e12});
    let config = with(&without(published("hunyuan_a13b"), &["rope_parameters"]), &[("rope_scaling", far)]);
    assert_eq!(errors(&config)[0].key(), Some("rope_scaling.alpha"));
    // No other family's code has it.
    let alpha = json!({"type": "dynamic", "factor": 2.0, "alpha": 1000.0});
    let config =
        with(&without(published("ernie_4_5_21b_a3b"), &["rope_parameters"]), &[("rope_scaling", alpha)]);
    assert_eq!(errors(&config)[0].key(), Some("rope_scaling.alpha"));
}

#[test]
fn each_layer_of_hunyuan_may_select_as_many_as_it_likes() {
    let mut each = vec![8; 32];
    each[5] = 2;
    let model = imported(&with(published("hunyuan_a13b"), &[("moe_topk", json!(each))])).model;
    let selected = model.layers.iter().filter_map(|layer| layer.ffn.as_coe()).map(|coe| coe.k[0]);
    assert_eq!(selected.collect::<Vec<_>>(), each);
    let written = coec_hf::export(&model, Family::HunyuanV1Moe, "bfloat16").unwrap();
    assert_eq!(written["moe_topk"], json!(each));
    // Of the others none can say it.
    let error = coec_hf::export(&model, Family::Mixtral, "bfloat16").unwrap_err();
    assert!(!error.is_empty());
}

/// What Tencent's own code calls `hunyuan`: the same settings, without `head_dim`.
#[test]
fn hunyuan_by_its_authors_name() {
    let config = published("hunyuan_a13b");
    let theirs = with(&without(config, &["head_dim"]), &[("model_type", json!("hunyuan"))]);
    let import = imported(&theirs);
    assert_eq!((import.family, &import.unread), (Family::HunyuanV1Moe, &None));
    assert_eq!(import.model, imported(config).model);
    // As long as it describes the model it comes back, and what is written anew has the class's name.
    let kept = Kept::read(&theirs).unwrap();
    assert_eq!(kept.restored(&import.model, "bfloat16").unwrap(), theirs);
    let mut model = import.model.clone().into_inner();
    model.context = 1024;
    let restored = kept.restored(&verified(model.clone()), "bfloat16").unwrap();
    let settings: Value = serde_json::from_str(&restored).unwrap();
    assert_eq!(
        (&settings["model_type"], &settings["eod_token_id"]),
        (&json!("hunyuan_v1_moe"), &json!(127_967))
    );
    assert_eq!(nameless(&imported(&restored).model), nameless(&model));
}

/// What Baidu trains with: two layers fewer than it counts, and weights that are another framework's.
#[test]
fn ernie_as_it_is_trained() {
    let import = imported(include_str!("configs/ernie_pretraining.json"));
    let published = imported(published("ernie_4_5_21b_a3b"));
    let (theirs, ours) = (import.model.clone().into_inner(), published.model.clone().into_inner());
    let rope = |layer: &coec_ir::Layer| {
        let mut layer = layer.clone();
        if let Attention::Mha(mha) = &mut layer.attention {
            mha.rope = Rope::plain(1e4);
        }
        layer
    };
    let layers: Vec<_> = ours.layers.iter().map(rope).collect();
    let layers = coec_ir::Stack::from_layers(&layers);
    assert_eq!(theirs, Model { context: 4096, layers, ..ours });
    assert_eq!(import.family, Family::Ernie4_5Moe);
    let unread = import.unread.unwrap();
    assert_eq!((unread.code(), unread.key()), ("coec::hf::refused", Some("model_type")));
    // Under its other name such a file is none that the class reads as it is meant.
    let config =
        with(include_str!("configs/ernie_pretraining.json"), &[("model_type", json!("ernie4_5_moe"))]);
    let keys: Vec<_> = errors(&config).iter().map(|error| error.to_string()).collect();
    assert!(keys.iter().any(|words| words.starts_with("`remove_tail_layer`")), "{keys:?}");
}

#[test]
fn ernie_has_experts_where_three_numbers_say() {
    let sparse = |start: usize, end: i64, interval: usize| {
        let changes = [
            ("moe_layer_start_index", json!(start)),
            ("moe_layer_end_index", json!(end)),
            ("moe_layer_interval", json!(interval)),
        ];
        let model = imported(&with(published("ernie_4_5_21b_a3b"), &changes)).model;
        let layers = model.layers.iter().enumerate();
        layers.filter(|(_, layer)| matches!(layer.ffn, Ffn::Coe(_))).map(|(i, _)| i).collect::<Vec<_>>()
    };
    assert_eq!(sparse(1, -1, 1), (1..28).collect::<Vec<_>>());
    assert_eq!(sparse(20, 24, 1), [20, 21, 22, 23, 24]);
    assert_eq!(sparse(2, 9, 3), [2, 5, 8]);
    assert_eq!(sparse(3, 100, 9), [8, 17, 26]);
}

/// ERNIE's layers that predict further tokens stand beside the others.
#[test]
fn what_predicts_further_is_carried() {
    let import = imported(published("ernie_4_5_21b_a3b"));
    let tensors = import.tensors();
    let mut found: Vec<_> =
        tensors.iter().map(|tensor| (tensor.hf.as_str(), tensor.shape.as_slice())).collect();
    found.push(("model.mtp_block.0.input_layernorm.weight", &[2560]));
    let sorted = sort(&import.model, import.family, found.clone()).unwrap();
    assert_eq!(sorted.carried.len(), 1);
    assert_eq!(sorted.carried[0].why, Why::FurtherPrediction);
    assert!(import.notes.iter().any(|note| note.key == "num_nextn_predict_layers"), "{:?}", import.notes);
    // Of a family without such layers they are none.
    let olmo = imported(published("flex_olmo_7x7b"));
    let tensors = olmo.tensors();
    let mut found: Vec<_> =
        tensors.iter().map(|tensor| (tensor.hf.as_str(), tensor.shape.as_slice())).collect();
    found.push(("model.mtp_block.0.input_layernorm.weight", &[4096]));
    assert_eq!(sort(&olmo.model, olmo.family, found).unwrap_err().code(), "coec::hf::tensors");
}

/// The names of a layer's experts in the layouts of each family: published, and in the memory of transformers
/// 5.
#[test]
fn fused_names() {
    for (name, layout, expected) in [
        ("mixtral_8x7b", Layout::Fused, ["mlp.gate.weight", "mlp.experts.gate_up_proj"]),
        ("minimax_m2", Layout::Fused, ["mlp.e_score_correction_bias", "mlp.experts.down_proj"]),
        ("qwen1_5_moe_a2_7b", Layout::Fused, ["mlp.shared_expert.up_proj.weight", "mlp.experts.down_proj"]),
        ("hunyuan_a13b", Layout::Fused, ["mlp.gate.wg.weight", "mlp.experts.gate_up_proj"]),
        (
            "ernie_4_5_21b_a3b",
            Layout::Fused,
            ["mlp.gate.moe_statics.e_score_correction_bias", "mlp.experts.gate_up_proj"],
        ),
        (
            "granite_3_1_1b_a400m",
            Layout::Fused,
            ["block_sparse_moe.router.weight", "block_sparse_moe.experts.gate_up_proj"],
        ),
        // In memory as it is published.
        ("gpt_oss_20b", Layout::Fused, ["mlp.router.weight", "mlp.experts.gate_up_proj"]),
        ("coe", Layout::Fused, ["mlp.gate.0.weight", "mlp.experts.0.gate_proj.weight"]),
    ] {
        let import = imported(published(name));
        let tensors = tensors_as(&import.model, import.family, layout);
        for expected in expected {
            let whole = format!("model.layers.1.{expected}");
            assert!(tensors.iter().any(|tensor| tensor.hf == whole), "{name}: {whole}");
        }
    }
}

#[test]
fn norms_of_flex_olmo_stand_behind() {
    let import = imported(published("flex_olmo_7x7b"));
    assert_eq!(mha(&import.model, 0).norm_at, NormAt::After);
    let named = |contract: &str| {
        let is_it = |tensor: &&coec_hf::Mapped| tensor.parts[0].contract == contract;
        import.tensors().iter().find(is_it).map(|tensor| tensor.hf.clone())
    };
    let first = named("model.layers.0.input_layernorm.weight");
    assert_eq!(first.as_deref(), Some("model.layers.0.post_attention_layernorm.weight"));
    let second = named("model.layers.0.post_attention_layernorm.weight");
    assert_eq!(second.as_deref(), Some("model.layers.0.post_feedforward_layernorm.weight"));
    assert_eq!(named("model.norm.weight").as_deref(), Some("model.norm.weight"));
}
