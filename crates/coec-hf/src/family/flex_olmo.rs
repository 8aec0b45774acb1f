//! FlexOlmo: norms stand behind the sublayers, and queries and keys are normed over all heads.

use coec_ir::{Attention, Ffn, Model, NormAt, Projection, QkNorm, bounds};

use super::Record;
use super::plain::{self, Defaults, HeadDim};
use crate::inert::ROUTER_LOSS;
use crate::layout::Names;
use crate::read::Reader;
use crate::write::{Parts, Writer};

pub(super) const RECORD: Record = Record {
    architecture: "FlexOlmoForCausalLM",
    inert: &[ROUTER_LOSS],
    read,
    write,
    stored: Names { inside: renamed, ..Names::SAME },
    fused: Some(Names { inside: renamed, ..Names::FUSED }),
    predicts_further: false,
    is_chain: false,
    has_class: true,
};

const DEFAULTS: Defaults = Defaults {
    vocab: 100_352,
    context: 4096,
    dim: 4096,
    layers: 32,
    heads: 32,
    kv_heads: None,
    eps: 1e-6,
    theta: 5e5,
};

fn read(reader: &mut Reader<'_>) -> Model {
    let sizes = plain::sizes(reader, &DEFAULTS);
    plain::no_window(reader, &sizes);
    plain::router_loss(reader);
    let mut mha = plain::mha(reader, &DEFAULTS, &sizes, HeadDim::Free, QkNorm::Full);
    mha.bias = plain::bias(reader, "attention_bias", false, Projection::ALL);
    mha.norm_at = NormAt::After;
    let k = reader.count("num_experts_per_tok", Some(5), bounds::EXPERTS);
    let experts = reader.count_by_names(&["num_experts", "num_local_experts"], Some(7), bounds::EXPERTS);
    let hidden = reader.count("intermediate_size", Some(11008), bounds::WIDTH);
    let renorm = reader.flag("norm_topk_prob", false);
    let mut coe = plain::moe(k, experts, hidden, sizes.act, renorm);
    coe.norm_at = NormAt::After;
    coe.balance = reader.balance(Vec::new(), false);
    let layers = plain::layers(&sizes, Attention::Mha(mha), coe, 1, |_| false);
    sizes.model(layers)
}

fn write(parts: &Parts<'_>, writer: &mut Writer) {
    let coe = parts.coe;
    writer.common(parts);
    plain::write_mha(writer, parts, HeadDim::Free, QkNorm::Full);
    plain::write_bias(writer, parts, "attention_bias", Projection::ALL);
    let attention = match &parts.attention {
        Attention::Mha(mha) => mha.norm_at,
        Attention::Mla(mla) => mla.norm_at,
    };
    for (field, norm_at) in [("attention.norm_at", attention), ("ffn.norm_at", coe.norm_at)] {
        if norm_at != NormAt::After {
            writer.blocked(field, norm_at.word(), "what a sublayer makes is normed, not what it reads");
        }
    }
    writer.no_dense(parts);
    writer.ordinary_block(coe);
    writer.no_shared(coe);
    writer.plain_router(coe);
    writer.set("num_experts_per_tok", coe.k[0]);
    writer.set("num_experts", coe.experts);
    writer.set("intermediate_size", coe.hidden);
    writer.set("norm_topk_prob", coe.router.renorm);
    writer.set("output_router_logits", false);
    writer.balance(coe, &[], false);
}

/// The language calls a norm by its sublayer, wherever it stands.
fn renamed(name: &str, _: &Ffn) -> String {
    match name {
        "input_layernorm.weight" => "post_attention_layernorm.weight".into(),
        "post_attention_layernorm.weight" => "post_feedforward_layernorm.weight".into(),
        other => other.into(),
    }
}
