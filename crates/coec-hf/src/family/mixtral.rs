//! Mixtral: grouped-query attention, experts chosen by a renormalised softmax.

use coec_ir::{Attention, Ffn, Model, QkNorm, bounds};

use super::Record;
use super::plain::{self, Defaults, HeadDim};
use crate::inert::ROUTER_LOSS;
use crate::layout::Names;
use crate::read::Reader;
use crate::write::{Parts, Writer};

pub(super) const RECORD: Record = Record {
    architecture: "MixtralForCausalLM",
    inert: &[ROUTER_LOSS],
    read,
    write,
    stored: Names { inside: renamed, ..Names::SAME },
    // In memory nothing has the published names.
    fused: Some(Names::FUSED),
    predicts_further: false,
    is_chain: false,
    has_class: true,
};

const DEFAULTS: Defaults = Defaults {
    vocab: 32000,
    context: 131_072,
    dim: 4096,
    layers: 32,
    heads: 32,
    kv_heads: Some(8),
    eps: 1e-5,
    theta: 1e6,
};

fn read(reader: &mut Reader<'_>) -> Model {
    let sizes = plain::sizes(reader, &DEFAULTS);
    let window = plain::window(reader, None, &sizes);
    plain::no_layer_types(reader);
    plain::router_loss(reader);
    let mha = plain::mha(reader, &DEFAULTS, &sizes, HeadDim::Free, QkNorm::None);
    let k = reader.count("num_experts_per_tok", Some(2), bounds::EXPERTS);
    let experts = reader.count_by_names(&["num_local_experts", "num_experts"], Some(8), bounds::EXPERTS);
    let hidden = reader.count("intermediate_size", Some(14336), bounds::WIDTH);
    let mut coe = plain::moe(k, experts, hidden, sizes.act, true);
    coe.balance = reader.balance(Vec::new(), false);
    let layers = plain::layers(&sizes, Attention::Mha(mha), coe, 1, |_| false);
    sizes.model(plain::windowed(layers, |_| window))
}

fn write(parts: &Parts<'_>, writer: &mut Writer) {
    let coe = parts.coe;
    writer.common(parts);
    plain::write_mha(writer, parts, HeadDim::Free, QkNorm::None);
    plain::no_bias(writer, parts);
    writer.no_dense(parts);
    writer.ordinary_block(coe);
    writer.no_shared(coe);
    writer.plain_router(coe);
    writer.always_renorm(coe);
    writer.set("num_experts_per_tok", coe.k[0]);
    writer.set("num_local_experts", coe.experts);
    writer.set("intermediate_size", coe.hidden);
    let window = writer.one_window(parts);
    writer.set("sliding_window", window);
    writer.set("output_router_logits", false);
    writer.balance(coe, &[], false);
}

pub(super) fn renamed(name: &str, _: &Ffn) -> String {
    let Some(inner) = name.strip_prefix("mlp.") else { return name.into() };
    let inner =
        inner.replace(".gate_proj.", ".w1.").replace(".down_proj.", ".w2.").replace(".up_proj.", ".w3.");
    format!("block_sparse_moe.{inner}")
}
