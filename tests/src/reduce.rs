//! Models cut down to a size that a test can run, with their structure kept.
//!
//! A published model has the blocks, the wiring and the order of layers that a test is about, and
//! widths that it is not. [`reduced`] lowers widths and counts and keeps every choice: a model
//! keeps its kinds of layer and the order in which they alternate, grouped queries stay grouped,
//! iterations that select different numbers of experts go on doing so in the same order, a
//! selection limited to some groups stays limited. A model that is small already stays as it is.

use coec_ir::{
    Attention, Coe, Dense, Ffn, GroupScore, Groups, Layer, Mha, Mla, Model, Rope, Stack, Verified, verify,
};

/// Layers kept of a run of equal ones, and of the whole model.
const RUN: usize = 2;
const LAYERS: usize = 12;

/// `model` with small widths and counts.
///
/// | | at most |
/// |---|---|
/// | vocabulary, context, width | 61, 16, 16 |
/// | layers in a run of equal ones; in all | 2; 12 |
/// | key-value heads; queries for each; width of a head | 2; 2; 8 |
/// | latents of keys and of queries; parts of a head | 8, 6; 6 + 4, values 5 |
/// | experts; groups of two | 8; 4 |
/// | shared experts; width of an expert; of an MLP | 2; 8; 12 |
///
/// # Panics
///
/// When what it makes is no model, which would be its own mistake.
pub fn reduced(model: &Verified<Model>) -> Verified<Model> {
    let mut layers: Vec<Layer> = Vec::new();
    let mut run = 0;
    let mut last = None;
    for (&kind, layer) in model.layers.order().iter().zip(model.layers.iter()) {
        run = if last == Some(kind) { run + 1 } else { 1 };
        last = Some(kind);
        if run <= RUN && layers.len() < LAYERS {
            layers.push(Layer { attention: attention(&layer.attention), ffn: ffn(&layer.ffn) });
        }
    }
    let small = Model {
        vocab: model.vocab.min(61),
        context: model.context.min(16),
        dim: model.dim.min(16),
        layers: Stack::from_layers(&layers),
        ..(**model).clone()
    };
    verify(small).unwrap_or_else(|violations| panic!("{}: {violations:?}", model.name))
}

fn attention(block: &Attention) -> Attention {
    match block {
        Attention::Mha(block) => {
            let kv_heads = block.kv_heads.min(2);
            let heads = kv_heads * (block.heads / block.kv_heads).min(2);
            Attention::Mha(Mha { heads, kv_heads, head_dim: block.head_dim.min(8), ..block.clone() })
        }
        Attention::Mla(block) => Attention::Mla(Mla {
            heads: block.heads.min(2),
            kv_rank: block.kv_rank.min(8),
            q_rank: block.q_rank.map(|rank| rank.min(6)),
            nope: block.nope.min(6),
            rope_dim: block.rope_dim.min(4),
            value: block.value.min(5),
            rope: rope(block.rope),
        }),
    }
}

/// The rotation is what it was: its numbers are no sizes.
fn rope(rope: Rope) -> Rope {
    rope
}

fn ffn(block: &Ffn) -> Ffn {
    match block {
        Ffn::Dense(block) => Ffn::Dense(Dense { hidden: block.hidden.min(12), ..block.clone() }),
        Ffn::Coe(block) => Ffn::Coe(coe(block)),
    }
}

fn coe(block: &Coe) -> Coe {
    // Numbers of selected experts by their rank: 1 for the smallest, and so on.
    let mut ranks: Vec<usize> = block.k.clone();
    ranks.sort_unstable();
    ranks.dedup();
    let (mut router, experts, most) =
        (block.router.clone(), block.experts, *block.k.iter().max().unwrap_or(&1));
    let (experts, most) = match router.groups {
        None => (experts.min(8).max(ranks.len()), most),
        Some(limits) => {
            let groups = limits.groups.min(4);
            let keep = if limits.keep < limits.groups { limits.keep.min(groups - 1) } else { groups };
            let least = if limits.score == GroupScore::Top2 { 2 } else { 1 };
            let size = (limits_size(experts, limits)).min(2.max(ranks.len().div_ceil(keep))).max(least);
            router.groups = Some(Groups { groups, keep, ..limits });
            (groups * size, keep * size)
        }
    };
    let most = most.min(experts);
    // One value of k stays as large as a small pool has use for: two where it was more than one.
    let small = |k: usize| match ranks.len() {
        1 => k.min(2).min(most),
        _ => ranks.iter().position(|&rank| rank == k).unwrap_or_default() + 1,
    };
    Coe {
        k: block.k.iter().map(|&k| small(k)).collect(),
        experts,
        shared: block.shared.min(2),
        hidden: block.hidden.min(8),
        router,
        ..block.clone()
    }
}

fn limits_size(experts: usize, limits: Groups) -> usize {
    experts / limits.groups
}
