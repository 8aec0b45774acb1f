//! Small models in every shape, and what tests compare of them.
#![allow(dead_code)] // each test file uses its part

pub mod twin;

use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Int, Tensor, TensorData, activation};
use coec_ir::*;
use coec_nn::{Forward, LanguageModel, Source, cross_entropy};

/// A chain of two iterations over four experts, everything else at its simplest.
pub fn coe() -> Coe {
    Coe { iter: 2, k: vec![2, 2], residual: Residual::Inner, ..Coe::plain(2, 4, 5) }
}

/// Two heads of width four.
pub fn mha() -> Mha {
    Mha::plain(2, 4)
}

/// Two heads over a latent of width six.
pub fn mla() -> Mla {
    Mla::plain(2, 6, [3, 4, 5])
}

pub fn ffn(coe: Coe) -> Ffn {
    Ffn::Coe(coe)
}

/// Two layers of width 8 over 11 tokens.
pub fn model(attention: Attention, ffn: Ffn) -> Model {
    Model {
        name: "small".into(),
        doc: String::new(),
        vocab: 11,
        context: 16,
        dim: 8,
        norm: Rms { eps: 1e-6 },
        embedding: Tokens::plain(false),
        layers: Stack::repeat(Layer { attention, ffn }, 2),
    }
}

pub fn verified(model: Model) -> Verified<Model> {
    verify(model).unwrap_or_else(|violations| panic!("{violations:?}"))
}

/// Every variant that the blocks' words span, by name.
pub fn variants() -> Vec<(String, Model)> {
    let mut all = Vec::new();
    let mut add =
        |name: &str, attention: Attention, ffn: Ffn| all.push((name.to_string(), model(attention, ffn)));
    let head = || Attention::Mha(mha());
    for &norm in ChainNorm::ALL {
        for &residual in Residual::ALL {
            if norm != ChainNorm::Once && matches!(residual, Residual::Both | Residual::Delta) {
                continue;
            }
            for &gate in Gate::ALL {
                let name = format!("{} {} {}", residual.word(), norm.word(), gate.word());
                let shared = 1 + usize::from(residual == Residual::Outer);
                let balance = vec![Balance::SeqAux { alpha: 0.1 }];
                add(&name, head(), ffn(Coe { residual, norm, gate, shared, balance, ..coe() }));
            }
        }
    }
    for &act in Act::ALL {
        add(act.word(), head(), ffn(Coe { act, shared: 1, ..coe() }));
        add(&format!("dense {}", act.word()), head(), Ffn::Dense(Dense::plain(7, act)));
    }
    for &shared_at in SharedAt::ALL {
        add(&format!("shared_at {}", shared_at.word()), head(), ffn(Coe { shared: 2, shared_at, ..coe() }));
    }
    for &shared_at in SharedAt::ALL {
        let shared_gate = SharedGate::Sigmoid;
        let name = format!("shared_gate sigmoid, shared_at {}", shared_at.word());
        add(&name, head(), ffn(Coe { shared: 2, shared_at, shared_gate, ..coe() }));
    }
    let chain = |k: &[usize]| Coe { iter: k.len(), k: k.to_vec(), ..coe() };
    add("one iteration", head(), ffn(chain(&[3])));
    add("three iterations", head(), ffn(chain(&[2, 2, 2])));
    add("k list", head(), ffn(chain(&[3, 1])));
    for score in [Score::Softmax, Score::Sigmoid] {
        for renorm in [false, true] {
            let name = format!("{} renorm={renorm}", score.word());
            let router = Router { renorm, scale: 1.5, ..Router::plain(score) };
            let balance = vec![
                Balance::SeqAux { alpha: 0.1 },
                Balance::SwitchAux { alpha: 0.2 },
                Balance::ZLoss { alpha: 0.05 },
                Balance::Bias { rate: 0.01 },
            ];
            add(&name, head(), ffn(Coe { router, balance, ..coe() }));
        }
    }
    for score in [GroupScore::Max, GroupScore::Top2] {
        let groups = Some(Groups { groups: 3, keep: 2, score });
        let router = Router { renorm: true, scale: 2.0, groups, ..Router::plain(Score::Sigmoid) };
        let balance = vec![Balance::Bias { rate: 0.01 }];
        add(&format!("groups {}", score.word()), head(), ffn(Coe { experts: 6, router, balance, ..coe() }));
    }
    let plain = || ffn(chain(&[2]));
    add("grouped queries", Attention::Mha(Mha { heads: 4, ..mha() }), plain());
    for &qk_norm in QkNorm::ALL {
        let attention =
            Mha { heads: 4, bias: vec![Projection::Q, Projection::K, Projection::V], qk_norm, ..mha() };
        add(&format!("qk_norm {} with bias", qk_norm.word()), Attention::Mha(attention), plain());
    }
    let yarn = Rope::Yarn {
        theta: 100.0,
        factor: 4.0,
        original: 8,
        beta_fast: 4.0,
        beta_slow: 1.0,
        mscale: 0.7,
        mscale_all_dim: 0.5,
        truncate: true,
        dim: None,
    };
    add("yarn", Attention::Mha(Mha { head_dim: 8, rope: yarn, ..mha() }), plain());
    add("mla", Attention::Mla(mla()), plain());
    add("mla with a query latent", Attention::Mla(Mla { q_rank: Some(5), ..mla() }), plain());
    add("mla with yarn", Attention::Mla(Mla { rope: yarn, rope_dim: 8, ..mla() }), plain());
    for (name, attention) in attention_words(yarn) {
        add(name, attention, plain());
    }
    for (name, block) in ffn_words() {
        add(name, head(), block);
    }
    let mut tied = model(head(), plain());
    tied.embedding.tied = true;
    all.push(("tied".into(), tied));
    let chain =
        || ffn(Coe { balance: vec![Balance::SeqAux { alpha: 0.1 }, Balance::Bias { rate: 0.01 }], ..coe() });
    for (name, start, end, times) in [("a loop of one layer", 1, 2, 3), ("a loop of both layers", 0, 2, 2)] {
        let mut looped = model(Attention::Mha(Mha { window: Some(3), ..mha() }), chain());
        looped.layers = looped.layers.with_loops([Loop { start, end, times }]);
        all.push((name.into(), looped));
    }
    let mut weighed = model(head(), plain());
    weighed.embedding = Tokens { multiplier: 1.7, logits_scaling: 3.0, ..Tokens::plain(false) };
    all.push(("embeddings multiplied, logits divided".into(), weighed));
    all
}

/// Words of attention that stand for themselves, one or two at a time.
fn attention_words(yarn: Rope) -> Vec<(&'static str, Attention)> {
    let (mut untruncated, mut partial) = (yarn, yarn);
    if let (Rope::Yarn { truncate, .. }, Rope::Yarn { dim, .. }) = (&mut untruncated, &mut partial) {
        (*truncate, *dim) = (false, Some(6));
    }
    let first = |dim| Rope::Rope { theta: 100.0, dim: Some(dim) };
    let grouped = || Mha { heads: 4, head_dim: 8, ..mha() };
    let all: Vec<_> = Projection::ALL.to_vec();
    let both: Vec<_> = LatentProjection::ALL.to_vec();
    vec![
        ("pairs neighbours", Attention::Mha(Mha { pairs: Pairs::Neighbours, ..grouped() })),
        ("mla with pairs halves", Attention::Mla(Mla { pairs: Pairs::Halves, rope_dim: 8, ..mla() })),
        (
            "qk_norm head after the rotation",
            Attention::Mha(Mha { qk_norm: QkNorm::Head, qk_norm_at: NormAt::After, ..grouped() }),
        ),
        (
            "qk_norm full after the rotation",
            Attention::Mha(Mha { qk_norm: QkNorm::Full, qk_norm_at: NormAt::After, ..grouped() }),
        ),
        ("bias of all projections", Attention::Mha(Mha { bias: all, ..grouped() })),
        ("bias of the output", Attention::Mha(Mha { bias: vec![Projection::O], ..grouped() })),
        ("mla with biases", Attention::Mla(Mla { q_rank: Some(5), bias: both.clone(), ..mla() })),
        ("mla with biases and direct queries", Attention::Mla(Mla { bias: both, ..mla() })),
        ("mla with latent_eps", Attention::Mla(Mla { q_rank: Some(5), latent_eps: Some(0.3), ..mla() })),
        ("scale", Attention::Mha(Mha { scale: Some(0.3), ..grouped() })),
        ("mla with scale", Attention::Mla(Mla { scale: Some(0.3), ..mla() })),
        (
            "attention normed after, weighed",
            Attention::Mha(Mha { norm_at: NormAt::After, multiplier: 0.4, ..grouped() }),
        ),
        (
            "mla normed after, weighed",
            Attention::Mla(Mla { norm_at: NormAt::After, multiplier: 0.4, ..mla() }),
        ),
        ("yarn between dimensions", Attention::Mha(Mha { rope: untruncated, ..grouped() })),
        ("yarn of the first dimensions", Attention::Mha(Mha { rope: partial, ..grouped() })),
        ("rope of the first dimensions", Attention::Mha(Mha { rope: first(4), ..grouped() })),
        (
            "rope of the first neighbours",
            Attention::Mha(Mha { rope: first(6), pairs: Pairs::Neighbours, ..grouped() }),
        ),
        ("window", Attention::Mha(Mha { window: Some(3), ..grouped() })),
        ("window of one", Attention::Mha(Mha { window: Some(1), ..mha() })),
        ("sinks", Attention::Mha(Mha { sinks: true, ..grouped() })),
        ("window and sinks", Attention::Mha(Mha { window: Some(4), sinks: true, ..grouped() })),
        ("mla with window and sinks", Attention::Mla(Mla { window: Some(3), sinks: true, ..mla() })),
        ("mla with rope of the first dimensions", Attention::Mla(Mla { rope: first(2), ..mla() })),
    ]
}

/// The same of feed-forward sublayers.
fn ffn_words() -> Vec<(&'static str, Ffn)> {
    let biased = |gate| {
        let router = Router { bias: true, ..Router::plain(Score::Softmax) };
        ffn(Coe { gate, router, ..coe() })
    };
    let added =
        |residual, norm_at, multiplier| ffn(Coe { residual, norm_at, multiplier, shared: 1, ..coe() });
    vec![
        ("experts with biases", ffn(Coe { bias: true, shared: 2, ..coe() })),
        ("experts without a gate, with biases", ffn(Coe { bias: true, act: Act::Relu2, shared: 1, ..coe() })),
        ("clamped experts with biases", ffn(Coe { bias: true, act: Act::Clamped, ..coe() })),
        ("dense with biases", Ffn::Dense(Dense { bias: true, ..Dense::plain(7, Act::Geglu) })),
        ("router biases, independent", biased(Gate::Independent)),
        ("router bias, tied", biased(Gate::Tied)),
        ("router bias, frozen", biased(Gate::Frozen)),
        ("outer normed after, weighed", added(Residual::Outer, NormAt::After, 0.4)),
        ("delta normed after, weighed", added(Residual::Delta, NormAt::After, 0.4)),
        ("both weighed", added(Residual::Both, NormAt::Before, 0.4)),
        (
            "dense normed after, weighed",
            Ffn::Dense(Dense { norm_at: NormAt::After, multiplier: 0.4, ..Dense::plain(7, Act::Swiglu) }),
        ),
    ]
}

/// `model` on `device` with weights large enough that every path matters.
pub fn build(model: &Verified<Model>, device: &Device, dtype: DType) -> LanguageModel {
    let built = LanguageModel::with_dtype(model, device, Source::Zeros, dtype).unwrap();
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    built
        .load(|param| {
            let norm = param.init == Init::Ones;
            Ok((0..param.elements())
                .map(|_| {
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let unit = (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
                    if norm { 1.0 + 0.3 * unit } else { 0.6 * unit }
                })
                .collect())
        })
        .unwrap()
}

/// Some tokens, `[batch, length]`, and the tokens after them.
pub fn tokens(
    batch: usize,
    length: usize,
    vocab: usize,
    device: &Device,
) -> (Tensor<2, Int>, Tensor<2, Int>) {
    let ids: Vec<i32> = (0..batch * (length + 1)).map(|i| ((i * i * 7 + i * 3) % vocab) as i32).collect();
    let window = |shift: usize| {
        let ids: Vec<i32> =
            ids.chunks(length + 1).flat_map(|row| row[shift..shift + length].to_vec()).collect();
        Tensor::<2, Int>::from_data(TensorData::new(ids, [batch, length]), device)
    };
    (window(0), window(1))
}

/// Everything a pass computes, by name.
pub struct Results {
    pub logits: Vec<f64>,
    pub loss: f64,
    pub aux_loss: f64,
    pub gradients: Vec<(String, Vec<f32>)>,
}

/// Logits, losses and the gradients of `loss + aux_loss`.
pub fn results(model: &LanguageModel, forward: Forward, targets: Tensor<2, Int>) -> Results {
    let logits = forward.logits.clone().tensor();
    of(model, logits, cross_entropy(forward.logits, targets), forward.aux_loss)
}

/// The same of the slow reference.
pub fn slow_results(model: &LanguageModel, forward: twin::Forward, targets: Tensor<2, Int>) -> Results {
    let [b, t, v] = forward.logits.dims();
    let log_probs = activation::log_softmax(forward.logits.clone().reshape([b * t, v]), 1);
    let loss = -log_probs.gather(1, targets.reshape([b * t, 1])).mean().reshape([1]);
    of(model, forward.logits, loss, forward.aux_loss)
}

fn of(model: &LanguageModel, logits: Tensor<3>, loss: Tensor<1>, aux: Option<Tensor<1>>) -> Results {
    let logits = logits.to_data().iter::<f64>().collect();
    let aux_loss = aux.as_ref().map_or(0.0, |aux| aux.clone().into_scalar::<f64>());
    let total = match aux {
        Some(aux) => loss.clone() + aux,
        None => loss.clone(),
    };
    let grads = GradientsParams::from_grads(total.backward(), model);
    let gradients = model.gradients(&grads).into_iter().map(|(param, grad)| (param.name, grad)).collect();
    Results { logits, loss: loss.into_scalar::<f64>(), aux_loss, gradients }
}

/// Frobenius norm of the difference over that of the reference.
pub fn relative(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut found.iter().zip(expected).map(|(a, b)| a - b));
    difference / norm(&mut expected.iter().copied()).max(1e-12)
}

/// Asserts that two passes agree within `tolerance`, naming what does not. The errors of the logits
/// and of the worst gradient.
pub fn assert_agree(name: &str, found: &Results, expected: &Results, tolerance: f64) -> [f64; 2] {
    let check = |what: &str, error: f64| {
        assert!(error < tolerance, "{name}: {what} differs by {error:e}, allowed {tolerance:e}");
        error
    };
    let logits = check("logits", relative(&found.logits, &expected.logits));
    let mut worst = 0.0f64;
    check("loss", (found.loss - expected.loss).abs() / expected.loss.abs());
    check("aux_loss", (found.aux_loss - expected.aux_loss).abs() / expected.aux_loss.abs().max(1.0));
    for ((name, found), (other, expected)) in found.gradients.iter().zip(&expected.gradients) {
        assert_eq!(name, other);
        let wide = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
        let (found, expected) = (wide(found), wide(expected));
        let largest = expected.iter().fold(0.0f64, |max, v| max.max(v.abs()));
        if largest > 1e-10 {
            worst = worst.max(check(&format!("gradient of {name}"), relative(&found, &expected)));
        } else {
            assert!(found.iter().all(|v| v.abs() < 1e-6), "{name} should have no gradient");
        }
    }
    [logits, worst]
}
