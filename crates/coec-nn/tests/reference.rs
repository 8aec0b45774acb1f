//! The modules against the slow reference: logits, losses and every gradient.

mod common;

use burn::tensor::{DType, Device};
use coec_ir::Precision;
use coec_nn::{LanguageModel, Manner};
use common::*;

/// In f64, where only a wrong formula can tell the two apart, and in f32, as models are trained. The
/// table of docs/numerics.md is what this test prints.
#[test]
fn modules_agree_with_the_reference() {
    let page = include_str!("../../../docs/numerics.md");
    let device = Device::flex().autodiff();
    let mut unlisted = Vec::new();
    for (name, model) in variants() {
        let model = verified(model);
        let wide = build(&model, &device, DType::F64);
        let narrow = build(&model, &device, DType::F32);
        let (tokens, targets) = tokens(2, 7, model.vocab, &device);
        let slow = slow_results(&wide, twin::forward(&wide, tokens.clone(), Precision::F32), targets.clone());
        let pass =
            |model: &coec_nn::LanguageModel| results(model, model.forward(tokens.clone()), targets.clone());
        // Gradients are read as f32.
        let double = assert_agree(&name, &pass(&wide), &slow, 1e-6);
        let single = assert_agree(&name, &pass(&narrow), &slow, 1e-4);
        let [a, b, c, d] = [double[0], double[1], single[0], single[1]];
        println!("| {name} | {a:.0e} | {b:.0e} | {c:.0e} | {d:.0e} |");
        if !page.contains(&format!("\n| {name} |")) {
            unlisted.push(name);
        }
    }
    assert!(unlisted.is_empty(), "docs/numerics.md has no row for {unlisted:?}");
}

/// In bf16 the modules round where the reference does, which follows the definition product by product. What is
/// left in f64 is the gradient of the gates, which is made of a rounded factor, and what learns from it; in f32
/// also what falls on the other side of a tie.
#[test]
fn modules_round_where_the_reference_does() {
    let device = Device::flex().autodiff();
    let precision = Precision::Bf16;
    for (name, model) in variants() {
        let model = verified(model);
        let (wide, narrow) = (build(&model, &device, DType::F64), build(&model, &device, DType::F32));
        let (tokens, targets) = tokens(2, 7, model.vocab, &device);
        let slow = twin::forward(&wide, tokens.clone(), precision);
        let slow = slow_results(&wide, slow, targets.clone());
        let pass = |model: &LanguageModel| {
            let forward = model.forward_as(tokens.clone(), Manner { precision, ..Manner::default() });
            results(model, forward, targets.clone())
        };
        let (double, single) = (pass(&wide), pass(&narrow));
        let has_gates = model.layers.iter().any(|layer| layer.ffn.as_coe().is_some());
        let [a, b] = assert_agree(&name, &double, &slow, if has_gates { 5e-2 } else { 1e-6 });
        let [c, d] = assert_agree(&name, &single, &slow, 5e-2);
        println!("| {name} | {a:.0e} | {b:.0e} | {c:.0e} | {d:.0e} |");
        assert!(a < 1e-9, "{name}: logits in f64 differ by {a:e}");
        assert!(c < 1e-3, "{name}: logits in f32 differ by {c:e}");
        // And it rounds: f32 is further away than this.
        let whole = results(&wide, wide.forward(tokens.clone()), targets.clone());
        let apart = relative(&whole.logits, &slow.logits);
        assert!(apart > 1e-4, "{name}: f32 and bf16 differ by {apart:e} only");
    }
}

/// Generation with a cache sees what one pass over the whole text sees.
#[test]
fn the_cache_changes_nothing() {
    let device = Device::flex();
    for (name, model) in variants() {
        let model = verified(model);
        let built = build(&model, &device, DType::F64);
        let (tokens, _) = tokens(1, 9, model.vocab, &device);
        let whole = built.forward(tokens.clone()).logits.tensor();
        let mut cache = built.cache();
        let first = built.extend(tokens.clone().narrow(1, 0, 4), &mut cache);
        let mut parts = vec![first];
        for t in 4..9 {
            parts.push(built.extend(tokens.clone().narrow(1, t, 1), &mut cache));
        }
        let stepwise = burn::tensor::Tensor::cat(parts, 1);
        let values = |t: burn::tensor::Tensor<3>| t.into_data().iter::<f64>().collect::<Vec<_>>();
        let error = relative(&values(stepwise), &values(whole));
        assert!(error < 1e-12, "{name}: {error:e}");
        let cost = coec_ir::cost::Cost::of(
            &model,
            coec_ir::cost::Setting {
                context: 9,
                batch: 1,
                precision: coec_ir::Precision::F32,
                recompute: coec_ir::Recompute::None,
                ranks: 1,
                shard: coec_ir::Shard::None,
            },
        );
        let bytes = cost.figure(coec_ir::Figure::MemoryKvCache).unwrap();
        assert_eq!(bytes, (cache.elements() * 4).into(), "{name}: memory.kv_cache");
    }
}
