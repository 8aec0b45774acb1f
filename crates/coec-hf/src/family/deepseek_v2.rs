//! DeepSeek-V2: latent attention, shared experts, groups scored by their best.

use coec_ir::{Attention, Model, Score, bounds};
use serde_json::Value;

use super::plain::{self, Defaults};
use super::{Record, deepseek};
use crate::inert::LATENT;
use crate::read::Reader;
use crate::rope::Code;
use crate::write::{Parts, Writer};

pub(super) const RECORD: Record = Record {
    architecture: "DeepseekV2ForCausalLM",
    inert: &[LATENT],
    read,
    write,
    rename: plain::same_name,
    predicts_further: false,
    is_chain: false,
    has_class: true,
    fused: None,
};

const DEFAULTS: Defaults = Defaults {
    vocab: 102_400,
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
    let mla = deepseek::mla(reader, &DEFAULTS, &deepseek::LATENT, &sizes, Code::Latent);
    reader.off("mlp_bias", "experts have no biases here");
    reader.only_word("scoring_func", "softmax", "the family's code scores by softmax alone");
    let k = reader.count("num_experts_per_tok", None, bounds::EXPERTS);
    if reader.flag("norm_topk_prob", false) && k > 1 {
        let why = "DeepSeek's own code then normalises and does not scale, transformers scales and does not \
                   normalise";
        reader.refuse("norm_topk_prob", &Value::Bool(true), why, "false");
    }
    let names = ["n_routed_experts", "num_experts", "num_local_experts"];
    let experts = reader.count_by_names(&names, Some(64), bounds::EXPERTS);
    let hidden = reader.count("moe_intermediate_size", Some(1407), bounds::WIDTH);
    let mut coe = plain::moe(k, experts, hidden, sizes.act, false);
    coe.shared = deepseek::shared(reader, Some(2));
    coe.router.scale = reader.real("routed_scaling_factor", Some(1.0), bounds::COEFFICIENT);
    coe.router.groups = deepseek::groups_by_method(reader);
    // The class of transformers has no such loss; where its coefficient is left out, none is meant.
    let native = deepseek::aux_loss(reader, 0.0);
    coe.balance = reader.balance(native, false);
    let dense = reader.count("intermediate_size", Some(11008), bounds::WIDTH);
    let first = deepseek::dense_layers(reader, 0);
    let layers = plain::layers(&sizes, Attention::Mla(mla), coe, dense, |layer| layer < first);
    sizes.model(layers)
}

fn write(parts: &Parts<'_>, writer: &mut Writer) {
    let coe = parts.coe;
    deepseek::write_mla(writer, parts, Code::Latent);
    writer.ordinary_block(coe);
    writer.score(coe, Score::Softmax);
    if coe.router.renorm {
        writer.blocked("ffn.router.renorm", true, "weights are not renormalised");
    }
    if coe.shared == 0 {
        writer.blocked("ffn.shared", 0, "the class of transformers always has shared experts");
    }
    writer.no_shared_gate(coe);
    writer.set("scoring_func", "softmax");
    writer.set("norm_topk_prob", false);
    writer.set("n_shared_experts", coe.shared);
    writer.set("routed_scaling_factor", coe.router.scale);
    deepseek::write_groups_by_method(writer, parts);
    deepseek::write_layers(writer, parts);
    let native = deepseek::write_aux_loss(writer, &coe.balance);
    writer.balance(coe, &native, false);
}
