//! Qwen1.5-MoE and Qwen2-MoE: biased projections, shared experts behind a sigmoid.

use coec_ir::{Attention, Bounds, Ffn, Model, QkNorm, SharedGate, bounds};

use super::Record;
use super::plain::{self, Defaults, HeadDim, Sizes};
use super::qwen;
use crate::inert::ROUTER_LOSS;
use crate::read::{Given, Reader};
use crate::write::{Parts, Writer};

pub(super) const RECORD: Record = Record {
    architecture: "Qwen2MoeForCausalLM",
    inert: &[ROUTER_LOSS],
    read,
    write,
    rename,
    predicts_further: false,
    is_chain: false,
    has_class: true,
    fused: None,
};

const DEFAULTS: Defaults = Defaults {
    vocab: 151_936,
    context: 32768,
    dim: 2048,
    layers: 24,
    heads: 16,
    kv_heads: Some(16),
    eps: 1e-6,
    theta: 1e4,
};

fn read(reader: &mut Reader<'_>) -> Model {
    let sizes = plain::sizes(reader, &DEFAULTS);
    let windows = windows(reader, &sizes);
    plain::router_loss(reader);
    let mut mha = plain::mha(reader, &DEFAULTS, &sizes, HeadDim::Derived, QkNorm::None);
    mha.bias = plain::bias(reader, "qkv_bias", true, &plain::QKV);
    let k = reader.count("num_experts_per_tok", Some(4), bounds::EXPERTS);
    let experts = reader.count_by_names(&["num_experts", "num_local_experts"], Some(60), bounds::EXPERTS);
    let hidden = reader.count("moe_intermediate_size", Some(1408), bounds::WIDTH);
    let renorm = reader.flag("norm_topk_prob", false);
    let mut coe = plain::moe(k, experts, hidden, sizes.act, renorm);
    coe.shared = shared(reader, hidden);
    coe.shared_gate = SharedGate::Sigmoid;
    coe.balance = reader.balance(Vec::new(), false);
    let dense = qwen::dense_hidden(reader, 5632);
    let is_dense = qwen::dense_layers(reader, &sizes);
    let layers = plain::layers(&sizes, Attention::Mha(mha), coe, dense, |layer| is_dense[layer]);
    sizes.model(plain::windowed(layers, |layer| windows[layer]))
}

/// The window of each layer. Without `layer_types` it is in every second layer below `max_window_layers`, as
/// in transformers 5; earlier versions had other ideas.
fn windows(reader: &mut Reader<'_>, sizes: &Sizes) -> Vec<Option<usize>> {
    let window = qwen::window(reader, sizes);
    let below = reader.count("max_window_layers", Some(28), Bounds { min: 0.0, ..bounds::LAYERS });
    let types = plain::layer_types(reader, sizes);
    if let (None, Some(types), Given::Value(value)) = (window, &types, reader.given("layer_types"))
        && types.contains(&true)
        && !reader.flag("use_sliding_window", false)
    {
        let why = "use_sliding_window is not true, and without it there is no window";
        reader.refuse("layer_types", value, why, "\"full_attention\" in every layer");
    }
    let has_window = |layer: usize| match &types {
        Some(types) => types[layer],
        None => layer.is_multiple_of(2) && layer < below,
    };
    (0..sizes.layers).map(|layer| window.filter(|_| has_window(layer))).collect()
}

/// The shared expert's width, in experts: S of them are one MLP of S times the width.
fn shared(reader: &mut Reader<'_>, hidden: usize) -> usize {
    let key = "shared_expert_intermediate_size";
    let width = reader.count(key, Some(5632), bounds::WIDTH);
    if !width.is_multiple_of(hidden) {
        let why = "the shared expert is as wide as a number of routed ones here";
        reader.refuse(key, &width.into(), why, format!("a multiple of moe_intermediate_size ({hidden})"));
    }
    (width / hidden).clamp(1, bounds::SHARED.max as usize)
}

fn write(parts: &Parts<'_>, writer: &mut Writer) {
    let coe = parts.coe;
    writer.common(parts);
    plain::write_mha(writer, parts, HeadDim::Derived, QkNorm::None);
    plain::write_bias(writer, parts, "qkv_bias", &plain::QKV);
    writer.ordinary_block(coe);
    writer.plain_router(coe);
    if coe.shared == 0 {
        writer.blocked("ffn.shared", 0, "a shared expert");
    } else if coe.shared_gate != SharedGate::Sigmoid {
        let why = "shared experts stand behind a sigmoid";
        writer.blocked("ffn.shared_gate", coe.shared_gate.word(), why);
    }
    writer.set("num_experts_per_tok", coe.k[0]);
    writer.set("num_experts", coe.experts);
    writer.set("moe_intermediate_size", coe.hidden);
    writer.set("shared_expert_intermediate_size", coe.shared * coe.hidden);
    writer.set("norm_topk_prob", coe.router.renorm);
    qwen::write_layers(writer, parts);
    plain::write_layer_types(writer, parts);
    writer.set("use_sliding_window", parts.windows.iter().any(Option::is_some));
    writer.set("max_window_layers", parts.windows.len());
    writer.balance(coe, &[], false);
}

fn rename(name: &str, _: &Ffn) -> String {
    name.replace("mlp.shared_experts.", "mlp.shared_expert.")
}
