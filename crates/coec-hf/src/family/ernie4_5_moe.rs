//! ERNIE-4.5: neighbours turn together, selection biases on a softmax, experts in some layers.
//!
//! Two kinds of settings are read: those of transformers' class, and those with which Baidu trains, `ernie`.
//! They have the same names for the same things, and the second have more, most of them of the training.

use coec_ir::{Attention, Bounds, Model, Pairs, QkNorm, bounds};
use serde_json::json;

use super::plain::{self, Defaults, HeadDim, Sizes};
use super::{Record, biased};
use crate::Reason;
use crate::inert::{FURTHER_LAYERS, MACHINES, ROUTER_LOSS};
use crate::layout::{EXPERTS, Joined, Names};
use crate::read::{Given, Reader};
use crate::write::{Parts, Writer};

pub(super) const RECORD: Record = Record {
    architecture: "Ernie4_5_MoeForCausalLM",
    inert: &[ROUTER_LOSS, FURTHER_LAYERS, &INERT],
    read,
    write,
    stored: Names { joined: &[row("mlp.moe_statics.e_score_correction_bias")], ..Names::SAME },
    fused: Some(Names {
        joined: &[EXPERTS[0], EXPERTS[1], row("mlp.gate.moe_statics.e_score_correction_bias")],
        ..Names::SAME
    }),
    predicts_further: true,
    is_chain: false,
    has_class: true,
};

/// The selection biases of a layer, which are one row of a matrix.
const fn row(name: &'static str) -> Joined {
    Joined { is_one_row: true, ..Joined::new(name, &["mlp.gate.e_score_correction_bias"]) }
}

/// The `model_type` with which Baidu trains.
pub(crate) const TRAINING: &str = "ernie";

const LOSS: &str = "weighs a loss of training";

const INERT: [Reason; 21] = [
    Reason { key: "moe_aux_loss_lambda", why: LOSS },
    Reason { key: "moe_orthogonal_loss_lambda", why: LOSS },
    Reason { key: "moe_group_orthogonal_loss", why: "chooses a loss of training" },
    Reason { key: "moe_gate_detach", why: "is a share of gradients" },
    Reason { key: "moe_capacity", why: "drops tokens in training alone" },
    Reason { key: "max_sequence_length", why: "is the length of a training's texts" },
    Reason { key: "use_recompute", why: MACHINES },
    Reason { key: "use_recompute_attn", why: MACHINES },
    Reason { key: "use_recompute_moe", why: MACHINES },
    Reason { key: "use_recompute_loss_fn", why: MACHINES },
    Reason { key: "fuse_rms_norm", why: MACHINES },
    Reason { key: "fuse_attn_ffn", why: MACHINES },
    Reason { key: "fuse_linear", why: MACHINES },
    Reason { key: "fuse_rope", why: MACHINES },
    Reason { key: "fuse_swiglu", why: MACHINES },
    Reason { key: "fuse_gate_detach_matmul", why: MACHINES },
    Reason { key: "use_fast_ln", why: MACHINES },
    Reason { key: "using_precision_check", why: MACHINES },
    Reason { key: "fp8_mem_configs", why: MACHINES },
    Reason { key: "use_ep_comm_overlap", why: MACHINES },
    Reason { key: "moe_norm_min", why: "is below every sum of the weights of selected experts" },
];

const DEFAULTS: Defaults = Defaults {
    vocab: 103_424,
    context: 131_072,
    dim: 2560,
    layers: 28,
    heads: 20,
    kv_heads: Some(4),
    eps: 1e-5,
    theta: 5e5,
};

/// Which layers have experts: those from `start` to `end` whose number, counted from 1, is a multiple of
/// `interval`.
struct Sparse {
    start: usize,
    end: usize,
    interval: usize,
}

fn read(reader: &mut Reader<'_>) -> Model {
    let mut sizes = plain::sizes(reader, &DEFAULTS);
    if let Given::Missing | Given::Null = reader.given("tie_word_embeddings") {
        sizes.tied = true;
    }
    sizes.layers -= tail(reader, &sizes);
    plain::router_loss(reader);
    plain::further_layers(reader);
    unlike(reader);
    let mut mha = plain::mha(reader, &DEFAULTS, &sizes, HeadDim::Free, QkNorm::None);
    mha.pairs = Pairs::Neighbours;
    let k = reader.count_by_names(&["moe_k", "num_experts_per_tok"], Some(6), bounds::EXPERTS);
    let experts = reader.count_by_names(&["moe_num_experts", "num_experts"], Some(64), bounds::EXPERTS);
    let hidden = reader.count("moe_intermediate_size", Some(1536), bounds::WIDTH);
    let mut coe = plain::moe(k, experts, hidden, sizes.act, true);
    coe.shared = reader.count("moe_num_shared_experts", Some(2), bounds::SHARED);
    coe.balance = biased::balance(reader, Vec::new());
    // Scores of a softmax: the sum of the k largest is at least k / E.
    let least = reader.real("moe_norm_min", Some(1e-12), Bounds::ANY);
    if least > k as f64 / experts as f64 {
        let why = "the weights of selected experts are divided by it, where their sum is less";
        reader.refuse("moe_norm_min", &json!(least), why, "1e-12");
    }
    let dense = reader.count("intermediate_size", Some(12288), bounds::WIDTH);
    let Sparse { start, end, interval } = sparse(reader, &sizes);
    let is_dense = |layer: usize| !(start..=end).contains(&layer) || !(layer + 1).is_multiple_of(interval);
    let layers = plain::layers(&sizes, Attention::Mha(mha), coe, dense, is_dense);
    sizes.model(layers)
}

/// How many of the last layers are left out; `ernie` alone has such.
fn tail(reader: &mut Reader<'_>, sizes: &Sizes) -> usize {
    if reader.map.get("model_type").and_then(|word| word.as_str()) != Some(TRAINING) {
        return 0;
    }
    let why = "it is the settings file of a training in another framework";
    reader.leave_weights("model_type", &TRAINING.into(), why, "\"ernie4_5_moe\"");
    let most = sizes.layers.saturating_sub(1);
    reader.count("remove_tail_layer", Some(0), Bounds { min: 0.0, max: most as f64 })
}

fn sparse(reader: &mut Reader<'_>, sizes: &Sizes) -> Sparse {
    let last = sizes.layers.saturating_sub(1);
    let bounds = Bounds { min: 0.0, ..bounds::LAYERS };
    let end = match reader.given("moe_layer_end_index") {
        Given::Value(value) if value.as_i64() == Some(-1) => last,
        _ => reader.count("moe_layer_end_index", Some(last), bounds),
    };
    let start = reader.count("moe_layer_start_index", Some(1), bounds);
    Sparse { start, end, interval: reader.count("moe_layer_interval", Some(1), bounds::LAYERS) }
}

/// Refuses what would be another model: what the class of transformers cannot say either, and what Baidu's
/// code reads and the class does not.
fn unlike(reader: &mut Reader<'_>) {
    reader.off("use_bias", "the head would have a bias, which the language has not");
    reader.only_flag("use_rmsnorm", true, "norms are RMS norms here");
    reader.only_flag("rope_reorder", false, "neighbours turn together here");
    reader.only_flag("moe_use_aux_free", true, "the family's class always has selection biases");
    reader.off("moe_group_experts", "no code is known that reads it");
    reader.off("moe_gate_scale", "no code is known that reads it");
    reader.only_word("moe_gate_act", "softmax", "the family's class scores by softmax alone");
    let gate = reader.word("moe_gate", "topk");
    if !["topk", "top2_fused"].contains(&gate) {
        reader.refuse("moe_gate", &gate.into(), "no code is known that reads it", "\"topk\", \"top2_fused\"");
    }
    reader.only_one("compression_ratio", "positions are whole numbers here");
}

fn write(parts: &Parts<'_>, writer: &mut Writer) {
    let coe = parts.coe;
    writer.common(parts);
    plain::write_mha(writer, parts, HeadDim::Free, QkNorm::None);
    plain::no_bias(writer, parts);
    if let Attention::Mha(mha) = &parts.attention
        && mha.pairs != Pairs::Neighbours
    {
        writer.blocked("attention.pairs", mha.pairs.word(), "neighbours turn together");
    }
    writer.ordinary_block(coe);
    writer.no_shared_gate(coe);
    writer.plain_router(coe);
    writer.always_renorm(coe);
    writer.set("use_bias", false);
    writer.set("moe_k", coe.k[0]);
    writer.set("moe_num_experts", coe.experts);
    writer.set("moe_num_shared_experts", coe.shared);
    writer.set("moe_intermediate_size", coe.hidden);
    writer.set("intermediate_size", parts.dense.map_or(coe.hidden, |dense| dense.hidden));
    writer.set("output_router_logits", false);
    write_sparse(writer, &parts.is_dense);
    biased::write_balance(writer, coe);
}

/// Writes which layers have experts: the first and the last, and the step between them.
fn write_sparse(writer: &mut Writer, is_dense: &[bool]) {
    let sparse: Vec<usize> = (0..is_dense.len()).filter(|&layer| !is_dense[layer]).collect();
    let (Some(&start), Some(&end)) = (sparse.first(), sparse.last()) else { return };
    let interval = sparse.get(1).map_or(start + 1, |second| second - start);
    let is_said = |layer: usize| (start..=end).contains(&layer) && (layer + 1).is_multiple_of(interval);
    if let Some(layer) = (0..is_dense.len()).find(|&layer| is_said(layer) == is_dense[layer]) {
        let kind = if is_dense[layer] { "dense" } else { "experts" };
        let why = "experts in every so-many-th layer from one to another";
        writer.blocked(&format!("ffn[{layer}]"), kind, why);
    }
    writer.set("moe_layer_start_index", start);
    writer.set("moe_layer_end_index", end);
    writer.set("moe_layer_interval", interval);
}
