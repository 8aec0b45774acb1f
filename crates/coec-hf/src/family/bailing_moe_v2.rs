//! Ling 2.0: a norm over each head, of which half turns, and DeepSeek-V3's experts. Its `model_type` is often
//! that of the first.

use coec_ir::{Attention, Model, Projection, QkNorm, Score, bounds};
use serde_json::Value;

use super::plain::{self, Defaults, HeadDim, Turns};
use super::{Record, bailing, biased, deepseek};
use crate::inert::ROUTER_LOSS;
use crate::read::{Given, Reader};
use crate::write::{Parts, Writer};

pub(super) const RECORD: Record = Record {
    architecture: "BailingMoeV2ForCausalLM",
    inert: &[ROUTER_LOSS, &bailing::INERT],
    read,
    write,
    rename: bailing::rename,
    predicts_further: true,
    is_chain: false,
    has_class: false,
    fused: Some(bailing::FUSED),
};

/// The sizes are required.
const DEFAULTS: Defaults =
    Defaults { vocab: 1, context: 1, dim: 1, layers: 1, heads: 1, kv_heads: None, eps: 1e-6, theta: 1e4 };

fn read(reader: &mut Reader<'_>) -> Model {
    reader.require(&bailing::SIZES);
    reader.require(&["routed_scaling_factor"]);
    let sizes = plain::sizes(reader, &DEFAULTS);
    bailing::unread(reader);
    plain::router_loss(reader);
    plain::further_layers(reader);
    let qk_norm = if reader.flag("use_qk_norm", true) { QkNorm::Head } else { QkNorm::None };
    let half = Turns::First(0.5, true);
    let mut mha = plain::turned(reader, &DEFAULTS, &sizes, HeadDim::Free, qk_norm, half);
    mha.bias = plain::bias(reader, "use_qkv_bias", false, &plain::QKV);
    // sglang and vLLM give queries, keys and values biases by it too.
    if reader.flag("use_bias", false) {
        mha.bias.push(Projection::O);
        if mha.bias.len() == 1 {
            let why = "codes do not agree on which projections have biases by it";
            reader.refuse("use_bias", &true.into(), why, "false, or true with use_qkv_bias");
        }
    }
    let mut coe = experts(reader, sizes.act);
    coe.shared = reader.count("num_shared_experts", Some(0), bounds::SHARED);
    if let Given::Value(value) = reader.given("moe_shared_expert_intermediate_size")
        && value.as_u64() != Some(coe.hidden as u64)
    {
        let why = "codes do not agree on whether shared experts have this width";
        let accepted = format!("moe_intermediate_size ({}), or none", coe.hidden);
        reader.refuse("moe_shared_expert_intermediate_size", value, why, accepted);
    }
    let first = deepseek::first_dense(reader, 0);
    let dense = reader.count_or_null("intermediate_size", None, bounds::WIDTH).unwrap_or(coe.hidden);
    let layers = plain::layers(&sizes, Attention::Mha(mha), coe, dense, |layer| layer < first);
    sizes.model(layers)
}

/// The experts, without shared ones.
fn experts(reader: &mut Reader<'_>, act: coec_ir::Act) -> coec_ir::Coe {
    reader.only_word("score_function", "sigmoid", "the published code scores by sigmoid alone");
    let k = reader.count("num_experts_per_tok", Some(1), bounds::EXPERTS);
    let experts = reader.count("num_experts", Some(1), bounds::EXPERTS);
    let hidden = reader.count("moe_intermediate_size", Some(1), bounds::WIDTH);
    if !reader.flag("norm_topk_prob", true) {
        let why = "the published code always renormalises, and others do not";
        reader.refuse("norm_topk_prob", &Value::Bool(false), why, "true");
    }
    // A single weight is left as it is.
    let mut coe = plain::moe(k, experts, hidden, act, k > 1);
    coe.router.score = Score::Sigmoid;
    coe.router.scale = reader.real("routed_scaling_factor", Some(1.0), bounds::COEFFICIENT);
    coe.router.groups = deepseek::groups(reader, [Some(8), Some(4)], coec_ir::GroupScore::Top2);
    coe.balance = if reader.flag("moe_router_enable_expert_bias", true) {
        biased::balance(reader, Vec::new())
    } else {
        reader.balance(Vec::new(), false)
    };
    coe
}

fn write(parts: &Parts<'_>, writer: &mut Writer) {
    let coe = parts.coe;
    writer.common(parts);
    plain::write_turned(writer, parts, HeadDim::Free, false);
    if let Attention::Mha(mha) = &parts.attention {
        let has_all = mha.bias == Projection::ALL;
        if !has_all && !mha.bias.is_empty() && mha.bias != plain::QKV {
            let why = "biases of all of q, k and v, of all four, or none";
            writer.blocked("attention.bias", plain::words(&mha.bias), why);
        }
        if mha.qk_norm == QkNorm::Full {
            writer.blocked("attention.qk_norm", mha.qk_norm.word(), "a norm of each head, or none");
        }
        writer.set("use_qkv_bias", !mha.bias.is_empty());
        writer.set("use_bias", has_all);
        writer.set("use_qk_norm", mha.qk_norm == QkNorm::Head);
    }
    writer.ordinary_block(coe);
    writer.score(coe, Score::Sigmoid);
    writer.no_shared_gate(coe);
    if coe.router.renorm != (coe.k[0] > 1) {
        let why = "several weights are renormalised, and a single one is not";
        writer.blocked("ffn.router.renorm", coe.router.renorm, why);
    }
    writer.set("score_function", "sigmoid");
    writer.set("norm_topk_prob", true);
    writer.set("routed_scaling_factor", coe.router.scale);
    writer.set("moe_router_enable_expert_bias", coe.has_bias());
    biased::write_groups(writer, coe);
    bailing::write_experts(writer, parts);
    if coe.has_bias() {
        biased::write_balance(writer, coe);
    } else {
        writer.balance(coe, &[], false);
    }
}
