//! The modules against the slow reference: logits, losses and every gradient.

mod common;

use burn::tensor::{DType, Device};
use coec_nn::reference;
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
        let slow = slow_results(&wide, reference::forward(&wide, tokens.clone()), targets.clone());
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
            },
        );
        let bytes = cost.figure(coec_ir::Figure::MemoryKvCache).unwrap();
        assert_eq!(bytes, (cache.elements() * 4).into(), "{name}: memory.kv_cache");
    }
}
