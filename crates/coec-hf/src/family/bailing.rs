//! What both versions of Ling, `bailing_moe`, have in common. transformers has no class for either.

use coec_ir::Ffn;

use super::deepseek;

use crate::Reason;
use crate::inert::FURTHER;
use crate::layout::{Joined, Names};
use crate::read::Reader;
use crate::write::{Parts, Writer};

/// Settings of both.
pub(super) const INERT: [Reason; 5] = [
    Reason { key: "max_window_layers", why: "counts layers with a sliding window, which is refused" },
    Reason { key: "num_nextn_predict_layers", why: FURTHER },
    Reason { key: "num_mtp_layers", why: FURTHER },
    Reason { key: "mtp_loss_scaling_factor", why: "weighs a loss of training" },
    Reason { key: "router_dtype", why: "routers are in single precision here" },
];

/// The names in the folder. Queries, keys and values are one tensor.
pub(super) const NAMES: Names = Names {
    outside: &[("model.embed_tokens.weight", "model.word_embeddings.weight")],
    inside: renamed,
    joined: &[
        Joined::new("attention.query_key_value.weight", &WEIGHTS),
        Joined::new("attention.query_key_value.bias", &BIASES),
    ],
};
const WEIGHTS: [&str; 3] = ["self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight"];
const BIASES: [&str; 3] = ["self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias"];

/// Whether columns of the output head are divided by their lengths, in the first version.
pub(crate) const NORM_HEAD: &str = "norm_head";

/// The sizes, of which no class that could be asked has defaults.
pub(super) const SIZES: [&str; 9] = [
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "max_position_embeddings",
    "num_experts",
    "num_experts_per_tok",
    "moe_intermediate_size",
    "rms_norm_eps",
];

/// Refuses what no code that could be read makes anything of.
pub(super) fn unread(reader: &mut Reader<'_>) {
    reader.off("norm_softmax", "no code is known that reads it");
    if reader.flag("use_sliding_window", false) {
        reader.refuse("use_sliding_window", &true.into(), "no code is known that reads it", "false");
    }
    reader.given("sliding_window");
}

/// The names of what stands alone.
fn renamed(name: &str, _: &Ffn) -> String {
    match name.strip_prefix("self_attn.") {
        Some(inner) => {
            let inner = inner.replace("o_proj", "dense").replace("q_norm", "query_layernorm");
            format!("attention.{}", inner.replace("k_norm", "key_layernorm"))
        }
        None => name.replace("gate.e_score_correction_bias", "gate.expert_bias"),
    }
}

/// Writes how wide layers are, and how many experts there are.
pub(super) fn write_experts(writer: &mut Writer, parts: &Parts<'_>) {
    let coe = parts.coe;
    deepseek::write_first_dense(writer, parts);
    // Without dense layers nothing has this width.
    writer.set("intermediate_size", parts.dense.map_or(coe.hidden, |dense| dense.hidden));
    writer.set("moe_intermediate_size", coe.hidden);
    writer.set("num_experts", coe.experts);
    writer.set("num_shared_experts", coe.shared);
    writer.set("num_experts_per_tok", coe.k[0]);
}
