//! The modules against the slow reference: logits, losses and every gradient.

mod common;

use burn::tensor::{DType, Device};
use coec_nn::reference;
use common::*;

/// In f64 only a wrong formula can tell the two apart.
#[test]
fn modules_agree_with_the_reference() {
    let device = Device::flex().autodiff();
    for (name, model) in variants() {
        let model = verified(model);
        let built = build(&model, &device, DType::F64);
        let (tokens, targets) = tokens(2, 7, model.vocab, &device);
        let slow = results(&built, reference::forward(&built, tokens.clone()), targets.clone());
        let fast = results(&built, built.forward(tokens), targets);
        assert_agree(&name, &fast, &slow, 1e-6); // gradients are compared as f32
    }
}

/// In f32, as models are trained, against the reference in f64.
#[test]
fn single_precision_stays_close() {
    let device = Device::flex().autodiff();
    for (name, model) in variants() {
        let model = verified(model);
        let slow = build(&model, &device, DType::F64);
        let fast = build(&model, &device, DType::F32);
        let (tokens, targets) = tokens(2, 7, model.vocab, &device);
        let expected = results(&slow, reference::forward(&slow, tokens.clone()), targets.clone());
        let found = results(&fast, fast.forward(tokens), targets);
        assert_agree(&name, &found, &expected, 1e-4);
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
        let whole = built.forward(tokens.clone()).logits;
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
            coec_ir::cost::Setting { context: 9, batch: 1, precision: coec_ir::Precision::F32 },
        );
        let bytes = cost.figure(coec_ir::Figure::MemoryKvCache).unwrap();
        assert_eq!(bytes, (cache.elements() * 4).into(), "{name}: memory.kv_cache");
    }
}
