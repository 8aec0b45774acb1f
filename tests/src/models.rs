//! Arbitrary verified models, over the whole language, that shrink.
//!
//! Shared by tests of crates that must not depend on each other: the front end's include this file
//! by its path.

use std::ops::Range;

use coec_ir::{
    Act, Attention, Balance, ChainNorm, Coe, Dense, Ffn, Gate, GroupScore, Groups, Layer, Mha, Mla, Model,
    QkNorm, Residual, Rms, Rope, Router, Score, SharedAt, SharedGate, Stack, Tokens,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// How large a model may be.
#[derive(Debug, Clone)]
pub struct Sizes {
    /// `dim`.
    pub dim: Range<usize>,
    /// `vocab`.
    pub vocab: Range<usize>,
    /// `context`.
    pub context: Range<usize>,
    /// Widths of experts, latents and heads' parts.
    pub width: Range<usize>,
    /// Layers.
    pub layers: Range<usize>,
}

impl Sizes {
    /// As specs have them.
    pub fn of_specs() -> Self {
        Self { dim: 1..4096, vocab: 1..200_000, context: 1..100_000, width: 1..2048, layers: 1..12 }
    }

    /// Small enough to run thousands of them.
    pub fn tiny() -> Self {
        Self { dim: 1..13, vocab: 2..14, context: 1..9, width: 1..7, layers: 1..4 }
    }
}

/// A model within `sizes`.
pub fn model(sizes: &Sizes) -> impl Strategy<Value = Model> + use<> {
    let layer = (attention(sizes), ffn(sizes)).prop_map(|(attention, ffn)| Layer { attention, ffn });
    let kinds = vec(layer, 1..4);
    let order = vec(0usize..4, sizes.layers.clone());
    let shape = (sizes.vocab.clone(), sizes.context.clone(), sizes.dim.clone());
    let doc = "([ -~é]{0,12}\n){0,3}[ -~]{1,12}";
    (kinds, order, shape, 1e-12..1e-3f64, any::<bool>(), doc).prop_map(
        |(kinds, order, (vocab, context, dim), eps, tied, doc)| Model {
            name: "a".into(),
            doc: doc.trim_matches('\n').into(),
            vocab,
            context,
            dim,
            norm: Rms { eps },
            embedding: Tokens { tied },
            layers: Stack::from_layers(order.iter().map(|&i| &kinds[i % kinds.len()])),
        },
    )
}

fn rope() -> impl Strategy<Value = Rope> {
    let yarn = (2.0..1e7, 1.0..64.0, 1usize..1 << 20, 1.0..64.0, 0.0..2.0, 0.0..2.0).prop_map(
        |(theta, factor, original, beta_fast, mscale, mscale_all_dim)| Rope::Yarn {
            theta,
            factor,
            original,
            beta_fast,
            beta_slow: beta_fast / 2.0,
            mscale,
            mscale_all_dim,
        },
    );
    prop_oneof![(1.0..1e7).prop_map(|theta| Rope::Rope { theta }), yarn]
}

fn attention(sizes: &Sizes) -> impl Strategy<Value = Attention> + use<> {
    let width = || sizes.width.clone();
    let heads = (1usize..4, 1usize..4);
    let mha = (rope(), heads, width(), select(QkNorm::ALL), any::<bool>()).prop_map(
        |(rope, (kv_heads, share), half, qk_norm, bias)| {
            let (heads, head_dim) = (kv_heads * share, 2 * half);
            Attention::Mha(Mha { heads, kv_heads, head_dim, rope, qk_norm, bias })
        },
    );
    let ranks = (width(), proptest::option::of(width()));
    let mla = (rope(), 1usize..4, ranks, width(), width(), width()).prop_map(
        |(rope, heads, (kv_rank, q_rank), nope, half, value)| {
            Attention::Mla(Mla { heads, kv_rank, q_rank, nope, rope_dim: 2 * half, value, rope })
        },
    );
    prop_oneof![mha, mla]
}

fn router() -> impl Strategy<Value = (Router, usize)> {
    let groups = (1usize..5, 2usize..5, 1usize..5, select(GroupScore::ALL));
    let score = (select(Score::ALL), any::<bool>(), 0.0..4.0);
    (score, groups, any::<bool>()).prop_map(|((score, renorm, scale), (groups, size, keep, by), grouped)| {
        let keep = 1 + keep % groups;
        let some = Groups { groups, keep, score: by };
        (Router { score, renorm, scale, groups: grouped.then_some(some) }, groups * size)
    })
}

/// Experts that a selection may choose among.
fn eligible(router: &Router, experts: usize) -> usize {
    router.groups.map_or(experts, |groups| experts / groups.groups * groups.keep)
}

fn balance() -> impl Strategy<Value = Vec<Balance>> {
    let terms = vec![
        Balance::SeqAux { alpha: 0.001 },
        Balance::SwitchAux { alpha: 1e-7 },
        Balance::ZLoss { alpha: 0.0 },
        Balance::Bias { rate: 0.25 },
    ];
    subsequence(terms, 0..=4)
}

fn ffn(sizes: &Sizes) -> impl Strategy<Value = Ffn> + use<> {
    let width = || sizes.width.clone();
    let dense = (width(), select(&Act::ALL)).prop_map(|(hidden, act)| Ffn::Dense(Dense { hidden, act }));
    let shape = (1usize..5, vec(0usize..16, 4), any::<bool>(), width(), select(&Act::ALL));
    let shared = (0usize..3, select(SharedAt::ALL), select(SharedGate::ALL));
    let words = (select(Residual::ALL), select(Gate::ALL), select(ChainNorm::ALL));
    let coe = (shape, shared, words, router(), balance()).prop_map(
        |(shape, shared, (residual, gate, norm), (router, experts), balance)| {
            let (iter, ks, list, hidden, act) = shape;
            let (shared, shared_at, shared_gate) = shared;
            let most = eligible(&router, experts);
            let is_list = list && gate != Gate::Frozen;
            let k = (0..iter).map(|t| 1 + ks[if is_list { t } else { 0 }] % most).collect();
            let once = matches!(residual, Residual::Both | Residual::Delta);
            Ffn::Coe(Coe {
                iter,
                k,
                experts,
                shared,
                hidden,
                act,
                residual,
                gate,
                norm: if once { ChainNorm::Once } else { norm },
                shared_at,
                shared_gate: if shared > 0 { shared_gate } else { SharedGate::None },
                router,
                balance,
            })
        },
    );
    prop_oneof![1 => dense, 4 => coe]
}
