//! A small model of the same make: what is too large to run is held to its promises in the small.

use coec_ir::{Attention, Coe, Dense, Ffn, Groups, Layer, Loop, Mha, Mla, Model, Rope, Stack};

/// `model` with every width, count and repetition reduced, and everything that decides how it
/// computes left as it is: words, scales, balances, ties, which blocks there are and their order.
///
/// - `dim` becomes 16, `vocab` at most 256, `context` at most 16;
/// - of each run of equal layers the first two stay; what ran in a loop runs at most three times;
/// - heads become at most two for each key-value head, of which there are at most two; head widths
///   at most 8, latents at most 8;
/// - at most 3 experts are selected, of at most 8, in at most 4 groups; at most two are shared;
///   experts are at most 8 wide.
pub fn reduced(model: &Model) -> Model {
    let layers: Vec<Layer> = model.layers.kinds().iter().map(layer).collect();
    let order = model.layers.order();
    let stays = |&l: &usize| l < 2 || order[l] != order[l - 1] || order[l] != order[l - 2];
    let kept = (0..order.len()).filter(stays).map(|l| &layers[order[l]]);
    let before = |layer: usize| (0..layer).filter(stays).count();
    let loops = model.layers.loops().iter().map(|one| {
        let (start, end) = (before(one.start), before(one.end));
        Loop { start, end, times: if start < end { one.times.min(3) } else { 1 } }
    });
    Model {
        vocab: model.vocab.min(256),
        context: model.context.min(16),
        dim: model.dim.min(16),
        layers: Stack::from_layers(kept).with_loops(loops),
        ..model.clone()
    }
}

fn layer(layer: &Layer) -> Layer {
    let attention = match &layer.attention {
        Attention::Mha(b) => {
            let kv_heads = b.kv_heads.min(2);
            let heads = kv_heads * (b.heads / b.kv_heads).min(2);
            let head_dim = b.head_dim.min(8);
            Attention::Mha(Mha { heads, kv_heads, head_dim, rope: rope(b.rope, head_dim), ..b.clone() })
        }
        Attention::Mla(b) => Attention::Mla(Mla {
            heads: b.heads.min(2),
            kv_rank: b.kv_rank.min(8),
            q_rank: b.q_rank.map(|rank| rank.min(8)),
            nope: b.nope.min(4),
            rope_dim: b.rope_dim.min(4),
            value: b.value.min(4),
            rope: rope(b.rope, b.rope_dim.min(4)),
            ..b.clone()
        }),
    };
    let ffn = match &layer.ffn {
        Ffn::Dense(b) => Ffn::Dense(Dense { hidden: b.hidden.min(8), ..b.clone() }),
        Ffn::Coe(b) => Ffn::Coe(chain(b)),
    };
    Layer { attention, ffn }
}

/// The same rotation, within a smaller head.
fn rope(mut rope: Rope, head_dim: usize) -> Rope {
    let (Rope::Rope { dim, .. } | Rope::Yarn { dim, .. }) = &mut rope;
    *dim = dim.map(|dim| dim.min(head_dim));
    rope
}

fn chain(b: &Coe) -> Coe {
    let k: Vec<usize> = b.k.iter().map(|&k| k.min(3)).collect();
    let most = k.iter().copied().max().unwrap_or(1);
    let mut router = b.router.clone();
    let experts = match &mut router.groups {
        None => b.experts.min(8),
        Some(Groups { groups, keep, .. }) => {
            let size = (b.experts / *groups).min(most.max(2));
            (*groups, *keep) = ((*groups).min(4), (*keep).min(3).min(*groups));
            *groups * size
        }
    };
    Coe { k, experts, shared: b.shared.min(2), hidden: b.hidden.min(8), router, ..b.clone() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::models::{Sizes, model};

    proptest! {
        #[test]
        fn a_reduced_model_is_one(model in model(&Sizes::of_specs())) {
            let small = reduced(&model);
            prop_assert!(coec_ir::verify(small.clone()).is_ok());
            prop_assert_eq!(reduced(&small), small);
        }
    }
}
