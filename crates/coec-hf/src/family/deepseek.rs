//! What DeepSeek-V2, V3 and the chain built on them have in common.

use coec_ir::{Attention, Balance, GroupScore, Groups, LatentProjection, Mla, Pairs, bounds};
use serde_json::Value;

use super::plain::{Defaults, Sizes};
use crate::read::{Given, Reader};
use crate::rope::{self, Code, part::Part};
use crate::write::{Parts, Writer};

/// The eps of the norms of both latents, which no setting changes.
const LATENT_EPS: f64 = 1e-6;

/// What a family's configuration class gives the parts of latent attention that are left out.
pub(super) struct Latent {
    pub kv_rank: usize,
    pub q_rank: usize,
    pub nope: usize,
    pub rope_dim: usize,
    pub value: usize,
}

/// DeepSeek's own.
pub(super) const LATENT: Latent = Latent { kv_rank: 512, q_rank: 1536, nope: 128, rope_dim: 64, value: 128 };

/// Latent attention. How many heads share a key, files may say as they like: none do.
pub(super) fn mla(
    reader: &mut Reader<'_>,
    defaults: &Defaults,
    latent: &Latent,
    sizes: &Sizes,
    code: Code,
) -> Mla {
    let heads = reader.count("num_attention_heads", Some(defaults.heads), bounds::HEADS);
    let kv_rank = reader.count("kv_lora_rank", Some(latent.kv_rank), bounds::WIDTH);
    let q_rank = reader.count_or_null("q_lora_rank", Some(latent.q_rank), bounds::WIDTH);
    let parts = [
        ("qk_nope_head_dim", latent.nope),
        ("qk_rope_head_dim", latent.rope_dim),
        ("v_head_dim", latent.value),
    ];
    let parts = parts.map(|(key, default)| reader.count(key, Some(default), bounds::WIDTH));
    let rope = rope::read(reader, defaults.theta, sizes.context, code, Part::Whole);
    let has_bias = reader.flag("attention_bias", false);
    let mut mla = Mla { q_rank, rope, ..Mla::plain(heads, kv_rank, parts) };
    mla.bias = if has_bias { LatentProjection::ALL.to_vec() } else { Vec::new() };
    mla.bias = mla.biased().collect();
    mla.latent_eps = Some(LATENT_EPS).filter(|&eps| eps != sizes.eps);
    mla
}

/// Which dimensions turn together, as `rope_interleave` says it.
pub(super) fn pairs(reader: &mut Reader<'_>) -> Pairs {
    if reader.flag("rope_interleave", true) { Pairs::Neighbours } else { Pairs::Halves }
}

/// How many of the first layers are dense.
pub(super) fn first_dense(reader: &mut Reader<'_>, default: usize) -> usize {
    let bounds = coec_ir::Bounds { min: 0.0, ..bounds::LAYERS };
    reader.count("first_k_dense_replace", Some(default), bounds)
}

/// The same, where all the others have experts.
pub(super) fn dense_layers(reader: &mut Reader<'_>, default: usize) -> usize {
    let first = first_dense(reader, default);
    if let Given::Value(value) = reader.given("moe_layer_freq")
        && value.as_u64() != Some(1)
    {
        let why = "DeepSeek's own code skips layers by it, transformers does not";
        reader.refuse("moe_layer_freq", value, why, "1");
    }
    first
}

/// Shared experts; none where it is null.
pub(super) fn shared(reader: &mut Reader<'_>, default: Option<usize>) -> usize {
    let bounds = coec_ir::Bounds { min: 1.0, ..bounds::SHARED };
    reader.count_or_null("n_shared_experts", default, bounds).unwrap_or(0)
}

/// The two settings of group-limited selection. One group limits nothing.
pub(super) fn groups(
    reader: &mut Reader<'_>,
    defaults: [Option<usize>; 2],
    score: GroupScore,
) -> Option<Groups> {
    let groups = reader.count("n_group", defaults[0], bounds::EXPERTS);
    let keep = reader.count("topk_group", defaults[1], bounds::EXPERTS);
    (groups != 1 || keep != 1).then_some(Groups { groups, keep, score })
}

/// Groups of DeepSeek-V2 and of the chain, by `topk_method`.
pub(super) fn groups_by_method(reader: &mut Reader<'_>) -> Option<Groups> {
    // Without the method that reads them, they limit nothing.
    reader.given("n_group");
    reader.given("topk_group");
    match reader.word("topk_method", "greedy") {
        "greedy" => None,
        "group_limited_greedy" => groups(reader, [None, None], GroupScore::Max),
        other => {
            let why = "the family's code has no such selection";
            reader.refuse("topk_method", &other.into(), why, "\"greedy\", \"group_limited_greedy\"");
            None
        }
    }
}

/// The balance loss of `aux_loss_alpha` and `seq_aux`; without a coefficient, or with 0, none.
pub(super) fn aux_loss(reader: &mut Reader<'_>, default: f64) -> Vec<Balance> {
    let alpha = reader.real("aux_loss_alpha", Some(default), bounds::COEFFICIENT);
    let by_sequence = reader.flag("seq_aux", true);
    match (alpha, by_sequence) {
        (0.0, _) => Vec::new(),
        (alpha, true) => vec![Balance::SeqAux { alpha }],
        (alpha, false) => vec![Balance::SwitchAux { alpha }],
    }
}

/// Writes latent attention, if the model has it, and the sizes around it.
pub(super) fn write_mla(writer: &mut Writer, parts: &Parts<'_>, code: Code) {
    writer.common(parts);
    let Some(mla) = writer.mla(parts) else { return };
    let eps = mla.latent_eps.unwrap_or(parts.model.norm.eps);
    if eps != LATENT_EPS {
        writer.blocked("attention.latent_eps", format!("{eps:?}"), "the norms of the latents have 1e-6");
    }
    let all: Vec<_> = LatentProjection::ALL.iter().copied().filter(|&p| is_there(mla, p)).collect();
    if !mla.bias.is_empty() && mla.bias != all {
        let words: Vec<_> = mla.bias.iter().map(|projection| projection.word()).collect();
        writer.blocked("attention.bias", format!("[{}]", words.join(", ")), "biases of all three, or none");
    }
    writer.set("num_attention_heads", mla.heads);
    writer.set("num_key_value_heads", mla.heads);
    writer.set("kv_lora_rank", mla.kv_rank);
    writer.set("q_lora_rank", mla.q_rank);
    writer.set("qk_nope_head_dim", mla.nope);
    writer.set("qk_rope_head_dim", mla.rope_dim);
    writer.set("v_head_dim", mla.value);
    writer.set("attention_bias", !mla.bias.is_empty());
    rope::write(writer, &mla.rope, code);
}

fn is_there(mla: &Mla, projection: LatentProjection) -> bool {
    projection != LatentProjection::QA || mla.q_rank.is_some()
}

/// Writes which dimensions turn together.
pub(super) fn write_pairs(writer: &mut Writer, parts: &Parts<'_>) {
    if let Attention::Mla(mla) = &parts.attention {
        writer.set("rope_interleave", mla.pairs == Pairs::Neighbours);
    }
}

/// Writes how many first layers are dense, if no others are.
pub(super) fn write_first_dense(writer: &mut Writer, parts: &Parts<'_>) {
    let first = parts.is_dense.iter().take_while(|&&dense| dense).count();
    if let Some(layer) = parts.is_dense.iter().skip(first).position(|&dense| dense) {
        writer.blocked(&format!("ffn[{}]", first + layer), "dense", "only the first layers are dense");
    }
    writer.set("first_k_dense_replace", first);
}

/// Writes which layers are dense: the first ones, or none.
pub(super) fn write_layers(writer: &mut Writer, parts: &Parts<'_>) {
    write_first_dense(writer, parts);
    writer.set("moe_layer_freq", 1);
    write_widths(writer, parts);
}

/// Writes how wide layers are, how many experts there are, and how many are selected.
pub(super) fn write_widths(writer: &mut Writer, parts: &Parts<'_>) {
    // Without dense layers nothing has this width.
    writer.set("intermediate_size", parts.dense.map_or(parts.coe.hidden, |dense| dense.hidden));
    writer.set("moe_intermediate_size", parts.coe.hidden);
    writer.set("n_routed_experts", parts.coe.experts);
    writer.set("num_experts_per_tok", parts.coe.k[0]);
}

/// Writes groups that are scored by their best, or their absence.
pub(super) fn write_groups_by_method(writer: &mut Writer, parts: &Parts<'_>) {
    match parts.coe.router.groups {
        None => {
            writer.set("topk_method", "greedy");
            writer.set("n_group", Value::Null);
            writer.set("topk_group", Value::Null);
        }
        Some(groups) => {
            writer.set("topk_method", "group_limited_greedy");
            write_groups(writer, groups, GroupScore::Max);
        }
    }
}

/// Writes groups that are scored by `score`.
pub(super) fn write_groups(writer: &mut Writer, groups: Groups, score: GroupScore) {
    if groups.score != score {
        let why = format!("group_score={}", score.word());
        writer.blocked("ffn.router.group_score", groups.score.word(), &why);
    }
    if groups.groups == 1 {
        writer.blocked("ffn.router.groups", 1, "one group limits nothing, and is no group");
    }
    writer.set("n_group", groups.groups);
    writer.set("topk_group", groups.keep);
}

/// Writes the balance loss, and returns the terms that this says.
pub(super) fn write_aux_loss(writer: &mut Writer, balance: &[Balance]) -> Vec<Balance> {
    let (alpha, by_sequence) = match balance {
        [Balance::SeqAux { alpha }] => (*alpha, true),
        [Balance::SwitchAux { alpha }] => (*alpha, false),
        _ => (0.0, true),
    };
    writer.set("aux_loss_alpha", alpha);
    writer.set("seq_aux", by_sequence);
    match (alpha, by_sequence) {
        (0.0, _) => Vec::new(),
        (alpha, true) => vec![Balance::SeqAux { alpha }],
        (alpha, false) => vec![Balance::SwitchAux { alpha }],
    }
}
