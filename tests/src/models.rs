//! Arbitrary verified models, over the whole language, that shrink.
//!
//! Shared by tests of crates that must not depend on each other: the front end's include this file
//! by its path.

use std::ops::Range;

use coec_ir::table::{Block, Default, Field, Kind, Table, Tabled, Value};
use coec_ir::{
    Attention, Bounds, ChainNorm, Coe, Ffn, Gate, Groups, Layer, Loop, Mha, Mla, Model, NormAt, Residual,
    Rms, Rope, SharedGate, Stack, Tokens, bounds,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::Union;

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
    let tokens = block(Tokens::TABLES, sizes);
    let loops = option::weighted(0.3, (0usize..4, 0usize..3, 2usize..4));
    (kinds, (order, loops), shape, 1e-12..1e-3f64, tokens, doc).prop_map(
        |(kinds, (order, loops), (vocab, context, dim), eps, tokens, doc)| Model {
            name: "a".into(),
            doc: doc.trim_matches('\n').into(),
            vocab,
            context,
            dim,
            norm: Rms { eps },
            embedding: Tokens::read(&tokens).expect("the table's own values"),
            layers: looped(Stack::from_layers(order.iter().map(|&i| &kinds[i % kinds.len()])), loops),
        },
    )
}

/// The same with a loop of some of its layers: the first, how many more, and how often they run.
fn looped(layers: Stack, given: Option<(usize, usize, usize)>) -> Stack {
    let one = given.map(|(start, more, times)| {
        let start = start % layers.len();
        Loop { start, end: (start + 1 + more).min(layers.len()), times }
    });
    layers.with_loops(one)
}

/// A block of one of the words, the values of its fields as their tables allow them. What fields
/// must be to each other may not hold: see [`sound_attention`] and [`sound_ffn`].
fn block(tables: &'static [Table], sizes: &Sizes) -> BoxedStrategy<Block> {
    let blocks = tables.iter().map(|table| {
        let values: Vec<_> = table.fields.iter().map(|field| value(table, field, sizes)).collect();
        values.prop_map(move |values| Block { table, values }).boxed()
    });
    Union::new(blocks).boxed()
}

fn value(table: &Table, field: &'static Field, sizes: &Sizes) -> BoxedStrategy<Option<Value>> {
    let is_fixed = table.fixed.iter().any(|(name, _)| *name == field.name);
    let count = |bounds: Bounds| counts(bounds, sizes).prop_map(Value::Count);
    let value = match (field.kind, table.default(field)) {
        (_, Default::Count(n)) if is_fixed => Just(Value::Count(n)).boxed(),
        (_, Default::Word(word)) if is_fixed => Just(Value::Word(word)).boxed(),
        (Kind::Count(bounds), _) => count(bounds).boxed(),
        (Kind::OptionalCount(bounds), _) => prop_oneof![Just(Value::Word("none")), count(bounds)].boxed(),
        (Kind::Counts(bounds, _), _) => {
            prop_oneof![count(bounds), vec(count(bounds), 1..5).prop_map(Value::List)].boxed()
        }
        (Kind::Real(bounds), _) => reals(bounds).prop_map(Value::Real).boxed(),
        (Kind::Pair(bounds), _) => vec(reals(bounds).prop_map(Value::Real), 2).prop_map(Value::List).boxed(),
        (Kind::Reals(bounds), _) => {
            vec(reals(bounds).prop_map(Value::Real), 1..4).prop_map(Value::List).boxed()
        }
        (Kind::Texts, _) => vec("[ -~é]{0,9}".prop_map(Value::Text), 1..3).prop_map(Value::List).boxed(),
        (Kind::Amount, _) => {
            prop_oneof![(0usize..100).prop_map(Value::Count), (0.0..1.0).prop_map(Value::Real)].boxed()
        }
        (Kind::Flag, _) => any::<bool>().prop_map(Value::Flag).boxed(),
        (Kind::Text, _) => "[ -~é]{0,9}".prop_map(Value::Text).boxed(),
        (Kind::Name(names, _), _) => select(names).prop_map(|name| Value::Text(name.into())).boxed(),
        (Kind::Word(words), _) => select(words()).prop_map(Value::Word).boxed(),
        (Kind::Words(words), _) => {
            let some = subsequence(words(), 0..=words().len());
            some.prop_map(|words| Value::List(words.into_iter().map(Value::Word).collect())).boxed()
        }
        (Kind::Block(tables), _) => block(tables, sizes).prop_map(Value::Block).boxed(),
        // Each word at most once, none of them in one case of a few.
        (Kind::Blocks(tables), _) => {
            let terms = subsequence(tables.iter().collect::<Vec<_>>(), 0..=tables.len());
            let sizes = sizes.clone();
            let terms = terms.prop_flat_map(move |terms| {
                let blocks = terms.into_iter().map(|table| block(std::slice::from_ref(table), &sizes));
                blocks.map(|block| block.prop_map(Value::Block)).collect::<Vec<_>>()
            });
            terms.prop_map(Value::List).boxed()
        }
    };
    match field.default {
        Default::Nothing => option::of(value).boxed(),
        _ => value.prop_map(Some).boxed(),
    }
}

/// Small numbers, for widths those of `sizes`.
fn counts(bounds: Bounds, sizes: &Sizes) -> BoxedStrategy<usize> {
    let least = bounds.min as usize;
    match bounds.max {
        max if max > bounds::WIDTH.max => (least..1 << 20).boxed(),
        max if max == bounds::WIDTH.max => sizes.width.clone().boxed(),
        max if max == bounds::EXPERTS.max => (least..17).boxed(),
        _ => (least..least + 4).boxed(),
    }
}

/// Numbers of every magnitude that is likely.
fn reals(bounds: Bounds) -> BoxedStrategy<f64> {
    let most = bounds.max.min(1e7);
    match bounds.min {
        0.0 => (0.0..most.min(4.0)).boxed(),
        min => {
            let least: f64 = min.max(if most > 1.0 { 1.0 } else { 1e-12 });
            (0.0..1.0f64).prop_map(move |x| (least * (most / least).powf(x)).clamp(min, most)).boxed()
        }
    }
}

/// An attention block.
pub fn attention(sizes: &Sizes) -> impl Strategy<Value = Attention> + use<> {
    block(Attention::TABLES, sizes)
        .prop_map(|block| sound_attention(Attention::read(&block).expect("the tables' own values")))
}

/// A feed-forward block, most of them chains.
pub fn ffn(sizes: &Sizes) -> impl Strategy<Value = Ffn> + use<> {
    let chains = block(Coe::TABLES, sizes);
    prop_oneof![2 => block(Ffn::TABLES, sizes), 2 => chains]
        .prop_map(|block| sound_ffn(Ffn::read(&block).expect("the tables' own values")))
}

/// The same with fields that agree with each other.
fn sound_attention(attention: Attention) -> Attention {
    match attention {
        Attention::Mha(b) => {
            let (heads, head_dim) = (b.kv_heads * (1 + b.heads % 3), 2 * b.head_dim);
            Attention::Mha(Mha { heads, head_dim, rope: sound_rope(b.rope, head_dim), ..b })
        }
        Attention::Mla(b) => {
            let rope_dim = 2 * b.rope_dim;
            Attention::Mla(Mla { rope_dim, rope: sound_rope(b.rope, rope_dim), ..b })
        }
    }
}

fn sound_rope(mut rope: Rope, head_dim: usize) -> Rope {
    let (Rope::Rope { dim, .. } | Rope::Yarn { dim, .. }) = &mut rope;
    *dim = dim.map(|dim| 2 * (1 + dim % (head_dim / 2)));
    match rope {
        Rope::Yarn { ref beta_fast, ref mut beta_slow, .. } => {
            *beta_slow = beta_fast / 2.0;
            rope
        }
        Rope::Rope { .. } => rope,
    }
}

/// The same with fields that agree with each other.
fn sound_ffn(ffn: Ffn) -> Ffn {
    let Ffn::Coe(mut b) = ffn else { return ffn };
    let mut eligible = b.experts;
    if let Some(Groups { groups, keep, .. }) = &mut b.router.groups {
        *groups = 1 + *groups % 4;
        *keep = 1 + *keep % *groups;
        let size = 2 + b.experts % 3;
        b.experts = *groups * size;
        eligible = *keep * size;
    }
    let given = b.k.clone();
    let at = |t: usize| if b.gate == Gate::Frozen { 0 } else { t % given.len() };
    b.k = (0..b.iter).map(|t| 1 + given[at(t)] % eligible).collect();
    if matches!(b.residual, Residual::Both | Residual::Delta) {
        b.norm = ChainNorm::Once;
    }
    let adds = matches!(b.residual, Residual::Outer | Residual::Delta);
    if !(adds && b.norm == ChainNorm::Once) {
        b.norm_at = NormAt::Before;
    }
    if !(adds || b.residual == Residual::Both) {
        b.multiplier = 1.0;
    }
    if b.shared == 0 {
        b.shared_gate = SharedGate::None;
    }
    Ffn::Coe(b)
}
