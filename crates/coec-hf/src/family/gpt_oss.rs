//! gpt-oss: windows in every second layer, sinks, biases everywhere, and a SwiGLU between limits.

use coec_ir::{Act, Attention, Ffn, Model, Projection, QkNorm, Rope, bounds};
use serde_json::json;

use super::Record;
use super::plain::{self, Defaults, HeadDim};
use crate::Reason;
use crate::inert::ROUTER_LOSS;
use crate::layout::{DOWN, GATE_UP, Joined, Names, Rows};
use crate::read::{Given, Reader};
use crate::write::{Parts, Writer};

pub(super) const RECORD: Record = Record {
    architecture: "GptOssForCausalLM",
    inert: &[ROUTER_LOSS, &INERT],
    read,
    write,
    stored: NAMES,
    // In memory they are as they are published.
    fused: None,
    predicts_further: false,
    is_chain: false,
    has_class: true,
};

const INERT: [Reason; 1] =
    [Reason { key: "initial_context_length", why: "is original_max_position_embeddings, which is read" }];

/// Experts are [in, out], with a column of gate and one of up in turn.
const NAMES: Names = Names {
    inside: renamed,
    joined: &[
        Joined {
            rows: Rows::Alternating,
            is_transposed: true,
            ..Joined::new("mlp.experts.gate_up_proj", GATE_UP)
        },
        Joined {
            rows: Rows::Alternating,
            ..Joined::new(
                "mlp.experts.gate_up_proj_bias",
                &["mlp.experts.*.gate_proj.bias", "mlp.experts.*.up_proj.bias"],
            )
        },
        Joined { is_transposed: true, ..Joined::new("mlp.experts.down_proj", DOWN) },
        Joined::new("mlp.experts.down_proj_bias", &["mlp.experts.*.down_proj.bias"]),
    ],
    ..Names::SAME
};

const DEFAULTS: Defaults = Defaults {
    vocab: 201_088,
    context: 131_072,
    dim: 2880,
    layers: 36,
    heads: 64,
    kv_heads: Some(8),
    eps: 1e-5,
    theta: 1.5e5,
};

const HEAD: HeadDim = HeadDim::Default(64);

fn read(reader: &mut Reader<'_>) -> Model {
    let sizes = plain::sizes(reader, &DEFAULTS);
    plain::router_loss(reader);
    let window = plain::window(reader, Some(128), &sizes);
    let has_window = plain::layer_types(reader, &sizes);
    let has_window = |layer: usize| has_window.as_ref().map_or(layer.is_multiple_of(2), |has| has[layer]);
    let mut mha = plain::mha(reader, &DEFAULTS, &sizes, HEAD, QkNorm::None);
    mha.bias = plain::bias(reader, "attention_bias", true, Projection::ALL);
    mha.sinks = true;
    mha.rope = rope(reader, mha.rope);
    for (key, only) in [("swiglu_limit", 7.0), ("swiglu_alpha", 1.702)] {
        if let Given::Value(value) = reader.given(key)
            && value.as_f64() != Some(only)
        {
            reader.refuse(key, value, "the language has the activation as it is published", only.to_string());
        }
    }
    let k = reader.count_by_names(&["num_experts_per_tok", "experts_per_token"], Some(4), bounds::EXPERTS);
    let experts = reader.count_by_names(&["num_local_experts", "num_experts"], Some(128), bounds::EXPERTS);
    let hidden = reader.count("intermediate_size", Some(2880), bounds::WIDTH);
    // The class has this activation, whatever hidden_act says.
    let mut coe = plain::moe(k, experts, hidden, Act::Clamped, true);
    (coe.bias, coe.router.bias) = (true, true);
    coe.balance = reader.balance(Vec::new(), false);
    let layers = plain::layers(&sizes, Attention::Mha(mha), coe, 1, |_| false);
    sizes.model(plain::windowed(layers, |layer| window.filter(|_| has_window(layer))))
}

/// Where nothing describes the rotary embedding, the class extends a context of 4096 by 32.
fn rope(reader: &mut Reader<'_>, read: Rope) -> Rope {
    let is_described = ["rope_scaling", "rope_parameters"].map(|key| reader.given(key));
    match read {
        Rope::Rope { theta, dim } if is_described.iter().all(|given| !matches!(given, Given::Value(_))) => {
            Rope::Yarn {
                theta,
                factor: 32.0,
                original: 4096,
                beta_fast: 32.0,
                beta_slow: 1.0,
                mscale: 1.0,
                mscale_all_dim: 0.0,
                truncate: false,
                dim,
            }
        }
        read => read,
    }
}

fn write(parts: &Parts<'_>, writer: &mut Writer) {
    let coe = parts.coe;
    writer.common(parts);
    plain::write_mha(writer, parts, HEAD, QkNorm::None);
    plain::write_bias(writer, parts, "attention_bias", Projection::ALL);
    plain::write_layer_types(writer, parts);
    if let Attention::Mha(mha) = &parts.attention {
        if !mha.sinks {
            writer.blocked("attention.sinks", false, "every head has a sink");
        }
        if let Rope::Rope { .. } = mha.rope {
            writer.set("rope_scaling", json!({ "rope_type": "default" }));
        }
    }
    writer.no_dense(parts);
    writer.ordinary_block(coe);
    writer.no_shared(coe);
    writer.plain_router(coe);
    if coe.act != Act::Clamped {
        writer.blocked("ffn.act", coe.act.word(), "act=clamped");
    }
    for (field, has) in [("ffn.bias", coe.bias), ("ffn.router.bias", coe.router.bias)] {
        if !has {
            writer.blocked(field, false, "experts and routers have biases");
        }
    }
    writer.always_renorm(coe);
    writer.set("swiglu_limit", 7.0);
    writer.set("num_experts_per_tok", coe.k[0]);
    writer.set("num_local_experts", coe.experts);
    writer.set("intermediate_size", coe.hidden);
    writer.set("output_router_logits", false);
    writer.balance(coe, &[], false);
}

fn renamed(name: &str, _: &Ffn) -> String {
    name.replace("mlp.gate.", "mlp.router.")
}
