//! Granite's mixtures: what is looked up, scored, added to the stream and given out has a factor each.

use coec_ir::{Attention, Model, Projection, QkNorm, bounds};

use super::Record;
use super::plain::{self, Defaults, HeadDim};
use crate::inert::ROUTER_LOSS;
use crate::layout::{DOWN, GATE_UP, Joined, Names};
use crate::read::Reader;
use crate::write::{Parts, Writer};

pub(super) const RECORD: Record = Record {
    architecture: "GraniteMoeForCausalLM",
    inert: &[ROUTER_LOSS],
    read,
    write,
    stored: Names {
        inside: |name, _| renamed(name, "block_sparse_moe.router.layer.weight"),
        joined: &[
            Joined::new("block_sparse_moe.input_linear.weight", GATE_UP),
            Joined::new("block_sparse_moe.output_linear.weight", DOWN),
        ],
        ..Names::SAME
    },
    fused: Some(Names {
        inside: |name, _| renamed(name, "block_sparse_moe.router.weight"),
        joined: &[
            Joined::new("block_sparse_moe.experts.gate_up_proj", GATE_UP),
            Joined::new("block_sparse_moe.experts.down_proj", DOWN),
        ],
        ..Names::SAME
    }),
    predicts_further: false,
    is_chain: false,
    has_class: true,
};

const DEFAULTS: Defaults = Defaults {
    vocab: 32000,
    context: 2048,
    dim: 4096,
    layers: 32,
    heads: 32,
    kv_heads: None,
    eps: 1e-6,
    theta: 1e4,
};

fn read(reader: &mut Reader<'_>) -> Model {
    let sizes = plain::sizes(reader, &DEFAULTS);
    plain::no_window(reader, &sizes);
    plain::router_loss(reader);
    let mut mha = plain::mha(reader, &DEFAULTS, &sizes, HeadDim::Free, QkNorm::None);
    mha.bias = plain::bias(reader, "attention_bias", false, Projection::ALL);
    let scale = reader.real("attention_multiplier", Some(1.0), bounds::COEFFICIENT);
    // The usual scale needs no word.
    mha.scale = Some(scale).filter(|&scale| scale != mha.softmax_scale());
    mha.multiplier = reader.real("residual_multiplier", Some(1.0), bounds::COEFFICIENT);
    let k = reader.count("num_experts_per_tok", Some(2), bounds::EXPERTS);
    let experts = reader.count_by_names(&["num_local_experts", "num_experts"], Some(8), bounds::EXPERTS);
    let hidden = reader.count("intermediate_size", Some(11008), bounds::WIDTH);
    let mut coe = plain::moe(k, experts, hidden, sizes.act, true);
    coe.multiplier = mha.multiplier;
    coe.balance = reader.balance(Vec::new(), false);
    let layers = plain::layers(&sizes, Attention::Mha(mha), coe, 1, |_| false);
    let mut model = sizes.model(layers);
    model.embedding.multiplier = reader.real("embedding_multiplier", Some(1.0), bounds::COEFFICIENT);
    model.embedding.logits_scaling = reader.real("logits_scaling", Some(1.0), bounds::POSITIVE);
    model
}

fn write(parts: &Parts<'_>, writer: &mut Writer) {
    let coe = parts.coe;
    writer.common(parts);
    plain::write_mha(writer, parts, HeadDim::Free, QkNorm::None);
    plain::write_bias(writer, parts, "attention_bias", Projection::ALL);
    if let Attention::Mha(mha) = &parts.attention {
        writer.set("attention_multiplier", mha.softmax_scale());
        writer.set("residual_multiplier", mha.multiplier);
        if coe.multiplier != mha.multiplier {
            let why = "both sublayers have one multiplier";
            writer.blocked("ffn.multiplier", format!("{:?}", coe.multiplier), why);
        }
    }
    writer.set("embedding_multiplier", parts.model.embedding.multiplier);
    writer.set("logits_scaling", parts.model.embedding.logits_scaling);
    writer.no_dense(parts);
    writer.ordinary_block(coe);
    writer.no_shared(coe);
    writer.plain_router(coe);
    writer.always_renorm(coe);
    writer.set("num_experts_per_tok", coe.k[0]);
    writer.set("num_local_experts", coe.experts);
    writer.set("intermediate_size", coe.hidden);
    writer.set("output_router_logits", false);
    writer.balance(coe, &[], false);
}

fn renamed(name: &str, router: &str) -> String {
    if name == "mlp.gate.weight" { router.into() } else { name.into() }
}
