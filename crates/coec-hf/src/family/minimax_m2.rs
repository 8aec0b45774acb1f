//! MiniMax-M2: a norm over whole queries and keys, of which half of each head turns, sigmoid scores with
//! selection biases.

use coec_ir::{Attention, Ffn, Model, QkNorm, Score, bounds};
use serde_json::json;

use super::plain::{self, Defaults, HeadDim, Turns};
use super::{Record, biased, mixtral};
use crate::Reason;
use crate::inert::{self, ROUTER_LOSS};
use crate::layout::Names;
use crate::read::{Given, Reader};
use crate::write::{Parts, Writer};

pub(super) const RECORD: Record = Record {
    architecture: "MiniMaxM2ForCausalLM",
    inert: &[ROUTER_LOSS, &INERT],
    read,
    write,
    stored: Names { inside: renamed, ..Names::SAME },
    fused: Some(Names { inside: in_memory, ..Names::FUSED }),
    predicts_further: true,
    is_chain: false,
    has_class: true,
};

const INERT: [Reason; 5] = [
    Reason { key: "use_mtp", why: inert::FURTHER },
    Reason { key: "num_mtp_modules", why: inert::FURTHER },
    Reason { key: "mtp_transformer_layers", why: inert::FURTHER },
    Reason { key: "mlp_intermediate_size", why: "is the width of dense layers, of which there are none" },
    Reason { key: "shared_moe_mode", why: "says how shared experts are added, of which there are none" },
];

const DEFAULTS: Defaults = Defaults {
    vocab: 200_064,
    context: 196_608,
    dim: 3072,
    layers: 62,
    heads: 48,
    kv_heads: Some(8),
    eps: 1e-6,
    theta: 5e6,
};

const HEAD: HeadDim = HeadDim::Default(128);

fn read(reader: &mut Reader<'_>) -> Model {
    let sizes = plain::sizes(reader, &DEFAULTS);
    plain::no_window(reader, &sizes);
    plain::router_loss(reader);
    unlike(reader, sizes.layers);
    let whole = Turns::First(1.0, true);
    let mha = plain::turned(reader, &DEFAULTS, &sizes, HEAD, QkNorm::Full, whole);
    let k = reader.count("num_experts_per_tok", Some(8), bounds::EXPERTS);
    let experts = reader.count_by_names(&["num_local_experts", "num_experts"], Some(256), bounds::EXPERTS);
    let hidden = reader.count("intermediate_size", Some(1536), bounds::WIDTH);
    let mut coe = plain::moe(k, experts, hidden, sizes.act, true);
    coe.router.score = Score::Sigmoid;
    coe.balance = biased::balance(reader, Vec::new());
    let modules = reader.count_or_null("num_mtp_modules", None, coec_ir::Bounds::ANY);
    if let Some(modules) = modules.filter(|&modules| modules > 0) {
        let text = "modules that predict further tokens are left out";
        reader.note("num_mtp_modules", format!("{modules} {text}"));
    }
    let layers = plain::layers(&sizes, Attention::Mha(mha), coe, 1, |_| false);
    sizes.model(layers)
}

/// Refuses what the authors' code reads and transformers does not, where it says something else than the
/// class does.
fn unlike(reader: &mut Reader<'_>, layers: usize) {
    reader.only_flag("use_qk_norm", true, "the family's class always norms queries and keys");
    reader.only_word("qk_norm_type", "per_layer", "queries and keys are normed over all heads at once");
    reader.only_word("scoring_func", "sigmoid", "the family's class scores by sigmoid alone");
    reader.only_flag("use_routing_bias", true, "the family's class always has selection biases");
    reader.off("shared_intermediate_size", "the family's class has no shared experts");
    for key in ["layernorm_full_attention_beta", "layernorm_linear_attention_beta", "layernorm_mlp_beta"] {
        reader.only_one(key, "the family's class adds to the stream as it is");
    }
    if let Given::Value(value) = reader.given("attn_type_list")
        && *value != json!(vec![1; layers])
    {
        let why = "the family's class has softmax attention alone";
        reader.refuse("attn_type_list", value, why, "1 for each of num_hidden_layers");
    }
}

fn write(parts: &Parts<'_>, writer: &mut Writer) {
    let coe = parts.coe;
    writer.common(parts);
    plain::write_turned(writer, parts, HEAD, true);
    if let Attention::Mha(mha) = &parts.attention
        && mha.qk_norm != QkNorm::Full
    {
        writer.blocked("attention.qk_norm", mha.qk_norm.word(), "qk_norm=full");
    }
    plain::no_bias(writer, parts);
    writer.no_dense(parts);
    writer.ordinary_block(coe);
    writer.no_shared(coe);
    writer.score(coe, Score::Sigmoid);
    writer.no_scale(coe);
    writer.no_groups(coe);
    writer.always_renorm(coe);
    writer.set("use_qk_norm", true);
    writer.set("qk_norm_type", "per_layer");
    writer.set("scoring_func", "sigmoid");
    writer.set("use_routing_bias", true);
    writer.set("num_experts_per_tok", coe.k[0]);
    writer.set("num_local_experts", coe.experts);
    writer.set("intermediate_size", coe.hidden);
    writer.set("output_router_logits", false);
    biased::write_balance(writer, coe);
}

/// As in Mixtral, but that the selection biases stand beside the router.
fn renamed(name: &str, ffn: &Ffn) -> String {
    mixtral::renamed(name, ffn).replace(".gate.e_score_correction_bias", ".e_score_correction_bias")
}

/// In memory nothing else has the published names.
fn in_memory(name: &str, _: &Ffn) -> String {
    name.replace(".gate.e_score_correction_bias", ".e_score_correction_bias")
}
