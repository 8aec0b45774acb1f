//! Sizes at which second blocks begin: rows of an expert and of a weight's gradient beyond 256, rows
//! of a task beyond 64, vectors that are many registers wide.

mod common;

use burn::tensor::{DType, Device, Distribution, Int, Tensor, TensorData, s};
use coec_ir::{Attention, Coe, Init, Model, Param, Precision, Residual, Rms, Router, Score, Site};
use coec_nn::{Chain, LanguageModel, Maker, Pass, Source};
use common::*;

/// Values under which every path matters: norms off 1, a product's result as large as its input.
fn weights(param: &Param, state: &mut u64) -> Vec<f32> {
    let fan_in = param.shape.last().copied().unwrap_or(1) as f32;
    let norm = param.init == Init::Ones;
    (0..param.elements())
        .map(|_| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let unit = (*state >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
            if norm { 1.0 + 0.3 * unit } else { unit * (3.0 / fan_in).sqrt() }
        })
        .collect()
}

/// 400 tokens, two of three experts each, wider than 256 in every direction.
#[test]
fn second_blocks_agree_with_the_slow_reference() {
    let coe = Coe { experts: 3, shared: 1, hidden: 140, residual: Residual::Delta, ..coe() };
    let small = model(Attention::Mha(mha()), ffn(coe));
    let layers = coec_ir::Stack::repeat(small.layers.iter().next().unwrap().clone(), 1);
    let model = verified(Model { dim: 264, layers, ..small });
    let device = Device::flex().autodiff();
    let build = |dtype| {
        let mut state = 0x9e37_79b9_7f4a_7c15;
        let built = LanguageModel::with_dtype(&model, &device, Source::Zeros, dtype).unwrap();
        built.load(|param| Ok(weights(param, &mut state))).unwrap()
    };
    let (wide, narrow) = (build(DType::F64), build(DType::F32));
    let (tokens, targets) = tokens(50, 8, model.vocab, &device);
    let slow = slow_results(&wide, twin::forward(&wide, tokens.clone(), Precision::F32), targets.clone());
    let pass = |model: &LanguageModel| results(model, model.forward(tokens.clone()), targets.clone());
    let double = assert_agree("f64", &pass(&wide), &slow, 1e-6);
    let single = assert_agree("f32", &pass(&narrow), &slow, 1e-4);
    let [a, b, c, d] = [double[0], double[1], single[0], single[1]];
    println!("logits and gradients: f64 {a:.0e}, {b:.0e}; f32 {c:.0e}, {d:.0e}");
}

const DIM: usize = 512;
const HIDDEN: usize = 704;
const EXPERTS: usize = 64;
const K: usize = 4;
const TOKENS: usize = 512;

/// A layer of the size that models have.
fn realistic() -> Coe {
    Coe {
        k: vec![K, K],
        experts: EXPERTS,
        shared: 1,
        hidden: HIDDEN,
        residual: Residual::Delta,
        router: Router { renorm: true, ..Router::plain(Score::Softmax) },
        ..coe()
    }
}

fn chain(device: &Device, dtype: DType) -> Chain {
    let mut make = Maker::new(DIM, Rms { eps: 1e-6 }, device, Source::Zeros).with_dtype(dtype);
    let chain = Chain::new(&mut make, &Site::ffn(0), &realistic());
    let mut state = 0x1234_5678_9abc_def0;
    make.bindings().load(chain, |param| Ok(weights(param, &mut state))).unwrap()
}

/// The slow reference goes over a few tokens of such a layer, forward.
#[test]
fn a_layer_of_real_size_agrees_with_the_slow_reference() {
    let small = model(Attention::Mha(mha()), ffn(realistic()));
    let layers = coec_ir::Stack::repeat(small.layers.iter().next().unwrap().clone(), 1);
    let model = verified(Model { dim: DIM, layers, ..small });
    let device = Device::flex();
    let build = |dtype| {
        let mut state = 0x1234_5678_9abc_def0;
        let built = LanguageModel::with_dtype(&model, &device, Source::Zeros, dtype).unwrap();
        built.load(|param| Ok(weights(param, &mut state))).unwrap()
    };
    let (tokens, _) = tokens(2, 8, model.vocab, &device);
    let values = |t: Tensor<3>| t.into_data().iter::<f64>().collect::<Vec<_>>();
    let slow = values(twin::forward(&build(DType::F64), tokens.clone(), Precision::F32).logits);
    let error = relative(&values(build(DType::F32).forward(tokens).logits.tensor()), &slow);
    println!("logits: {error:.0e}");
    assert!(error < 1e-5, "{error:e}");
}

/// The pool of all experts at once, from Burn's own products of batches of matrices: every expert is
/// given as many rows as the busiest has, and what fills them up is never looked at.
fn pool(chain: &Chain, u: Tensor<2>, chosen: &[Vec<usize>]) -> Tensor<3> {
    let mut rows: Vec<Vec<i64>> = vec![Vec::new(); EXPERTS];
    let mut places = Vec::new();
    for (token, experts) in chosen.iter().enumerate() {
        for &expert in experts {
            places.push((expert, rows[expert].len()));
            rows[expert].push(token as i64);
        }
    }
    let most = rows.iter().map(Vec::len).max().unwrap();
    rows.iter_mut().for_each(|rows| rows.resize(most, 0));
    let ids = |ids: Vec<i64>| {
        let count = ids.len();
        Tensor::<1, Int>::from_data(TensorData::new(ids, [count]), &u.device())
    };
    let x = u.clone().select(0, ids(rows.concat())).reshape([EXPERTS, most, DIM]);
    let hidden = x.matmul(chain.experts.w_in.val().swap_dims(1, 2)); // [E, R, 2F]
    let gate = hidden.clone().slice(s![.., .., 0..HIDDEN]);
    let h = gate.clone() / ((-gate).exp() + 1.0) * hidden.slice(s![.., .., HIDDEN..]);
    let y = h.matmul(chain.experts.w_out.val().swap_dims(1, 2)).reshape([EXPERTS * most, DIM]);
    let places = places.iter().map(|&(expert, row)| (expert * most + row) as i64).collect();
    y.select(0, ids(places)).reshape([TOKENS, K, DIM])
}

/// The layer once more, from Burn's own operations, and the narrowest selection it made.
fn slow(chain: &Chain, h: Tensor<2>) -> (Tensor<2>, f64) {
    let mean = h.clone().powf_scalar(2.0).mean_dim(1);
    let mut z = h.clone() / (mean + 1e-6).sqrt() * chain.norms[0].weight.val().unsqueeze();
    let (start, mut margin) = (z.clone(), f64::INFINITY);
    for router in &chain.routers {
        let exp = z.clone().matmul(router.weight.val().transpose()).exp();
        let scores = exp.clone() / exp.sum_dim(1);
        let values: Vec<f64> = scores.to_data().iter::<f64>().collect();
        let mut best = |row: &[f64]| {
            let mut order: Vec<usize> = (0..EXPERTS).collect();
            order.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
            margin = margin.min(row[order[K - 1]] / row[order[K]] - 1.0);
            order.truncate(K);
            order
        };
        let chosen: Vec<Vec<usize>> = values.chunks(EXPERTS).map(&mut best).collect();
        let indices: Vec<i64> = chosen.concat().into_iter().map(|e| e as i64).collect();
        let indices = Tensor::<2, Int>::from_data(TensorData::new(indices, [TOKENS, K]), &z.device());
        let gates = scores.gather(1, indices);
        let gates = gates.clone() / (gates.sum_dim(1) + 1e-20);
        let routed = (pool(chain, z.clone(), &chosen) * gates.unsqueeze_dim(2)).sum_dim(1);
        let shared = chain.shared.as_ref().unwrap();
        let wide = z.clone().matmul(shared.w_in.val().transpose());
        let gate = wide.clone().slice(s![.., 0..HIDDEN]);
        let wide = gate.clone() / ((-gate).exp() + 1.0) * wide.slice(s![.., HIDDEN..]);
        z = z.clone() + routed.reshape([TOKENS, DIM]) + wide.matmul(shared.w_out.val().transpose());
    }
    (h + (z - start), margin)
}

/// The output and every gradient of a pass, by name.
fn outcome(
    chain: &Chain,
    h: &Tensor<2>,
    upstream: &Tensor<2>,
    pass: impl FnOnce(Tensor<2>) -> Tensor<2>,
) -> Vec<(&'static str, Vec<f64>)> {
    let device = chain.norms[0].weight.val().device();
    let dtype = chain.norms[0].weight.val().dtype();
    let on =
        |tensor: &Tensor<2>| Tensor::<2>::from_data(tensor.to_data().convert_dtype(dtype), (&device, dtype));
    let h = on(h).require_grad();
    let y = pass(h.clone());
    let grads = (y.clone() * on(upstream)).sum().backward();
    fn values(data: TensorData) -> Vec<f64> {
        data.iter::<f64>().collect()
    }
    macro_rules! grad {
        ($tensor:expr) => {
            values($tensor.grad(&grads).unwrap().into_data())
        };
    }
    let shared = chain.shared.as_ref().unwrap();
    vec![
        ("output", values(y.into_data())),
        ("input", grad!(h)),
        ("norm", grad!(chain.norms[0].weight.val())),
        ("first router", grad!(chain.routers[0].weight.val())),
        ("second router", grad!(chain.routers[1].weight.val())),
        ("experts' W_in", grad!(chain.experts.w_in.val())),
        ("experts' W_out", grad!(chain.experts.w_out.val())),
        ("shared W_in", grad!(shared.w_in.val())),
        ("shared W_out", grad!(shared.w_out.val())),
    ]
}

/// 64 experts of width 704 over 512 tokens of width 512, in f32 as models are trained. The slow
/// reference would take many minutes to go back through a pool of this size token by token, so that the
/// experts of this twin are products of batches of matrices, of Burn's own and in f64.
#[test]
fn a_layer_of_real_size_agrees_with_its_twin() {
    let device = Device::flex().autodiff();
    let random =
        || Tensor::<2>::random([TOKENS, DIM], Distribution::Normal(0.0, 1.0), (&Device::flex(), DType::F32));
    Device::flex().seed(11);
    let (h, upstream) = (random(), random());

    let wide = chain(&device, DType::F64);
    let mut margin = 0.0;
    let expected = outcome(&wide, &h, &upstream, |h| {
        let (y, narrowest) = slow(&wide, h);
        margin = narrowest;
        y
    });
    drop(wide);
    assert!(margin > 1e-5, "a selection within {margin:e}, which f32 could make otherwise");

    let narrow = chain(&device, DType::F32);
    let tokens = Tensor::<2, Int>::zeros([1, TOKENS], &device);
    let mut make = Maker::new(DIM, Rms { eps: 1e-6 }, &device, Source::Zeros);
    let embedding = coec_nn::Embedding::new(&mut make, Site::EMBEDDING, 1, coec_ir::Tokens::plain(false));
    let found = outcome(&narrow, &h, &upstream, |h| {
        let mut pass = Pass::new(&tokens, &embedding, None);
        narrow.forward(h.reshape([1, TOKENS, DIM]), &mut pass).reshape([TOKENS, DIM])
    });
    for ((what, found), (_, expected)) in found.iter().zip(&expected) {
        let error = relative(found, expected);
        println!("{what}: {error:.0e}");
        assert!(error < 1e-5, "{what} differs by {error:e}");
    }
}
