//! Ling, the first: ordinary attention, shared experts, a renormalised softmax.

use coec_ir::{Attention, Model, QkNorm, Rope, Score, bounds};

use super::plain::{self, Defaults, HeadDim};
use super::{Record, bailing, deepseek};
use crate::inert::ROUTER_LOSS;
use crate::read::{Given, Reader};
use crate::write::{Parts, Writer};

pub(super) const RECORD: Record = Record {
    architecture: "BailingMoeForCausalLM",
    inert: &[ROUTER_LOSS, &bailing::INERT],
    read,
    write,
    rename: bailing::rename,
    predicts_further: false,
    is_chain: false,
    has_class: false,
    fused: Some(bailing::FUSED),
};

/// The sizes are required.
const DEFAULTS: Defaults =
    Defaults { vocab: 1, context: 1, dim: 1, layers: 1, heads: 1, kv_heads: None, eps: 1e-5, theta: 1e4 };

fn read(reader: &mut Reader<'_>) -> Model {
    reader.require(&bailing::SIZES);
    let sizes = plain::sizes(reader, &DEFAULTS);
    bailing::unread(reader);
    plain::router_loss(reader);
    let mut mha = plain::mha(reader, &DEFAULTS, &sizes, HeadDim::Free, QkNorm::None);
    if let (Rope::Yarn { .. }, Given::Value(value)) = (mha.rope, reader.given("rope_scaling")) {
        reader.refuse("rope_scaling", value, "no code is known that reads YaRN", "null");
    }
    mha.bias = plain::bias(reader, "use_qkv_bias", false, &plain::QKV);
    if reader.flag("use_bias", true) {
        let why = "every MLP of every expert then has biases";
        reader.refuse("use_bias", &true.into(), why, "false; left out it is true");
    }
    if reader.flag("norm_head", false) {
        let why = "each column of the output head is divided by its length";
        reader.leave_weights("norm_head", &true.into(), why, "false");
    }
    let k = reader.count("num_experts_per_tok", Some(2), bounds::EXPERTS);
    let experts = reader.count("num_experts", Some(16), bounds::EXPERTS);
    let hidden = reader.count("moe_intermediate_size", Some(1), bounds::WIDTH);
    // A single weight is left as it is.
    let renorm = reader.flag("norm_topk_prob", true) && k > 1;
    let mut coe = plain::moe(k, experts, hidden, sizes.act, renorm);
    coe.shared = reader.count("num_shared_experts", Some(0), bounds::SHARED);
    coe.balance = reader.balance(Vec::new(), false);
    let first = deepseek::first_dense(reader, 0);
    let dense = reader.count_or_null("intermediate_size", None, bounds::WIDTH).unwrap_or(hidden);
    let layers = plain::layers(&sizes, Attention::Mha(mha), coe, dense, |layer| layer < first);
    sizes.model(layers)
}

fn write(parts: &Parts<'_>, writer: &mut Writer) {
    let coe = parts.coe;
    writer.common(parts);
    plain::write_mha(writer, parts, HeadDim::Free, QkNorm::None);
    if let Attention::Mha(mha) = &parts.attention
        && matches!(mha.rope, Rope::Yarn { .. })
    {
        writer.blocked("attention.rope", "yarn", "no code is known that reads YaRN");
    }
    plain::write_bias(writer, parts, "use_qkv_bias", &plain::QKV);
    writer.ordinary_block(coe);
    writer.score(coe, Score::Softmax);
    writer.no_scale(coe);
    writer.no_groups(coe);
    writer.no_shared_gate(coe);
    if coe.router.renorm && coe.k[0] == 1 {
        writer.blocked("ffn.router.renorm", true, "a single weight is not renormalised");
    }
    writer.set("use_bias", false);
    writer.set("norm_head", false);
    writer.set("norm_topk_prob", coe.router.renorm);
    bailing::write_experts(writer, parts);
    writer.balance(coe, &[], false);
}
