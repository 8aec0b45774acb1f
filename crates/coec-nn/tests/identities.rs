//! The identities of the semantics, on whole models.

mod common;

use burn::tensor::{DType, Device, Int, Tensor};
use coec_ir::*;
use coec_nn::{LanguageModel, Source};
use common::*;

/// `from`'s weights under the names of `to`, by a rule for names.
fn rename(
    from: &LanguageModel,
    to: &Verified<Model>,
    device: &Device,
    name: impl Fn(&str) -> String,
) -> LanguageModel {
    let weights: std::collections::HashMap<String, Vec<f32>> =
        from.tensors().into_iter().map(|(param, values)| (param.name, values)).collect();
    let new = LanguageModel::with_dtype(to, device, Source::Zeros, DType::F32).unwrap();
    new.load(|param| match weights.get(&name(&param.name)) {
        Some(values) => Ok(values.clone()),
        // A router that only one of the two models has.
        None => Ok(vec![0.5; param.elements() as usize]),
    })
    .unwrap()
}

fn one_iteration(coe: Coe) -> Coe {
    Coe { iter: 1, k: vec![coe.k[0]], ..coe }
}

#[test]
fn dense_is_one_expert_bitwise() {
    let device = Device::flex().autodiff();
    let dense = verified(model(Attention::Mha(mha()), Ffn::Dense(Dense::plain(5, Act::Swiglu))));
    let router = Router { renorm: true, ..Router::plain(Score::Softmax) };
    let single = Coe { experts: 1, k: vec![1], residual: Residual::Outer, router, ..one_iteration(coe()) };
    let single = verified(model(Attention::Mha(mha()), ffn(single)));
    let built = build(&dense, &device, DType::F32);
    let other = rename(&built, &single, &device, |name| name.replace("mlp.experts.0.", "mlp."));
    let (tokens, targets) = tokens(2, 7, dense.vocab, &device);
    let a = results(&built, built.forward(tokens.clone()), targets.clone());
    let b = results(&other, other.forward(tokens), targets);
    assert_eq!(a.logits, b.logits);
    for (name, gradient) in &a.gradients {
        let routed = name.replace("mlp.", "mlp.experts.0.");
        let (_, same) = b.gradients.iter().find(|(other, _)| other == name || *other == routed).unwrap();
        assert_eq!(gradient, same, "{name}");
    }
}

#[test]
fn delta_with_one_iteration_is_the_ordinary_block() {
    let device = Device::flex();
    let of = |residual| {
        verified(model(Attention::Mha(mha()), ffn(Coe { residual, shared: 1, ..one_iteration(coe()) })))
    };
    let logits = |model: &Verified<Model>| {
        let (tokens, _) = tokens(2, 7, model.vocab, &device);
        build(model, &device, DType::F32).forward(tokens).logits.tensor().into_data()
    };
    assert_eq!(logits(&of(Residual::Delta)), logits(&of(Residual::Outer)));
}

/// A model whose attention adds nothing.
fn without_attention(ffn: Ffn) -> Model {
    model(Attention::Mha(Mha { multiplier: 0.0, ..mha() }), ffn)
}

#[test]
fn a_looped_mixture_is_a_chain_with_one_gate_and_one_norm() {
    let device = Device::flex().autodiff();
    let router = Router { renorm: true, ..Router::plain(Score::Sigmoid) };
    let balance = vec![Balance::SeqAux { alpha: 0.1 }, Balance::ZLoss { alpha: 0.02 }];
    let moe = Coe { shared: 1, router, balance, residual: Residual::Outer, ..one_iteration(coe()) };
    let mut looped = without_attention(ffn(moe.clone()));
    looped.layers =
        looped.layers.with_loops([Loop { start: 0, end: 1, times: 3 }, Loop { start: 1, end: 2, times: 3 }]);
    let chain = Coe {
        iter: 3,
        k: vec![moe.k[0]; 3],
        gate: Gate::Tied,
        norm: ChainNorm::Tied,
        residual: Residual::Inner,
        ..moe
    };
    let (looped, chain) = (verified(looped), verified(without_attention(ffn(chain))));
    let built = build(&looped, &device, DType::F32);
    let other = rename(&built, &chain, &device, str::to_owned);
    let (tokens, targets) = tokens(2, 7, looped.vocab, &device);
    let a = results(&built, built.forward(tokens.clone()), targets.clone());
    let b = results(&other, other.forward(tokens), targets);
    assert_eq!(a.logits, b.logits);
    assert_agree("looped and chained", &a, &b, 1e-5);
}

#[test]
fn a_loop_is_its_layers_written_out() {
    let device = Device::flex();
    let small = model(Attention::Mha(mha()), ffn(Coe { shared: 1, ..coe() }));
    let layer = small.layers.kinds()[0].clone();
    let looped = Model {
        layers: Stack::repeat(layer.clone(), 3).with_loops([Loop { start: 1, end: 3, times: 2 }]),
        ..small.clone()
    };
    let (looped, unrolled) = (verified(looped), verified(Model { layers: Stack::repeat(layer, 5), ..small }));
    let built = build(&looped, &device, DType::F32);
    // Layers 3 and 4 are 1 and 2 again.
    let again = |name: &str| name.replace("layers.3.", "layers.1.").replace("layers.4.", "layers.2.");
    let other = rename(&built, &unrolled, &device, again);
    let (tokens, _) = tokens(2, 7, looped.vocab, &device);
    let logits = |model: &LanguageModel| model.forward(tokens.clone()).logits.tensor().into_data();
    assert_eq!(logits(&built), logits(&other));
    let cost = |model| cost::Cost::of(model, cost::Setting::of(model, &Conditions::default()));
    let (looped, unrolled) = (cost(&looped), cost(&unrolled));
    for figure in Figure::ALL.into_iter().filter(|figure| !figure.is_measured()) {
        let is_of_weights = figure.name().starts_with("params") || figure.name().starts_with("memory");
        let is_of_passes = matches!(figure, Figure::MemoryActivations | Figure::MemoryKvCache);
        if is_of_passes || !is_of_weights && figure != Figure::ExpertsPaths {
            assert_eq!(looped.figure(figure), unrolled.figure(figure), "{}", figure.name());
        }
    }
}

#[test]
fn a_later_token_changes_no_earlier_logit() {
    let device = Device::flex();
    for (name, model) in variants() {
        let model = verified(model);
        let built = build(&model, &device, DType::F64);
        let (tokens, _) = tokens(1, 8, model.vocab, &device);
        let mut ids: Vec<i32> = tokens.to_data().iter::<i32>().collect();
        ids[5] = (ids[5] + 3) % model.vocab as i32;
        let changed = Tensor::<2, Int>::from_data(burn::tensor::TensorData::new(ids, [1, 8]), &device);
        let before = |tokens| {
            let logits = built.forward(tokens).logits.tensor().narrow(1, 0, 5);
            logits.into_data().iter::<f64>().collect::<Vec<_>>()
        };
        let error = relative(&before(changed), &before(tokens));
        assert!(error < 1e-12, "{name}: {error:e}");
    }
}

/// Experts in another order, with the router's rows: the same model.
#[test]
fn experts_have_no_order() {
    let device = Device::flex();
    let chain = Coe { shared: 1, balance: vec![Balance::SeqAux { alpha: 0.1 }], ..coe() };
    let model = verified(model(Attention::Mha(mha()), ffn(chain)));
    let built = build(&model, &device, DType::F64);
    let weights: std::collections::HashMap<String, Vec<f32>> =
        built.tensors().into_iter().map(|(param, values)| (param.name, values)).collect();
    let order = [2usize, 0, 3, 1];
    let permuted = LanguageModel::with_dtype(&model, &device, Source::Zeros, DType::F64)
        .unwrap()
        .load(|param| {
            if let Some((head, tail)) = param.name.split_once("mlp.experts.") {
                let (expert, rest) = tail.split_once('.').unwrap();
                let from = order[expert.parse::<usize>().unwrap()];
                return Ok(weights[&format!("{head}mlp.experts.{from}.{rest}")].clone());
            }
            let values = &weights[&param.name];
            if !param.name.contains("mlp.gate.") {
                return Ok(values.clone());
            }
            let width = param.shape[1];
            Ok(order.iter().flat_map(|&row| values[row * width..][..width].to_vec()).collect())
        })
        .unwrap();
    let (tokens, _) = tokens(2, 7, model.vocab, &device);
    let values = |model: &LanguageModel| {
        let result = model.forward(tokens.clone());
        let mut values: Vec<f64> = result.logits.tensor().into_data().iter::<f64>().collect();
        values.push(result.aux_loss.unwrap().into_scalar::<f64>());
        values
    };
    let error = relative(&values(&permuted), &values(&built));
    assert!(error < 1e-12, "{error:e}");
}
