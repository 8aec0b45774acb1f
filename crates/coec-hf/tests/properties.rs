//! The way out and back, for any model that a family can say.

mod common;
#[allow(dead_code, reason = "shared with tests that need more of it")]
#[path = "../../../tests/src/models.rs"]
mod models;

use coec_hf::{Family, Import, export, family_of, import, pretty, sort, tensors};
use coec_ir::{
    Act, Attention, Balance, ChainNorm, Coe, Dense, Ffn, GroupScore, LatentProjection, Layer, Mha, Mla,
    Model, NormAt, Pairs, Projection, QkNorm, Residual, Rms, Rope, Score, SharedGate, Stack, Tensors, Tokens,
    Verified, verify,
};
use common::nameless;
use models::Sizes;
use proptest::prelude::*;
use proptest::sample::select;

fn rope() -> impl Strategy<Value = Rope> {
    let scales = select(vec![(1.0, 0.0), (0.707, 0.707), (1.0, 1.0), (0.8, 0.5), (0.0, 1.0), (0.3, 0.0)]);
    let ramp = (1.0..64.0f64, 0.1..1.0f64, any::<bool>());
    let yarn = (2.0..1e6f64, 1.0..64.0f64, 1..10_000usize, ramp, scales).prop_map(
        |(theta, factor, original, (beta_fast, beta_slow, truncate), (mscale, mscale_all_dim))| Rope::Yarn {
            theta,
            factor,
            original,
            beta_fast,
            beta_slow,
            mscale,
            mscale_all_dim,
            truncate,
            dim: None,
        },
    );
    prop_oneof![(1.0..1e7f64).prop_map(Rope::plain), yarn]
}

fn attention() -> impl Strategy<Value = Attention> {
    let usual = prop::bool::weighted(0.8);
    (models::attention(&Sizes::tiny()), rope(), usual).prop_map(|(attention, rope, usual)| match attention {
        Attention::Mha(block) if usual => Attention::Mha(Mha { rope, ..usual_mha(&block) }),
        Attention::Mla(block) if usual => Attention::Mla(Mla { rope, ..usual_mla(&block) }),
        Attention::Mha(block) => Attention::Mha(Mha { rope, ..block }),
        Attention::Mla(block) => Attention::Mla(Mla { rope, ..block }),
    })
}

/// Without the words that few families have.
fn usual_mha(block: &Mha) -> Mha {
    let Mha { heads, kv_heads, head_dim, rope, qk_norm, window, ref bias, .. } = *block;
    Mha { kv_heads, rope, qk_norm, window, bias: bias.clone(), ..Mha::plain(heads, head_dim) }
}

fn usual_mla(block: &Mla) -> Mla {
    let Mla { heads, kv_rank, q_rank, nope, rope_dim, value, rope, pairs, .. } = *block;
    let bias = if block.bias.is_empty() { Vec::new() } else { LatentProjection::ALL.to_vec() };
    let parts = [nope, rope_dim, value];
    Mla { q_rank, rope, pairs, bias, latent_eps: Some(1e-6), ..Mla::plain(heads, kv_rank, parts) }
}

fn balance() -> impl Strategy<Value = Vec<Balance>> {
    let alpha = prop_oneof![Just(0.0), Just(0.001), 0.0..1.0f64];
    let terms = (alpha.clone(), alpha.clone(), alpha).prop_map(|(a, b, c)| {
        vec![Balance::Bias { rate: a }, Balance::SeqAux { alpha: b }, Balance::ZLoss { alpha: c }]
    });
    let some = terms.prop_flat_map(|terms| proptest::sample::subsequence(terms, 0..=3)).prop_shuffle();
    prop_oneof![
        Just(Vec::new()),
        Just(vec![Balance::Bias { rate: 0.001 }]),
        Just(vec![Balance::SwitchAux { alpha: 0.01 }]),
        some,
    ]
}

/// Any chain; what families have is tried more often than chance would have it.
fn coe() -> impl Strategy<Value = Coe> {
    let any_chain = models::ffn(&Sizes::tiny()).prop_filter_map("a chain", |ffn| match ffn {
        Ffn::Coe(coe) => Some(coe),
        _ => None,
    });
    let usual = any::<[bool; 6]>();
    (any_chain, balance(), usual).prop_map(|(coe, balance, flags)| {
        let [usual, ordinary, outer, once, unscaled, ungrouped] = flags;
        let mut coe = Coe { balance, ..coe };
        if usual || once {
            (coe.norm_at, coe.multiplier, coe.bias) = (NormAt::Before, 1.0, false);
            coe.router.bias = false;
        }
        if ordinary {
            (coe.iter, coe.k) = (1, vec![coe.k[0]]);
        }
        if outer {
            coe.residual = Residual::Outer;
        }
        if once {
            coe.norm = ChainNorm::Once;
        }
        if unscaled {
            coe.router.scale = 1.0;
        }
        if ungrouped {
            coe.router.groups = None;
        }
        if coe.act == Act::Gelu {
            coe.act = Act::Swiglu;
        }
        coe
    })
}

/// Models of the whole language with one attention and up to two kinds of layers.
fn model() -> impl Strategy<Value = Verified<Model>> {
    let layers = (proptest::collection::vec(any::<bool>(), 1..5), 0..4usize, 1..9usize);
    let eps = prop_oneof![Just(1e-6), Just(1e-5), 1e-9..1e-3f64];
    let sizes = (1..100usize, 1..100_000usize, 1..9usize, eps, any::<bool>());
    (attention(), coe(), layers, sizes).prop_filter_map(
        "the parts fit",
        |(attention, coe, (scattered, first, hidden), (vocab, context, dim, eps, tied))| {
            let dense = Ffn::Dense(Dense::plain(hidden, coe.act));
            let count = scattered.len();
            let layers = scattered.into_iter().enumerate().map(|(layer, scatter)| {
                let is_dense = match first {
                    0 => false,
                    1 => scatter,
                    _ => layer + 1 < count.min(first),
                };
                let ffn = if is_dense { dense.clone() } else { Ffn::Coe(coe.clone()) };
                Layer { attention: attention.clone(), ffn }
            });
            let layers = Stack::from_layers(&layers.collect::<Vec<_>>());
            // As wide as the heads together in two cases of three, as some families need it.
            let dim = match &attention {
                Attention::Mha(mha) if dim > 3 => mha.q_dim(),
                _ => 2 * dim,
            };
            verify(Model {
                name: "m".into(),
                doc: String::new(),
                vocab,
                context,
                dim,
                norm: Rms { eps },
                embedding: Tokens::plain(tied),
                layers,
            })
            .ok()
        },
    )
}

fn round_trip(model: &Verified<Model>, family: Family) -> Result<(), TestCaseError> {
    let Ok(settings) = export(model, family, "float32") else { return Ok(()) };
    let text = pretty(&settings);
    let Import { family: again, model: back, inert, .. } = match import(&text, "m") {
        Ok(import) => import,
        Err(errors) => return Err(TestCaseError::fail(format!("{text}\n{}", common::lines(&errors)))),
    };
    prop_assert_eq!(again, family);
    let canonical = family.canonical(model);
    prop_assert_eq!(nameless(&back), nameless(&canonical), "{}", text);
    prop_assert!(!inert.iter().any(|inert| inert.why == "switches nothing on"), "{:?}", inert);
    // What is read back has the same tensors, in the folder and in the model.
    prop_assert_eq!(tensors(&back, again), tensors(model, family));
    // Export again: nothing moves.
    let twice = export(&back, family, "float32").map(|settings| pretty(&settings));
    prop_assert_eq!(twice, Ok(text));
    Ok(())
}

/// Of 4,096 models of the whole language, how many each family could express.
#[test]
fn an_export_reads_back_as_the_same_model() {
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    let expressed = RefCell::new(BTreeMap::new());
    let config = ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let result = runner.run(&model(), |model| {
        for family in Family::ALL {
            if export(&model, family, "float32").is_ok() {
                *expressed.borrow_mut().entry(family.model_type()).or_insert(0usize) += 1;
            }
            round_trip(&model, family)?;
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let expressed = expressed.into_inner();
    assert!(expressed.contains_key("coe_deepseekv2"), "{expressed:?}");
}

/// Models near a family's heart, so that each is exercised often.
fn of_family(family: Family) -> impl Strategy<Value = Verified<Model>> {
    model().prop_filter_map("a model of the family", move |model| {
        let mut model = model.into_inner();
        let layers = model.layers.iter().enumerate().map(|(i, layer)| fitted(i, layer, family));
        let layers: Vec<Layer> = layers.collect::<Option<_>>()?;
        model.layers = Stack::from_layers(&layers);
        let divides = matches!(family, Family::Olmoe | Family::Qwen2Moe | Family::Deepseek);
        if let (Attention::Mha(mha), true) = (&layers[0].attention, divides) {
            model.dim = mha.q_dim();
        }
        let model = verify(model).ok()?;
        export(&model, family, "float32").is_ok().then_some(model)
    })
}

/// A layer with what the family never varies set to what it has; none with the other kind of attention.
fn fitted(at: usize, layer: &Layer, family: Family) -> Option<Layer> {
    use Family::*;
    let latent = [DeepseekV2, DeepseekV3, CoeDeepseekV2, KimiK2, JoyaiLlmFlash, Glm4MoeLite];
    let is_latent = latent.contains(&family);
    let attention = match &layer.attention {
        Attention::Mha(mha) if !is_latent => Attention::Mha(fitted_mha(at, mha, family)),
        Attention::Mla(mla) if is_latent => Attention::Mla(fitted_mla(mla, family)),
        _ => return None,
    };
    let usual = |act: Act| if act == Act::Geglu { Act::Geglu } else { Act::Swiglu };
    let mut attention = attention;
    if let (Attention::Mha(mha), Ffn::Coe(coe), BailingMoe) = (&mut attention, &layer.ffn, family)
        && coe.bias
    {
        mha.bias.push(Projection::O);
    }
    let ffn = match &layer.ffn {
        Ffn::Coe(coe) => Ffn::Coe(fitted_coe(&Coe { act: usual(coe.act), ..coe.clone() }, family)),
        Ffn::Dense(dense) => Ffn::Dense(Dense::plain(dense.hidden, usual(dense.act))),
    };
    Some(Layer { attention, ffn })
}

fn fitted_mha(at: usize, mha: &Mha, family: Family) -> Mha {
    use Family::*;
    let mut mha = usual_mha(mha);
    mha.qk_norm = match family {
        Olmoe | MinimaxM2 => QkNorm::Full,
        Qwen3Moe | Dots1 => QkNorm::Head,
        Glm4Moe | BailingMoeV2 if mha.qk_norm != QkNorm::None => QkNorm::Head,
        _ => QkNorm::None,
    };
    let all = match family {
        Olmoe | Qwen3Moe | Dots1 | Deepseek => Projection::ALL,
        BailingMoeV2 if mha.bias.len() > 2 => Projection::ALL,
        Qwen2Moe | Glm4Moe | BailingMoe | BailingMoeV2 => &Projection::ALL[..3],
        _ => &[],
    };
    mha.bias = if mha.bias.is_empty() { Vec::new() } else { all.to_vec() };
    mha.window = match family {
        Mixtral | Qwen3Moe => mha.window,
        Qwen2Moe | Dots1 if at.is_multiple_of(2) => mha.window,
        _ => None,
    };
    let turning = match family {
        Glm4Moe | MinimaxM2 | BailingMoeV2 if mha.kv_heads.is_multiple_of(2) => Some(2.min(mha.head_dim)),
        _ => None,
    };
    match &mut mha.rope {
        Rope::Yarn { theta, .. } if matches!(family, Deepseek | BailingMoe) => mha.rope = Rope::plain(*theta),
        Rope::Yarn { dim, mscale_all_dim, .. } => (*dim, *mscale_all_dim) = (turning, 0.0),
        Rope::Rope { dim, .. } => *dim = turning,
    }
    mha
}

fn fitted_mla(mla: &Mla, family: Family) -> Mla {
    let mut mla = usual_mla(mla);
    if matches!(family, Family::DeepseekV2 | Family::CoeDeepseekV2) {
        mla.pairs = Pairs::Neighbours;
    }
    if let Rope::Yarn { truncate, mscale, mscale_all_dim, .. } = &mut mla.rope {
        *truncate |= family == Family::CoeDeepseekV2;
        let alone = family == Family::Glm4MoeLite || family == Family::CoeDeepseekV2;
        if !alone && (*mscale == 0.0 || *mscale_all_dim == 0.0) {
            (*mscale, *mscale_all_dim) = (1.0, 0.0);
        }
    }
    mla
}

fn fitted_coe(coe: &Coe, family: Family) -> Coe {
    use Family::*;
    let mut coe = coe.clone();
    (coe.norm_at, coe.multiplier, coe.router.bias) = (NormAt::Before, 1.0, false);
    coe.bias &= family == BailingMoe;
    coe.balance.retain(|term| !matches!(term, Balance::Bias { .. }));
    if family == CoeDeepseekV2 {
        coe.router.score = Score::Softmax;
        return coe;
    }
    (coe.iter, coe.k) = (1, vec![coe.k[0]]);
    (coe.residual, coe.norm) = (Residual::Outer, ChainNorm::Once);
    let is_softmax =
        matches!(family, Mixtral | Olmoe | Qwen2Moe | Qwen3Moe | DeepseekV2 | Deepseek | BailingMoe);
    coe.router.score = if is_softmax { Score::Softmax } else { Score::Sigmoid };
    let is_unbiased = family == BailingMoeV2 && coe.experts.is_multiple_of(2);
    if !is_softmax && !is_unbiased {
        coe.balance.insert(0, Balance::Bias { rate: 0.001 });
    }
    (coe.shared, coe.shared_gate) = match family {
        Mixtral | Olmoe | Qwen3Moe | MinimaxM2 => (0, SharedGate::None),
        Qwen2Moe => (coe.shared.max(1), SharedGate::Sigmoid),
        Deepseek | BailingMoe | BailingMoeV2 => (coe.shared, SharedGate::None),
        _ => (coe.shared.max(1), SharedGate::None),
    };
    if is_softmax && family != DeepseekV2 || family == MinimaxM2 {
        (coe.router.scale, coe.router.groups) = (1.0, None);
    }
    coe.router.groups = coe.router.groups.filter(|groups| groups.groups > 1);
    if let Some(groups) = &mut coe.router.groups {
        groups.score = if is_softmax { GroupScore::Max } else { GroupScore::Top2 };
    }
    coe.router.renorm = match family {
        Mixtral | MinimaxM2 => true,
        DeepseekV2 => false,
        Deepseek | BailingMoe => coe.router.renorm && coe.k[0] > 1,
        BailingMoeV2 => coe.k[0] > 1,
        _ => coe.router.renorm,
    };
    coe
}

#[test]
fn each_family_reads_its_own_back() {
    for family in Family::ALL {
        let config = ProptestConfig {
            cases: 128,
            max_local_rejects: 1 << 20,
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        let mut runner = proptest::test_runner::TestRunner::new(config);
        let result = runner.run(&of_family(family), |model| {
            round_trip(&model, family)?;
            prop_assert!(family_of(&model).is_ok() || !family.has_class());
            let names: Vec<_> = tensors(&model, family);
            let found = names.iter().map(|tensor| (tensor.hf.as_str(), tensor.shape.as_slice()));
            let sorted =
                sort(&model, family, found).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(sorted.mapped.len(), names.len());
            // The names on the model's side are the model's.
            let Tensors { trained, state } = Tensors::of(&model);
            let contract: Vec<_> = trained.iter().chain(&state).map(|param| &param.name).collect();
            prop_assert_eq!(names.iter().map(|tensor| &tensor.contract).collect::<Vec<_>>(), contract);
            Ok(())
        });
        result.unwrap_or_else(|error| panic!("{family}: {error}"));
    }
}

/// Any object is an import or a list of errors.
#[test]
fn no_settings_panic() {
    let value = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "[a-z_]{0,12}".prop_map(Into::into),
        Just(serde_json::json!([])),
        Just(serde_json::json!({"type": "yarn", "factor": 4})),
        (0..70u64).prop_map(Into::into),
    ];
    let keys: Vec<String> = common::PUBLISHED
        .iter()
        .flat_map(|(_, config)| {
            let settings: serde_json::Map<String, serde_json::Value> = serde_json::from_str(config).unwrap();
            settings.into_iter().map(|(key, _)| key).filter(|key| key != "model_type")
        })
        .collect();
    let changes = proptest::collection::vec((select(keys), value), 1..4);
    let published = select(common::PUBLISHED.to_vec());
    let config = ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let result = runner.run(&(published, changes), |((_, config), changes)| {
        let changes: Vec<_> = changes.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
        // Few layers and experts, so that no list of tensors is long.
        let few = ["num_hidden_layers", "n_routed_experts", "num_experts", "num_local_experts"];
        let small: Vec<_> =
            few.iter().filter(|key| config.contains(*key)).map(|key| (*key, 8.into())).collect();
        let text = common::with(&common::with(config, &small), &changes);
        match import(&text, "m") {
            Ok(import) => {
                let again = coec_hf::Kept::read(&text).unwrap().restored(&import.model, "float32");
                prop_assert_eq!(again, Ok(text));
            }
            Err(errors) => prop_assert!(!errors.is_empty()),
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}
