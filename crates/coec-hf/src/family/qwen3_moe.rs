//! Qwen3-MoE: a norm over each head of queries and keys, no shared experts.

use coec_ir::{Attention, Model, Projection, QkNorm, bounds};

use super::Record;
use super::plain::{self, Defaults, HeadDim};
use super::qwen;
use crate::Reason;
use crate::inert::ROUTER_LOSS;
use crate::read::Reader;
use crate::write::{Parts, Writer};

pub(super) const RECORD: Record = Record {
    architecture: "Qwen3MoeForCausalLM",
    inert: &[ROUTER_LOSS, &INERT],
    read,
    write,
    rename: plain::same_name,
    predicts_further: false,
    is_chain: false,
    has_class: true,
    fused: None,
};

const INERT: [Reason; 1] =
    [Reason { key: "max_window_layers", why: "is not asked for: every layer has the window, if one has" }];

const DEFAULTS: Defaults = Defaults {
    vocab: 151_936,
    context: 32768,
    dim: 2048,
    layers: 24,
    heads: 32,
    kv_heads: Some(4),
    eps: 1e-6,
    theta: 1e4,
};

fn read(reader: &mut Reader<'_>) -> Model {
    let sizes = plain::sizes(reader, &DEFAULTS);
    let window = qwen::window(reader, &sizes);
    plain::no_layer_types(reader);
    plain::router_loss(reader);
    reader.only_flag("use_qk_norm", true, "the family's class always norms queries and keys");
    reader.off("shared_expert_intermediate_size", "the family's class has no shared experts");
    let mut mha = plain::mha(reader, &DEFAULTS, &sizes, HeadDim::Free, QkNorm::Head);
    mha.bias = plain::bias(reader, "attention_bias", false, Projection::ALL);
    let k = reader.count("num_experts_per_tok", Some(8), bounds::EXPERTS);
    let experts = reader.count_by_names(&["num_experts", "num_local_experts"], Some(128), bounds::EXPERTS);
    let hidden = reader.count("moe_intermediate_size", Some(768), bounds::WIDTH);
    let renorm = reader.flag("norm_topk_prob", false);
    let mut coe = plain::moe(k, experts, hidden, sizes.act, renorm);
    coe.balance = reader.balance(Vec::new(), false);
    let dense = qwen::dense_hidden(reader, 6144);
    let is_dense = qwen::dense_layers(reader, &sizes);
    let layers = plain::layers(&sizes, Attention::Mha(mha), coe, dense, |layer| is_dense[layer]);
    sizes.model(plain::windowed(layers, |_| window))
}

fn write(parts: &Parts<'_>, writer: &mut Writer) {
    let coe = parts.coe;
    writer.common(parts);
    plain::write_mha(writer, parts, HeadDim::Free, QkNorm::Head);
    plain::write_bias(writer, parts, "attention_bias", Projection::ALL);
    writer.ordinary_block(coe);
    writer.no_shared(coe);
    writer.plain_router(coe);
    writer.set("num_experts_per_tok", coe.k[0]);
    writer.set("num_experts", coe.experts);
    writer.set("moe_intermediate_size", coe.hidden);
    writer.set("norm_topk_prob", coe.router.renorm);
    qwen::write_layers(writer, parts);
    let window = writer.one_window(parts);
    writer.set("use_sliding_window", window.is_some());
    writer.set("sliding_window", window);
    writer.balance(coe, &[], false);
}
