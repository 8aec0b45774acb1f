//! OLMoE: a norm over whole queries and keys, many small experts.

use coec_ir::{Attention, Model, Projection, QkNorm, bounds};

use super::Record;
use super::plain::{self, Defaults, HeadDim};
use crate::inert::ROUTER_LOSS;
use crate::read::Reader;
use crate::write::{Parts, Writer};

pub(super) const RECORD: Record = Record {
    architecture: "OlmoeForCausalLM",
    inert: &[ROUTER_LOSS],
    read,
    write,
    rename: plain::same_name,
    predicts_further: false,
    is_chain: false,
    has_class: true,
    fused: None,
};

const DEFAULTS: Defaults = Defaults {
    vocab: 50304,
    context: 4096,
    dim: 2048,
    layers: 16,
    heads: 16,
    kv_heads: None,
    eps: 1e-5,
    theta: 1e4,
};

fn read(reader: &mut Reader<'_>) -> Model {
    let sizes = plain::sizes(reader, &DEFAULTS);
    plain::no_window(reader, &sizes);
    plain::router_loss(reader);
    // Zero would clip everything, so only null is off.
    if let crate::read::Given::Value(value) = reader.given("clip_qkv") {
        reader.refuse("clip_qkv", value, "the language does not clip queries, keys and values", "null");
    }
    // The norms are as wide as the model, so a head is as wide as that allows.
    let mut mha = plain::mha(reader, &DEFAULTS, &sizes, HeadDim::Derived, QkNorm::Full);
    mha.bias = plain::bias(reader, "attention_bias", false, Projection::ALL);
    let k = reader.count("num_experts_per_tok", Some(8), bounds::EXPERTS);
    let experts = reader.count_by_names(&["num_experts", "num_local_experts"], Some(64), bounds::EXPERTS);
    let hidden = reader.count("intermediate_size", Some(2048), bounds::WIDTH);
    let renorm = reader.flag("norm_topk_prob", false);
    let mut coe = plain::moe(k, experts, hidden, sizes.act, renorm);
    coe.balance = reader.balance(Vec::new(), false);
    let layers = plain::layers(&sizes, Attention::Mha(mha), coe, 1, |_| false);
    sizes.model(layers)
}

fn write(parts: &Parts<'_>, writer: &mut Writer) {
    let coe = parts.coe;
    writer.common(parts);
    plain::write_mha(writer, parts, HeadDim::Derived, QkNorm::Full);
    plain::write_bias(writer, parts, "attention_bias", Projection::ALL);
    writer.no_dense(parts);
    writer.ordinary_block(coe);
    writer.no_shared(coe);
    writer.plain_router(coe);
    writer.set("clip_qkv", serde_json::Value::Null);
    writer.set("num_experts_per_tok", coe.k[0]);
    writer.set("num_experts", coe.experts);
    writer.set("intermediate_size", coe.hidden);
    writer.set("norm_topk_prob", coe.router.renorm);
    writer.set("output_router_logits", false);
    writer.balance(coe, &[], false);
}
