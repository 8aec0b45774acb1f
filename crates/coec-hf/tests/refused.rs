//! What a config.json may say that is no model here, and that it is named.

mod common;

use coec_hf::{Family, HfError, Kept, Layout, export, family_of, import, sort};
use coec_ir::{
    Act, Attention, Balance, ChainNorm, Ffn, Gate, GroupScore, Groups, LatentProjection, Layer, Mha, Mla,
    Model, Pairs, Projection, Residual, Rope, Score, SharedAt, Stack,
};
use common::{imported, lines, nameless, published, verified, with, without};
use serde_json::{Value, json};

/// The errors of a published configuration with one setting replaced.
fn errors(name: &str, key: &str, value: Value) -> Vec<HfError> {
    match import(&with(published(name), &[(key, value.clone())]), "m") {
        Ok(_) => panic!("{name} takes {key}={value}"),
        Err(errors) => errors,
    }
}

/// Holds that one setting alone is refused, by name, with its value and what would be accepted.
#[track_caller]
fn refuses(name: &str, key: &str, value: Value, accepted: &str) {
    let found = errors(name, key, value.clone());
    let [error] = found.as_slice() else { panic!("one error: {}", lines(&found)) };
    assert_eq!(error.code(), "coec::hf::refused", "{error}");
    assert!(error.to_string().starts_with(&format!("`{key}` in config.json is ")), "{error}");
    assert_eq!(error.help(), format!("accepted: {accepted}"), "{error}");
}

#[test]
fn settings_that_the_language_cannot_say() {
    refuses("mixtral_8x7b", "hidden_act", json!("relu"), "\"silu\", \"gelu\"");
    refuses("mixtral_8x7b", "partial_rotary_factor", json!(0.5), "1.0");
    refuses("mixtral_8x7b", "layer_types", json!(["sliding_attention"]), "\"full_attention\" in every layer");
    refuses(
        "mixtral_8x7b",
        "architectures",
        json!(["MixtralForSequenceClassification"]),
        "[\"MixtralForCausalLM\"]",
    );
    refuses("mixtral_8x7b", "num_experts", json!(4), "the value of `num_local_experts`, or none");
    refuses("olmoe_1b_7b", "clip_qkv", json!(8.0), "null");
    refuses("olmoe_1b_7b", "sliding_window", json!(1024), "null, or at least max_position_embeddings (4096)");
    refuses("olmoe_1b_7b", "head_dim", json!(64), "128, or left out");
    let multiple = "a multiple of moe_intermediate_size (1408)";
    refuses("qwen1_5_moe_a2_7b", "shared_expert_intermediate_size", json!(5000), multiple);
    refuses("qwen3_30b_a3b", "use_qk_norm", json!(false), "true");
    refuses("qwen3_30b_a3b", "shared_expert_intermediate_size", json!(768), "0");
    refuses("deepseek_v2", "topk_method", json!("noaux_tc"), "\"greedy\", \"group_limited_greedy\"");
    refuses("deepseek_v2", "scoring_func", json!("sigmoid"), "\"softmax\"");
    refuses("deepseek_v2", "norm_topk_prob", json!(true), "false");
    refuses("deepseek_v2", "moe_layer_freq", json!(2), "1");
    refuses("deepseek_v2", "mlp_bias", json!(true), "false");
    refuses("deepseek_v3", "scoring_func", json!("softmax"), "\"sigmoid\"");
    refuses("deepseek_v3", "topk_method", json!("greedy"), "\"noaux_tc\"");
    refuses("coe", "first_k_dense_replace", json!(1), "0");
    assert_eq!(errors("coe", "residual", json!("delta"))[0].code(), "coec::hf::refused");
    refuses_of_newer_families();
    // Off is off, however it is written.
    for (key, value) in [
        ("router_jitter_noise", json!(0)),
        ("quantization_config", Value::Null),
        ("sliding_window", json!(32768)),
    ] {
        imported(&with(published("mixtral_8x7b"), &[(key, value)]));
    }
}

fn refuses_of_newer_families() {
    refuses("dots_llm1", "scoring_func", json!("softmax"), "\"sigmoid\"");
    refuses("dots_llm1", "partial_rotary_factor", json!(0.5), "1.0");
    refuses("dots_llm1", "use_qk_norm", json!(false), "true");
    refuses("dots_llm1", "layer_types", json!(["linear"]), "\"sliding_attention\", \"full_attention\"");
    let each = "one word for each of num_hidden_layers";
    refuses("dots_llm1", "layer_types", json!(["full_attention"]), each);
    refuses("glm_4_5_air", "topk_method", json!("greedy"), "\"noaux_tc\"");
    refuses("glm_4_5_air", "moe_layer_freq", json!(2), "1");
    refuses("glm_4_7_flash", "partial_rotary_factor", json!(0.5), "1.0");
    refuses("glm_4_7_flash", "head_dim", json!(192), "64, or left out");
    refuses("minimax_m2", "use_qk_norm", json!(false), "true");
    refuses("minimax_m2", "qk_norm_type", json!("per_head"), "\"per_layer\"");
    refuses("minimax_m2", "use_routing_bias", json!(false), "true");
    refuses("minimax_m2", "shared_intermediate_size", json!(1536), "0");
    refuses("minimax_m2", "layernorm_mlp_beta", json!(3.5), "1.0");
    refuses("minimax_m2", "attn_type_list", json!([0, 1]), "1 for each of num_hidden_layers");
    assert_eq!(errors("minimax_m2", "partial_rotary_factor", json!(0.25))[0].key(), Some("rotary_dim"));
    refuses("deepseek_moe_16b", "scoring_func", json!("sigmoid"), "\"softmax\"");
    refuses("ling_lite_1_5", "norm_softmax", json!(true), "false");
    refuses("ling_lite_1_5", "use_sliding_window", json!(true), "false");
    refuses("ling_mini_2_0", "score_function", json!("softmax"), "\"sigmoid\"");
    refuses("ling_mini_2_0", "norm_topk_prob", json!(false), "true");
    let width = "moe_intermediate_size (512), or none";
    refuses("ling_mini_2_0", "moe_shared_expert_intermediate_size", json!(1024), width);
    refuses("ling_mini_2_0", "use_bias", json!(true), "false, or true with use_qkv_bias");
    let yarn = json!({"rope_type": "yarn", "factor": 4.0});
    for name in ["deepseek_moe_16b", "ling_lite_1_5"] {
        refuses(name, "rope_scaling", yarn.clone(), "null");
    }
    // Without the list the class makes the first layer dense, whatever the file says.
    let config = without(published("glm_4_7_flash"), &["mlp_layer_types"]);
    let found = import(&with(&config, &[("first_k_dense_replace", json!(2))]), "m").unwrap_err();
    assert_eq!(found[0].key(), Some("first_k_dense_replace"), "{}", lines(&found));
    imported(&config);
}

/// What changes a training and no logits is said, and stops nothing.
#[test]
fn what_changes_no_logits_stops_no_import() {
    let noted = |name: &str, key: &str, value: Value| {
        let import = imported(&with(published(name), &[(key, value)]));
        assert_eq!(nameless(&import.model), nameless(&imported(published(name)).model), "{name}: {key}");
        let note = import.notes.iter().find(|note| note.key == key);
        assert!(note.is_some(), "{name}: {key}: {:?}", import.notes);
        assert!(import.inert.iter().any(|inert| inert.key == key), "{name}: {key}");
    };
    noted("mixtral_8x7b", "attention_dropout", json!(0.1));
    noted("mixtral_8x7b", "router_jitter_noise", json!(0.01));
    noted("mixtral_8x7b", "output_router_logits", json!(true));
    noted("olmoe_1b_7b", "output_router_logits", json!(true));
    noted("qwen1_5_moe_a2_7b", "hidden_dropout", json!(0.2));
    noted("ling_lite_1_5", "embedding_dropout", json!(0.1));
    for (name, key) in
        [("deepseek_v3", "num_nextn_predict_layers"), ("glm_4_5_air", "num_nextn_predict_layers")]
    {
        noted(name, key, json!(1));
    }
    noted("minimax_m2", "num_mtp_modules", json!(3));
    let silent = |name: &str, key: &str, value: Value| {
        let import = imported(&with(published(name), &[(key, value.clone())]));
        assert_eq!(nameless(&import.model), nameless(&imported(published(name)).model), "{name}: {key}");
        assert!(!import.notes.iter().any(|note| note.key == key), "{name}: {key}={value}");
    };
    silent("qwen1_5_moe_a2_7b", "hidden_dropout", json!(0.0));
    silent("qwen3_30b_a3b", "use_qk_norm", json!(true));
    silent("qwen3_30b_a3b", "shared_expert_intermediate_size", json!(0));
    silent("deepseek_v2", "num_key_value_heads", json!(8));
    silent("mixtral_8x7b", "is_llama_config", json!(true));
    silent("mixtral_8x7b", "transformers.js_config", json!({"kv_cache_dtype": {}}));
    silent("minimax_m2", "use_mtp", json!(true));
}

/// The window of each layer.
fn windows(config: &str) -> Vec<Option<usize>> {
    let window = |layer: &Layer| match &layer.attention {
        Attention::Mha(mha) => mha.window,
        Attention::Mla(mla) => mla.window,
    };
    imported(config).model.layers.iter().map(window).collect()
}

#[test]
fn windows_are_in_the_layers_that_the_class_gives_them() {
    let windowed = |name: &str, settings: &[(&str, Value)]| windows(&with(published(name), settings));
    let some = Some(4096);
    assert_eq!(windowed("mixtral_8x7b", &[("sliding_window", json!(4096))]), vec![some; 32]);
    assert_eq!(windowed("mixtral_8x7b", &[("sliding_window", json!(32768))]), vec![None; 32]);
    let on = [("use_sliding_window", json!(true)), ("sliding_window", json!(4096))];
    assert_eq!(windowed("qwen3_30b_a3b", &on), vec![some; 48]);
    assert_eq!(windowed("qwen3_30b_a3b", &on[1..]), vec![None; 48]);

    // Of Qwen2-MoE every second layer below `max_window_layers`, 21 here, or those that are listed.
    let expected: Vec<_> = (0..24).map(|layer| some.filter(|_| layer < 21 && layer % 2 == 0)).collect();
    assert_eq!(windowed("qwen1_5_moe_a2_7b", &on), expected);
    let types: Vec<_> =
        (0..24).map(|layer| if layer == 5 { "sliding_attention" } else { "full_attention" }).collect();
    let listed = ("layer_types", json!(types));
    let expected: Vec<_> = (0..24).map(|layer| some.filter(|_| layer == 5)).collect();
    assert_eq!(windowed("qwen1_5_moe_a2_7b", &[&on[..], std::slice::from_ref(&listed)].concat()), expected);
    let config = with(published("qwen1_5_moe_a2_7b"), &[listed]);
    assert_eq!(import(&config, "m").unwrap_err()[0].key(), Some("layer_types"));
    assert_eq!(windowed("qwen1_5_moe_a2_7b", &[("sliding_window", json!(0))]), vec![None; 24]);
    let wide = [("use_sliding_window", json!(true)), ("sliding_window", json!(8192))];
    assert_eq!(windowed("qwen1_5_moe_a2_7b", &wide), vec![None; 24]);

    // Of dots.llm1 the last ones; there is a window if nothing is said, and no layer that has it.
    assert_eq!(windowed("dots_llm1", &[]), vec![None; 62]);
    let expected: Vec<_> = (0..62).map(|layer| some.filter(|_| layer >= 60)).collect();
    assert_eq!(windowed("dots_llm1", &[("max_window_layers", json!(60))]), expected);
}

/// A way back keeps them.
#[test]
fn windows_come_back() {
    let on = [("use_sliding_window", json!(true)), ("sliding_window", json!(4096))];
    for (name, settings) in [
        ("mixtral_8x7b", &on[1..]),
        ("qwen3_30b_a3b", &on),
        ("qwen1_5_moe_a2_7b", &on),
        ("dots_llm1", &[("max_window_layers", json!(60))]),
    ] {
        let import = imported(&with(published(name), settings));
        let settings = export(&import.model, import.family, "float32").unwrap();
        assert_eq!(imported(&coec_hf::pretty(&settings)).model, import.model, "{name}");
    }
    // Mixtral has one in all layers, OLMoE none.
    let qwen = imported(&with(published("qwen1_5_moe_a2_7b"), &on)).model;
    let found = export(&qwen, Family::Mixtral, "float32").unwrap_err();
    assert!(
        lines(&found).contains("attention[1].window=none: one window in all layers"),
        "{}",
        lines(&found)
    );
    let mixtral = imported(&with(published("mixtral_8x7b"), &on[1..])).model;
    let found = lines(&export(&mixtral, Family::Deepseek, "float32").unwrap_err());
    assert!(found.contains("attention.window=4096: the family has no setting for it"), "{found}");
}

/// Latent attention of which the words say what the settings do.
#[test]
fn settings_of_latent_attention() {
    let latent = |name: &str, key: &str, value: Value| {
        let import = imported(&with(published(name), &[(key, value)]));
        let Attention::Mla(mla) = &import.model.layers.kinds()[0].attention else { panic!("latent") };
        let settings = export(&import.model, import.family, "float32").unwrap();
        assert_eq!(imported(&coec_hf::pretty(&settings)).model, import.model, "{name}: {key}");
        mla.clone()
    };
    // The norms of the latents have their own eps, whatever the model's is.
    for name in ["deepseek_v2", "deepseek_v3", "coe"] {
        assert_eq!(latent(name, "rms_norm_eps", json!(1e-5)).latent_eps, Some(1e-6), "{name}");
        assert_eq!(latent(name, "rms_norm_eps", json!(1e-6)).latent_eps, None, "{name}");
    }
    assert_eq!(latent("deepseek_v3", "rope_interleave", json!(false)).pairs, Pairs::Halves);
    assert_eq!(latent("deepseek_v3", "attention_bias", json!(true)).bias, LatentProjection::ALL);
    let direct =
        with(published("deepseek_v3"), &[("q_lora_rank", Value::Null), ("attention_bias", json!(true))]);
    let direct = imported(&direct).model;
    let Attention::Mla(mla) = &direct.layers.kinds()[0].attention else { panic!("latent") };
    assert_eq!(mla.bias, LatentProjection::ALL[1..]);
}

/// Where the output head is no matrix as it is.
#[test]
fn settings_that_are_read_without_weights() {
    assert_eq!(imported(published("ling_lite_1_5")).unread, None);
    let import = imported(&with(published("ling_lite_1_5"), &[("norm_head", json!(true))]));
    assert_eq!((import.unread, import.unit_columns), (None, Some("lm_head.weight")));
    let tied = [("norm_head", json!(true)), ("tie_word_embeddings", json!(true))];
    let import = imported(&with(published("ling_lite_1_5"), &tied));
    let unread = import.unread.unwrap();
    assert_eq!((unread.code(), unread.key()), ("coec::hf::refused", Some("norm_head")));
    assert!(import.notes.iter().any(|note| note.key == "norm_head"), "{:?}", import.notes);
}

/// Biases of everything but queries, keys and values, unless they are switched off.
#[test]
fn biases_of_ling() {
    let biased = [("use_bias", json!(true)), ("first_k_dense_replace", json!(1))];
    let model = imported(&with(published("ling_lite_1_5"), &biased)).model;
    let [dense, sparse] = model.layers.kinds() else { panic!("two kinds of layers") };
    let (Attention::Mha(mha), Ffn::Dense(dense)) = (&dense.attention, &dense.ffn) else { panic!("dense") };
    assert_eq!(mha.bias, [Projection::O]);
    assert!(dense.bias && sparse.ffn.as_coe().unwrap().bias);
    let settings = export(&model, Family::BailingMoe, "float32").unwrap();
    assert_eq!(imported(&coec_hf::pretty(&settings)).model, model);
    let unsaid = imported(&without(published("ling_lite_1_5"), &["use_bias"])).model;
    assert!(unsaid.layers.kinds()[0].ffn.as_coe().unwrap().bias, "the class's default");
}

/// Both of Ling's have the first's `model_type`.
#[test]
fn the_second_ling_is_told_by_its_settings() {
    let family = |config: &str| imported(config).family;
    let second = published("ling_mini_2_0");
    assert_eq!(family(published("ling_lite_1_5")), Family::BailingMoe);
    assert_eq!(family(second), Family::BailingMoeV2);
    assert_eq!(family(&without(second, &["architectures"])), Family::BailingMoeV2);
    assert_eq!(family(&with(second, &[("model_type", json!("bailing_moe_v2"))])), Family::BailingMoeV2);
    assert_eq!(family(&without(published("ling_lite_1_5"), &["architectures"])), Family::BailingMoe);
}

#[test]
fn rotary_embeddings_that_the_codes_read_differently() {
    let yarn = |changes: Value| {
        let mut scaling =
            json!({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4096});
        scaling.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        scaling
    };
    let codes = |name: &str, scaling: Value| match import(
        &with(published(name), &[("rope_scaling", scaling)]),
        "m",
    ) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(|error| error.to_string()).collect::<Vec<_>>(),
    };
    let starts =
        |found: Vec<String>, with: &str| assert!(found.len() == 1 && found[0].starts_with(with), "{found:?}");
    for name in ["qwen3_30b_a3b", "deepseek_v2", "coe"] {
        assert_eq!(codes(name, yarn(json!({}))), Vec::<String>::new(), "{name}");
        assert_eq!(
            codes(name, yarn(json!({"mscale": 1.0, "mscale_all_dim": 0}))),
            Vec::<String>::new(),
            "{name}"
        );
        if name != "qwen3_30b_a3b" {
            starts(codes(name, yarn(json!({"attention_factor": 1.2}))), "`rope_scaling.attention_factor`");
        }
        starts(codes(name, yarn(json!({"type": "linear"}))), "`rope_scaling.type`");
        starts(codes(name, yarn(json!({"finetuned": true}))), "`rope_scaling.finetuned`");
        starts(codes(name, yarn(json!({"factor": 0.5}))), "`rope_scaling.factor`");
        starts(codes(name, json!({"type": "linear", "factor": 2.0})), "`rope_scaling.type`");
        starts(codes(name, json!({"rope_type": "llama3"})), "`rope_scaling.rope_type`");
        starts(
            codes(name, json!({"rope_type": "yarn"})).split_off(if name == "deepseek_v2" { 1 } else { 0 }),
            match name {
                "deepseek_v2" => {
                    "config.json of deepseek_v2 has no `rope_scaling.original_max_position_embeddings`"
                }
                _ => "config.json of",
            },
        );
    }
    starts(codes("coe", yarn(json!({"truncate": false}))), "`rope_scaling.truncate`");
    let smaller = json!({"attention_factor": 0.5});
    starts(codes("qwen3_30b_a3b", yarn(smaller)), "`rope_scaling.attention_factor`");
    let scales = json!({"mscale": 0.7, "mscale_all_dim": 0.7});
    assert_eq!(codes("deepseek_v2", yarn(scales)), Vec::<String>::new());
    starts(codes("deepseek_v2", yarn(json!({"mscale": 0.7}))), "`rope_scaling.mscale`");
    starts(codes("deepseek_v2", yarn(json!({"mscale_all_dim": 1.0}))), "`rope_scaling.mscale_all_dim`");
    assert_eq!(codes("coe", yarn(json!({"mscale_all_dim": 1.0}))), Vec::<String>::new());

    // Two spellings at once must agree.
    let both = |inner: f64| {
        let parameters = json!({"rope_type": "default", "rope_theta": inner});
        import(&with(published("mixtral_8x7b"), &[("rope_parameters", parameters)]), "m")
    };
    assert!(both(1e6).is_ok());
    assert!(both(1e4).unwrap_err()[0].to_string().starts_with("`rope_parameters.rope_theta`"));
}

/// The scale of YaRN, by which transformers multiplies cos and sin of ordinary attention, and nothing else.
#[test]
fn any_factor_of_cos_and_sin() {
    let read = |name: &str, changes: Value| {
        let mut scaling =
            json!({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4096});
        scaling.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let settings = [("rope_scaling", scaling), ("rope_parameters", Value::Null)];
        let import = imported(&with(published(name), &settings));
        let settings = export(&import.model, import.family, "float32").unwrap();
        let again = coec_hf::pretty(&settings);
        assert_eq!(imported(&again).model, import.model, "{again}");
        match &import.model.layers.kinds()[0].attention {
            Attention::Mha(Mha { rope, .. }) | Attention::Mla(Mla { rope, .. }) => *rope,
        }
    };
    let m = |s: f64| 0.1 * s * 4f64.ln() + 1.0;
    for (changes, expected) in [
        (json!({}), m(1.0)),
        (json!({"mscale": 0.7}), m(1.0)),
        (json!({"mscale": 0.8, "mscale_all_dim": 0.5}), m(0.8) / m(0.5)),
        (json!({"mscale": 0.8, "mscale_all_dim": 0.8}), 1.0),
        (json!({"attention_factor": 1.3}), 1.3),
        (json!({"attention_factor": 1.0, "mscale": 1.0}), 1.0),
    ] {
        // In ordinary attention all of it is said of cos and sin.
        let Rope::Yarn { mscale, mscale_all_dim, .. } = read("qwen3_30b_a3b", changes.clone()) else {
            panic!("yarn")
        };
        assert_eq!(mscale_all_dim, 0.0, "{changes}");
        assert!((m(mscale) - expected).abs() < 1e-15, "{changes}: {} and not {expected}", m(mscale));
        // In latent attention the softmax has its own.
        let Rope::Yarn { mscale, mscale_all_dim, .. } = read("glm_4_7_flash", changes.clone()) else {
            panic!("yarn")
        };
        assert_eq!(mscale_all_dim, changes["mscale_all_dim"].as_f64().unwrap_or(0.0), "{changes}");
        assert!((m(mscale) / m(mscale_all_dim) - expected).abs() < 1e-15, "{changes}");
    }
    let ratio = json!({"factor": null});
    assert!(matches!(read("qwen3_30b_a3b", ratio), Rope::Yarn { factor: 10.0, .. }));
}

/// How much of a head turns, however it is said.
#[test]
fn parts_of_heads() {
    let dim = |name: &str, settings: &[(&str, Value)]| {
        let import = imported(&with(published(name), settings));
        let settings = export(&import.model, import.family, "float32").unwrap();
        assert_eq!(imported(&coec_hf::pretty(&settings)).model, import.model, "{name}");
        let Attention::Mha(mha) = &import.model.layers.kinds()[0].attention else { panic!("ordinary") };
        let (Rope::Rope { dim, .. } | Rope::Yarn { dim, .. }) = mha.rope;
        dim
    };
    let inside = |fraction: f64| json!({"rope_type": "default", "partial_rotary_factor": fraction});
    assert_eq!(dim("glm_4_5_air", &[]), Some(64));
    assert_eq!(dim("glm_4_5_air", &[("partial_rotary_factor", Value::Null)]), Some(64));
    assert_eq!(dim("glm_4_5_air", &[("partial_rotary_factor", json!(1.0))]), None);
    // 102.4 dimensions are 102.
    assert_eq!(dim("glm_4_5_air", &[("partial_rotary_factor", json!(0.8))]), Some(102));
    let both = [("partial_rotary_factor", Value::Null), ("rope_parameters", inside(0.25))];
    assert_eq!(dim("glm_4_5_air", &both), Some(32));
    let found = import(&with(published("glm_4_5_air"), &both[1..]), "m").unwrap_err();
    assert_eq!(found[0].key(), Some("rope_parameters.partial_rotary_factor"));
    assert_eq!(dim("minimax_m2", &[]), Some(64));
    assert_eq!(dim("minimax_m2", &[("rotary_dim", Value::Null)]), None);
    assert_eq!(
        dim("minimax_m2", &[("rotary_dim", json!(48)), ("partial_rotary_factor", json!(0.375))]),
        Some(48)
    );
    assert_eq!(dim("ling_mini_2_0", &[]), Some(64));
    let found = errors("glm_4_5_air", "partial_rotary_factor", json!(1.5));
    assert_eq!(found[0].code(), "coec::hf::out_of_range");
}

/// Texts within the context know nothing of a scaling that begins behind it.
#[test]
fn scalings_that_do_nothing_within_the_context() {
    for scaling in [json!({"type": "dynamic", "factor": 8.0}), json!({"type": "linear", "factor": 1.0})] {
        for name in ["mixtral_8x7b", "deepseek_moe_16b", "deepseek_v3"] {
            let plain = with(published(name), &[("rope_scaling", Value::Null)]);
            let config = with(published(name), &[("rope_scaling", scaling.clone())]);
            assert_eq!(imported(&config).model, imported(&plain).model, "{name}: {scaling}");
        }
    }
}

#[test]
fn what_is_unknown_is_refused_unless_it_is_off() {
    let [error] = &errors("olmoe_1b_7b", "use_fancy_routing", json!(true))[..] else { panic!("one error") };
    assert_eq!(error.code(), "coec::hf::unknown_setting");
    assert_eq!(
        error.to_string(),
        "`use_fancy_routing` in config.json is true, and olmoe has no such setting"
    );
    for off in [json!(false), Value::Null] {
        let import = imported(&with(published("olmoe_1b_7b"), &[("use_fancy_routing", off)]));
        let listed = import.inert.iter().find(|inert| inert.key == "use_fancy_routing").unwrap();
        assert_eq!(listed.why, "switches nothing on");
    }
    // A setting of one family is none of another's.
    assert_eq!(errors("mixtral_8x7b", "norm_topk_prob", json!(true))[0].code(), "coec::hf::unknown_setting");
}

#[test]
fn values_that_are_none() {
    for (key, value, code, words) in [
        (
            "vocab_size",
            json!("many"),
            "coec::hf::wrong_type",
            "`vocab_size` in config.json is \"many\", and must be a whole number",
        ),
        (
            "vocab_size",
            json!(1.5),
            "coec::hf::wrong_type",
            "`vocab_size` in config.json is 1.5, and must be a whole number",
        ),
        (
            "vocab_size",
            json!(0),
            "coec::hf::out_of_range",
            "`vocab_size` in config.json is 0, which is out of range",
        ),
        (
            "vocab_size",
            json!(-1),
            "coec::hf::out_of_range",
            "`vocab_size` in config.json is -1, which is out of range",
        ),
        (
            "hidden_size",
            json!(1u64 << 60),
            "coec::hf::out_of_range",
            "`hidden_size` in config.json is 1152921504606846976, which is out of range",
        ),
        (
            "rms_norm_eps",
            Value::Null,
            "coec::hf::wrong_type",
            "`rms_norm_eps` in config.json is null, and must be a number",
        ),
        (
            "rms_norm_eps",
            json!(0),
            "coec::hf::out_of_range",
            "`rms_norm_eps` in config.json is 0, which is out of range",
        ),
        (
            "tie_word_embeddings",
            json!(1),
            "coec::hf::wrong_type",
            "`tie_word_embeddings` in config.json is 1, and must be true or false",
        ),
        (
            "hidden_act",
            json!(3),
            "coec::hf::wrong_type",
            "`hidden_act` in config.json is 3, and must be a word",
        ),
        (
            "mlp_only_layers",
            json!(3),
            "coec::hf::wrong_type",
            "`mlp_only_layers` in config.json is 3, and must be a list of layers",
        ),
        (
            "mlp_only_layers",
            json!([99]),
            "coec::hf::out_of_range",
            "`mlp_only_layers` in config.json is [99], which is out of range",
        ),
        (
            "rope_scaling",
            json!("yarn"),
            "coec::hf::wrong_type",
            "`rope_scaling` in config.json is \"yarn\", and must be an object or null",
        ),
        (
            "num_experts_per_tok",
            json!(129),
            "coec::hf::inconsistent",
            "`num_experts_per_tok` in config.json does not fit the other settings: iteration 1 selects 129 experts of 128",
        ),
        (
            "num_key_value_heads",
            json!(5),
            "coec::hf::inconsistent",
            "`num_key_value_heads` in config.json does not fit the other settings: 32 heads cannot share 5 key-value heads evenly",
        ),
    ] {
        let [error] = &errors("qwen3_30b_a3b", key, value)[..] else { panic!("{key}: one error") };
        assert_eq!((error.code(), error.to_string().as_str()), (code, words));
    }
    let [error] = &errors("deepseek_v3", "n_group", json!(7))[..] else { panic!("one error") };
    assert_eq!(
        error.to_string(),
        "`n_group` in config.json does not fit the other settings: 256 experts do not form 7 equal groups"
    );
}

#[test]
fn what_is_left_out_has_the_families_default() {
    let bare = |model_type: &str| imported(&json!({"model_type": model_type}).to_string()).model;
    assert_eq!((bare("mixtral").context, bare("mixtral").layers.len()), (131_072, 32));
    assert_eq!((bare("olmoe").vocab, bare("qwen2_moe").vocab, bare("qwen3_moe").dim), (50304, 151_936, 2048));
    assert_eq!(bare("deepseek_v3").layers.len(), 61);
    // Where the published class has no default that its code can run, there is none here.
    for (model_type, expected) in [
        ("deepseek_v2", vec!["num_experts_per_tok"]),
        ("coe_deepseekv2", vec!["num_experts_per_tok", "n_routed_experts", "inner_iter", "use_igate"]),
    ] {
        let found = import(&json!({"model_type": model_type}).to_string(), "m").unwrap_err();
        let words: Vec<_> = found.iter().map(HfError::to_string).collect();
        let expected = expected.iter().map(|key| format!("config.json of {model_type} has no `{key}`"));
        assert_eq!(words, expected.collect::<Vec<_>>());
    }
}

#[test]
fn files_that_are_no_configuration() {
    for (text, code, words) in [
        (
            "",
            "coec::hf::not_json",
            "config.json is no JSON object: EOF while parsing a value at line 1 column 0",
        ),
        ("[1]", "coec::hf::not_json", "config.json is no JSON object: it is a value of another type"),
        (
            "{\"a\": 1",
            "coec::hf::not_json",
            "config.json is no JSON object: EOF while parsing an object at line 1 column 7",
        ),
        ("{}", "coec::hf::model_type", "config.json has no `model_type`"),
        (
            "{\"model_type\": \"llama\"}",
            "coec::hf::model_type",
            "config.json has the unknown `model_type` \"llama\"",
        ),
    ] {
        let [error] = &import(text, "m").unwrap_err()[..] else { panic!("{text}: one error") };
        assert_eq!((error.code(), error.to_string().as_str()), (code, words));
        assert_eq!(Kept::read(text).unwrap_err(), *error);
    }
    // Depth is bounded by the JSON reader, so a hostile file overflows no stack.
    assert_eq!(import(&"[".repeat(1 << 20), "m").unwrap_err()[0].code(), "coec::hf::not_json");
}

/// All errors of a file are reported together.
#[test]
fn every_error_is_reported() {
    let found = import(
        &with(
            published("mixtral_8x7b"),
            &[
                ("hidden_act", json!("relu")),
                ("vocab_size", json!("many")),
                ("layer_types", json!(["sliding_attention"])),
                ("novelty", json!(1)),
            ],
        ),
        "m",
    )
    .unwrap_err();
    let codes: Vec<_> = found.iter().map(HfError::code).collect();
    let (refused, wrong) = ("coec::hf::refused", "coec::hf::wrong_type");
    assert_eq!(codes, [wrong, refused, refused, "coec::hf::unknown_setting"], "{}", lines(&found));
}

#[test]
fn the_two_ways_to_say_a_residual() {
    let residual = |changes: &[(&str, Value)]| {
        let config = with(&without(published("coe"), &["residual"]), changes);
        import(&config, "m").map(|import| import.model.layers.kinds()[0].ffn.as_coe().unwrap().residual)
    };
    let flags =
        |inner: bool, outer: bool| [("inner_residual", json!(inner)), ("outer_residual", json!(outer))];
    assert_eq!(residual(&[]), Ok(Residual::Inner));
    assert_eq!(residual(&flags(true, false)), Ok(Residual::Inner));
    assert_eq!(residual(&flags(false, true)), Ok(Residual::Outer));
    assert_eq!(residual(&flags(true, true)), Ok(Residual::Both));
    assert_eq!(residual(&flags(false, false)), Ok(Residual::None));
    assert_eq!(residual(&[("residual", json!("addinit"))]), Ok(Residual::Init));
    assert_eq!(residual(&[("inner_residual", json!(true))]).unwrap_err()[0].code(), "coec::hf::missing");
    let contradiction =
        [("residual", json!("none")), ("inner_residual", json!(true)), ("outer_residual", json!(false))];
    assert_eq!(residual(&contradiction).unwrap_err()[0].code(), "coec::hf::refused");
}

/// A small model of a family, whose chain a test may change.
fn small(name: &str, change: impl Fn(&mut coec_ir::Coe)) -> Model {
    let mut model = imported(published(name)).model.into_inner();
    let layers: Vec<Layer> = model.layers.kinds().to_vec();
    let layers = layers.into_iter().map(|mut layer| {
        if let Ffn::Coe(coe) = &mut layer.ffn {
            change(coe);
        }
        layer
    });
    model.layers = Stack::from_layers(&layers.collect::<Vec<_>>());
    model
}

#[test]
fn models_that_a_family_cannot_express() {
    use Family::*;
    let groups = Groups { groups: 4, keep: 2, score: GroupScore::Max };
    type Change = fn(&mut coec_ir::Coe);
    let cases: [(&str, Family, Change, &str); 14] = [
        ("mixtral_8x7b", Mixtral, |c| (c.iter, c.k) = (2, vec![2, 2]), "ffn.iter=2: one iteration"),
        (
            "mixtral_8x7b",
            Mixtral,
            |c| c.residual = Residual::Inner,
            "ffn.residual=inner: the stream is added to what the experts made",
        ),
        (
            "mixtral_8x7b",
            Mixtral,
            |c| c.router.renorm = false,
            "ffn.router.renorm=false: weights are always renormalised",
        ),
        ("mixtral_8x7b", Mixtral, |c| c.router.scale = 2.0, "ffn.router.scale=2.0: weights are not scaled"),
        ("mixtral_8x7b", Mixtral, |c| c.shared = 1, "ffn.shared=1: no shared experts"),
        ("mixtral_8x7b", Mixtral, |c| c.act = Act::Relu2, "ffn.act=relu2: an MLP with a gate"),
        ("mixtral_8x7b", Mixtral, |c| c.router.score = Score::Sigmoid, "ffn.router=sigmoid: softmax routing"),
        (
            "mixtral_8x7b",
            Mixtral,
            |c| c.balance = vec![Balance::Bias { rate: 0.1 }],
            "ffn.balance=bias: there is no tensor for a selection bias",
        ),
        (
            "deepseek_v3",
            DeepseekV3,
            |c| c.balance = vec![],
            "ffn.balance=no bias: every router has a selection bias",
        ),
        (
            "coe",
            CoeDeepseekV2,
            |c| (c.iter, c.k, c.gate) = (2, vec![7, 7], Gate::Frozen),
            "ffn.gate=frozen: routers read in every iteration",
        ),
        (
            "coe",
            CoeDeepseekV2,
            |c| (c.iter, c.k) = (2, vec![7, 6]),
            "ffn.k=[7, 6]: as many experts in each iteration",
        ),
        (
            "coe",
            CoeDeepseekV2,
            |c| (c.iter, c.k, c.norm) = (2, vec![7, 7], ChainNorm::Each),
            "ffn.norm=each: one norm before the chain",
        ),
        (
            "coe",
            CoeDeepseekV2,
            |c| (c.iter, c.k, c.shared_at) = (2, vec![7, 7], SharedAt::Last),
            "ffn.shared_at=last: shared experts run in each iteration",
        ),
        (
            "coe",
            CoeDeepseekV2,
            |c| (c.iter, c.k, c.residual) = (2, vec![7, 7], Residual::Delta),
            "ffn.residual=delta: inner, outer, both, init or none",
        ),
    ];
    for (name, family, change, words) in cases {
        let found = export(&verified(small(name, change)), family, "float32").unwrap_err();
        let [error] = found.as_slice() else { panic!("{name}: {}", lines(&found)) };
        assert_eq!(error.to_string(), format!("{family} cannot express {words}"));
        assert_eq!(error.code(), "coec::hf::inexpressible");
    }
    let grouped = verified(small("mixtral_8x7b", |coe| coe.router.groups = Some(groups)));
    assert_eq!(export(&grouped, Mixtral, "float32").unwrap_err().len(), 1);
}

/// Of a model that no family has, each family says what stops it, one line each.
#[test]
fn no_family() {
    let model = verified(small("mixtral_8x7b", |coe| (coe.iter, coe.k) = (3, vec![2, 2, 2])));
    let error = family_of(&model).unwrap_err();
    assert_eq!(error.code(), "coec::hf::no_family");
    let words = error.to_string();
    let with_class = Family::ALL.into_iter().filter(|family| family.has_class());
    assert_eq!(words.lines().count(), 1 + with_class.clone().count(), "{words}");
    for family in with_class {
        assert!(words.contains(&format!("\n  {family}: ")), "{words}");
    }
}

/// A load that the settings cannot balance is said under a name of our own.
#[test]
fn balance_comes_back() {
    for balance in [
        vec![Balance::SwitchAux { alpha: 0.01 }],
        vec![Balance::ZLoss { alpha: 0.001 }, Balance::SeqAux { alpha: 0.1 }],
    ] {
        for (name, family) in [
            ("mixtral_8x7b", Family::Mixtral),
            ("deepseek_v2", Family::DeepseekV2),
            ("coe", Family::CoeDeepseekV2),
        ] {
            let model = verified(small(name, |coe| coe.balance = balance.clone()));
            let settings = export(&model, family, "float32").unwrap();
            let again = imported(&coec_hf::pretty(&settings));
            let found = again.model.layers.kinds().iter().find_map(|layer| layer.ffn.as_coe()).unwrap();
            assert_eq!(found.balance, balance, "{name}");
        }
    }
    let unbiased = errors("deepseek_v3", coec_hf::BALANCE, json!([]));
    assert!(unbiased[0].to_string().contains("the family has selection biases"), "{}", lines(&unbiased));
    let garbled = errors("mixtral_8x7b", coec_hf::BALANCE, json!([{"much": 1}]));
    assert_eq!(garbled[0].code(), "coec::hf::wrong_type");
}

#[test]
fn tensors_that_are_not_the_models() {
    let model = verified(small("deepseek_v3", |coe| (coe.experts, coe.router.groups) = (8, None)));
    let family = Family::DeepseekV3;
    let mut found: Vec<(String, Vec<usize>)> =
        coec_hf::tensors(&model, family).into_iter().map(|tensor| (tensor.hf, tensor.shape)).collect();
    let held = |found: &[(String, Vec<usize>)]| {
        sort(&model, family, found.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())))
    };
    assert_eq!(held(&found).unwrap().carried, []);

    // What the model does without travels along.
    found.push(("model.layers.0.self_attn.rotary_emb.inv_freq".into(), vec![32]));
    found.push(("model.layers.2.eh_proj.weight".into(), vec![7168, 14336]));
    let carried = held(&found).unwrap().carried;
    let whys: Vec<_> = carried.iter().map(|carried| carried.why).collect();
    assert_eq!(whys, [coec_hf::Why::Frequencies, coec_hf::Why::FurtherPrediction]);

    found[0].1 = vec![1, 2];
    found.remove(3);
    found.push(("model.layers.0.novelty".into(), vec![1]));
    let error = held(&found).unwrap_err();
    assert_eq!(error.code(), "coec::hf::tensors");
    let HfError::Tensors { difference, .. } = &error else { panic!("{error}") };
    assert_eq!((difference.missing.len(), difference.misshapen.len()), (1, 1), "{error}");
    assert_eq!(difference.surplus, ["model.layers.0.novelty"]);

    // A file of a few bytes can describe more names than fit into memory.
    let config = with(
        published("mixtral_8x7b"),
        &[("num_hidden_layers", json!(1024)), ("num_local_experts", json!(16384))],
    );
    let vast = imported(&config);
    let error = sort(&vast.model, vast.family, []).unwrap_err();
    assert_eq!(error.code(), "coec::hf::tensor_count");
    assert_eq!(error.to_string(), "config.json describes 50338819 tensors, and the folder has 0");

    // Nor does a tensor that could hold so many experts, if it holds no number.
    let name = "model.layers.0.mlp.experts.gate_up_proj";
    for shape in [[16384, 0, 4096], [16384, 4096, 0]] {
        let error = sort(&vast.model, vast.family, [(name, shape.as_slice())]).unwrap_err();
        assert_eq!(error.code(), "coec::hf::tensor_count");
    }
}

/// The experts of a layer as one tensor, as transformers 5 has them in memory.
#[test]
fn fused_experts_are_read() {
    let model = verified(small("mixtral_8x7b", |coe| (coe.experts, coe.hidden) = (4, 6)));
    let fused = coec_hf::tensors_as(&model, Family::Mixtral, Layout::Fused);
    let found = |name: &str| fused.iter().find(|tensor| tensor.hf == name).map(|tensor| &tensor.shape);
    assert_eq!(found("model.layers.0.mlp.experts.gate_up_proj"), Some(&vec![4, 12, 4096]));
    assert_eq!(found("model.layers.0.mlp.experts.down_proj"), Some(&vec![4, 4096, 6]));
    assert_eq!(found("model.layers.0.mlp.gate.weight"), Some(&vec![4, 4096]));
    let shapes = fused.iter().map(|tensor| (tensor.hf.as_str(), tensor.shape.as_slice()));
    let sorted = sort(&model, Family::Mixtral, shapes.clone()).unwrap();
    assert_eq!((sorted.layout, sorted.mapped), (Layout::Fused, fused.clone()));
    // With one expert missing, the whole tensor has another shape.
    let fewer = shapes.map(|(name, shape)| match shape {
        [4, rest @ ..] => (name, [&[3], rest].concat()),
        _ => (name, shape.to_vec()),
    });
    let fewer: Vec<_> = fewer.collect();
    let fewer = fewer.iter().map(|(name, shape)| (*name, shape.as_slice()));
    let error = sort(&model, Family::Mixtral, fewer).unwrap_err();
    assert!(error.to_string().contains("misshapen: `model.layers.0.mlp.gate.weight`"), "{error}");
}

/// A tied head may be stored twice; elsewhere a second head is surplus.
#[test]
fn a_tied_head_is_carried() {
    let mut model = small("qwen3_30b_a3b", |_| {});
    model.embedding.tied = true;
    let model = verified(model);
    let family = Family::Qwen3Moe;
    let mut found: Vec<_> = coec_hf::tensors(&model, family).into_iter().map(|t| (t.hf, t.shape)).collect();
    found.push(("lm_head.weight".into(), vec![151_936, 2048]));
    let found = found.iter().map(|(name, shape)| (name.as_str(), shape.as_slice()));
    let sorted = sort(&model, family, found).unwrap();
    assert_eq!(sorted.carried[0].why, coec_hf::Why::TiedHead);
}
