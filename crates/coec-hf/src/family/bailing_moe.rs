//! Ling, the first: ordinary attention, shared experts, a renormalised softmax.

use coec_ir::{Attention, Ffn, Model, Projection, QkNorm, bounds};

use super::plain::{self, Defaults, HeadDim, Sizes};
use super::{Record, bailing, deepseek};
use crate::inert::ROUTER_LOSS;
use crate::read::Reader;
use crate::write::{Parts, Writer};

pub(super) const RECORD: Record = Record {
    architecture: "BailingMoeForCausalLM",
    inert: &[ROUTER_LOSS, &bailing::INERT],
    read,
    write,
    stored: bailing::NAMES,
    fused: None,
    predicts_further: false,
    is_chain: false,
    has_class: false,
};

/// The sizes are required.
const DEFAULTS: Defaults =
    Defaults { vocab: 1, context: 1, dim: 1, layers: 1, heads: 1, kv_heads: None, eps: 1e-5, theta: 1e4 };

/// Why there is no YaRN.
const NO_YARN: &str = "no code is known that reads YaRN";

fn read(reader: &mut Reader<'_>) -> Model {
    reader.require(&bailing::SIZES);
    let sizes = plain::sizes(reader, &DEFAULTS);
    bailing::unread(reader);
    plain::router_loss(reader);
    let mut mha = plain::mha(reader, &DEFAULTS, &sizes, HeadDim::Free, QkNorm::None);
    plain::no_yarn(reader, &mha, NO_YARN);
    mha.bias = plain::bias(reader, "use_qkv_bias", false, &plain::QKV);
    // It puts biases on the output projection, and on every projection of every MLP.
    let has_biases = reader.flag("use_bias", true);
    if has_biases {
        mha.bias.push(Projection::O);
    }
    norm_head(reader, &sizes);
    let k = reader.count("num_experts_per_tok", Some(2), bounds::EXPERTS);
    let experts = reader.count("num_experts", Some(16), bounds::EXPERTS);
    let hidden = reader.count("moe_intermediate_size", Some(1), bounds::WIDTH);
    // A single weight is left as it is.
    let renorm = reader.flag("norm_topk_prob", true) && k > 1;
    let mut coe = plain::moe(k, experts, hidden, sizes.act, renorm);
    coe.shared = reader.count("num_shared_experts", Some(0), bounds::SHARED);
    coe.bias = has_biases;
    coe.balance = reader.balance(Vec::new(), false);
    let first = deepseek::first_dense(reader, 0);
    let dense = reader.count_or_null("intermediate_size", None, bounds::WIDTH).unwrap_or(hidden);
    let mut layers = plain::layers(&sizes, Attention::Mha(mha), coe, dense, |layer| layer < first);
    for layer in &mut layers {
        if let Ffn::Dense(dense) = &mut layer.ffn {
            dense.bias = has_biases;
        }
    }
    sizes.model(layers)
}

/// Columns of the output head that are divided by their lengths can be once, when the weights are read; but not
/// those of a table of tokens, which is looked up as it is.
fn norm_head(reader: &mut Reader<'_>, sizes: &Sizes) {
    if !reader.flag(bailing::NORM_HEAD, false) {
        return;
    }
    let why = "each column of the output head is divided by its length";
    if sizes.tied {
        reader.leave_weights(bailing::NORM_HEAD, &true.into(), why, "false");
    } else {
        reader.note(bailing::NORM_HEAD, format!("{why}, once, when weights are imported"));
        reader.unit_columns = Some("lm_head.weight");
    }
}

fn write(parts: &Parts<'_>, writer: &mut Writer) {
    let coe = parts.coe;
    writer.common(parts);
    plain::write_mha(writer, parts, HeadDim::Free, QkNorm::None);
    plain::write_no_yarn(writer, parts, NO_YARN);
    write_biases(writer, parts);
    writer.ordinary_block(coe);
    writer.plain_router(coe);
    writer.no_shared_gate(coe);
    writer.single_weight(coe.router.renorm, coe.k[0]);
    writer.set("norm_head", false);
    writer.set("norm_topk_prob", coe.router.renorm);
    bailing::write_experts(writer, parts);
    writer.balance(coe, &[], false);
}

/// Writes which projections have biases: those of queries, keys and values, and all the others.
fn write_biases(writer: &mut Writer, parts: &Parts<'_>) {
    let Attention::Mha(mha) = &parts.attention else { return };
    let has_others = parts.coe.bias;
    let of_queries: Vec<_> = mha.bias.iter().copied().filter(|&of| of != Projection::O).collect();
    if !of_queries.is_empty() && of_queries != plain::QKV {
        let why = "biases of all of q, k and v, or of none";
        writer.blocked("attention.bias", plain::words(&mha.bias), why);
    } else if mha.bias.contains(&Projection::O) != has_others {
        let why = "o has a bias where experts have some";
        writer.blocked("attention.bias", plain::words(&mha.bias), why);
    }
    if let Some(dense) = parts.dense.filter(|dense| dense.bias != has_others) {
        writer.blocked("ffn.bias", dense.bias, "biases of all MLPs, or of none");
    }
    writer.set("use_qkv_bias", !of_queries.is_empty());
    writer.set("use_bias", has_others);
}
