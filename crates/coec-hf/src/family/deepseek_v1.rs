//! The first DeepSeekMoE, `deepseek`: ordinary attention, softmax scores, shared experts. Its authors
//! published code, and transformers has no class for it.

use coec_ir::{Attention, Model, Projection, QkNorm, bounds};
use serde_json::Value;

use super::plain::{self, Defaults, HeadDim};
use super::{Record, deepseek};
use crate::layout::Names;
use crate::read::Reader;
use crate::write::{Parts, Writer};

pub(super) const RECORD: Record = Record {
    architecture: "DeepseekForCausalLM",
    inert: &[],
    read,
    write,
    stored: Names::SAME,
    fused: Some(Names::FUSED),
    predicts_further: false,
    is_chain: false,
    has_class: false,
};

const DEFAULTS: Defaults = Defaults {
    vocab: 102_400,
    context: 2048,
    dim: 4096,
    layers: 30,
    heads: 32,
    kv_heads: Some(32),
    eps: 1e-6,
    theta: 1e4,
};

/// Why there is no YaRN.
const NO_YARN: &str = "the published code has no YaRN";

fn read(reader: &mut Reader<'_>) -> Model {
    let sizes = plain::sizes(reader, &DEFAULTS);
    let mut mha = plain::mha(reader, &DEFAULTS, &sizes, HeadDim::Derived, QkNorm::None);
    plain::no_yarn(reader, &mha, NO_YARN);
    mha.bias = plain::bias(reader, "attention_bias", false, Projection::ALL);
    reader.only_word("scoring_func", "softmax", "the published code scores by softmax alone");
    let k = reader.count("num_experts_per_tok", None, bounds::EXPERTS);
    let experts = reader.count("n_routed_experts", None, bounds::EXPERTS);
    let hidden = reader.count("moe_intermediate_size", Some(1407), bounds::WIDTH);
    // A single weight is left as it is.
    let renorm = reader.flag("norm_topk_prob", false) && k > 1;
    let mut coe = plain::moe(k, experts, hidden, sizes.act, renorm);
    coe.shared = deepseek::shared(reader, None);
    // The published code's default is one of training, and says nothing of what a folder was trained with.
    let native = deepseek::aux_loss(reader, 0.0);
    coe.balance = reader.balance(native, false);
    let dense = reader.count("intermediate_size", Some(11008), bounds::WIDTH);
    let first = deepseek::first_dense(reader, 0);
    let every = reader.count("moe_layer_freq", Some(1), bounds::LAYERS);
    let is_dense = |layer: usize| layer < first || !layer.is_multiple_of(every);
    let layers = plain::layers(&sizes, Attention::Mha(mha), coe, dense, is_dense);
    sizes.model(layers)
}

fn write(parts: &Parts<'_>, writer: &mut Writer) {
    let coe = parts.coe;
    writer.common(parts);
    plain::write_mha(writer, parts, HeadDim::Derived, QkNorm::None);
    plain::write_no_yarn(writer, parts, NO_YARN);
    plain::write_bias(writer, parts, "attention_bias", Projection::ALL);
    writer.ordinary_block(coe);
    writer.plain_router(coe);
    writer.no_shared_gate(coe);
    writer.single_weight(coe.router.renorm, coe.k[0]);
    writer.set("scoring_func", "softmax");
    writer.set("norm_topk_prob", coe.router.renorm);
    writer.set("n_shared_experts", if coe.shared == 0 { Value::Null } else { coe.shared.into() });
    write_layers(writer, parts);
    deepseek::write_widths(writer, parts);
    let native = deepseek::write_aux_loss(writer, &coe.balance);
    writer.balance(coe, &native, false);
}

/// Writes which layers are dense: the first ones, and behind them those that a step leaves out.
fn write_layers(writer: &mut Writer, parts: &Parts<'_>) {
    let layers = parts.is_dense.len();
    let first = parts.is_dense.iter().take_while(|&&dense| dense).count();
    let is_step =
        |every: usize| (first..layers).all(|layer| parts.is_dense[layer] != layer.is_multiple_of(every));
    match (1..=layers).find(|&every| is_step(every)) {
        Some(every) => writer.set("moe_layer_freq", every),
        None => {
            let layer = (first..layers).find(|&layer| parts.is_dense[layer]).unwrap_or_default();
            let why = "behind the first layers, experts in every n-th";
            writer.blocked(&format!("ffn[{layer}]"), "dense", why);
        }
    }
    writer.set("first_k_dense_replace", first);
}
