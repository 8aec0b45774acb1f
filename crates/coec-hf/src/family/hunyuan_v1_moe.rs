//! Hunyuan-A13B: heads are normed once they have turned, one shared expert, as many experts as each layer
//! says.
//!
//! The settings are those of transformers' class, and of Tencent's own code, `hunyuan`. What only the latter
//! reads is refused where it says something else than the class does.

use coec_ir::{Attention, Ffn, Mha, Model, NormAt, Projection, QkNorm, bounds};
use serde_json::{Value, json};

use super::Record;
use super::plain::{self, Defaults, HeadDim, Sizes};
use crate::inert::{MACHINES, RETURNS};
use crate::layout::Names;
use crate::read::{Given, Reader};
use crate::rope;
use crate::write::{Parts, Writer};
use crate::{Reason, inert};

pub(super) const RECORD: Record = Record {
    architecture: "HunYuanMoEV1ForCausalLM",
    inert: &[&INERT],
    read,
    write,
    stored: Names { inside: renamed, ..Names::SAME },
    fused: Some(Names { inside: renamed, ..Names::FUSED }),
    predicts_further: false,
    is_chain: false,
    has_class: true,
};

const PICTURES: &str = "belongs to pictures, texts apart";
const LATENT: &str = "belongs to latent attention, which use_mla switches on";

const INERT: [Reason; 47] = [
    Reason { key: "output_router_logits", why: RETURNS },
    Reason { key: "router_aux_loss_coef", why: "weighs a loss of training" },
    Reason { key: "org_vocab_size", why: "is the vocabulary before padding" },
    Reason { key: "eod_token_id", why: inert::TOKENS },
    Reason { key: "pad_id", why: inert::TOKENS },
    Reason { key: "cla_share_factor", why: "belongs to layers that share keys, which use_cla switches on" },
    Reason {
        key: "capacity_factor",
        why: "belongs to tokens that are dropped, which moe_drop_tokens switches on",
    },
    Reason { key: "moe_random_routing_dropped_token", why: "belongs to tokens that are dropped" },
    Reason { key: "kv_lora_rank", why: LATENT },
    Reason { key: "q_lora_rank", why: LATENT },
    Reason { key: "qk_nope_head_dim", why: LATENT },
    Reason { key: "qk_rope_head_dim", why: LATENT },
    Reason { key: "v_head_dim", why: LATENT },
    Reason { key: "xdrope_section", why: "belongs to positions that position_embedding_xdrope switches on" },
    Reason { key: "add_classification_head", why: inert::LABELS },
    Reason { key: "class_num", why: inert::LABELS },
    Reason { key: "pool_type", why: inert::LABELS },
    Reason { key: "dense_list", why: inert::LABELS },
    Reason { key: "skip_cls_token", why: PICTURES },
    Reason { key: "mask_init_id", why: PICTURES },
    Reason { key: "im_start_id", why: PICTURES },
    Reason { key: "im_end_id", why: PICTURES },
    Reason { key: "im_newline_id", why: PICTURES },
    Reason { key: "image_token_id", why: PICTURES },
    Reason { key: "text_start_id", why: PICTURES },
    Reason { key: "text_end_id", why: PICTURES },
    Reason { key: "video_start_id", why: PICTURES },
    Reason { key: "video_end_id", why: PICTURES },
    Reason { key: "num_media_embeds", why: PICTURES },
    Reason { key: "anyres_pooling_size", why: PICTURES },
    Reason { key: "anyres_vit_max_image_size", why: PICTURES },
    Reason { key: "anyres_vit_two_views", why: PICTURES },
    Reason { key: "vit_add_patchemb_bias", why: PICTURES },
    Reason { key: "vit_input_resolution", why: PICTURES },
    Reason { key: "vit_mapping_type", why: PICTURES },
    Reason { key: "vit_norm_type", why: PICTURES },
    Reason { key: "vit_patch", why: PICTURES },
    Reason { key: "vit_path", why: PICTURES },
    Reason { key: "vit_remove_prenorm", why: PICTURES },
    Reason { key: "vit_token", why: PICTURES },
    Reason { key: "vit_type", why: PICTURES },
    Reason { key: "vit_used_rms_norm", why: PICTURES },
    Reason { key: "n_group", why: "belongs to groups, which group_limited_greedy switches on" },
    Reason { key: "topk_group", why: "belongs to groups, which group_limited_greedy switches on" },
    Reason { key: "moe_intermediate_size", why: "is intermediate_size, the width of every expert" },
    Reason { key: "num_shared_expert", why: "is 1, as the family's class has it" },
    Reason { key: "ep_size", why: MACHINES },
];

const DEFAULTS: Defaults = Defaults {
    vocab: 290_943,
    context: 2048,
    dim: 4096,
    layers: 32,
    heads: 32,
    kv_heads: None,
    eps: 1e-5,
    theta: 1e4,
};

fn read(reader: &mut Reader<'_>) -> Model {
    let sizes = plain::sizes(reader, &DEFAULTS);
    plain::no_window(reader, &sizes);
    unlike(reader);
    let mha = mha(reader, &sizes);
    let experts = reader.count_by_names(&["num_experts", "num_local_experts"], Some(1), bounds::EXPERTS);
    let hidden = reader.count("intermediate_size", Some(11008), bounds::WIDTH);
    each_is(reader, "moe_intermediate_size", hidden, "experts have the width intermediate_size in the class");
    each_is(reader, "num_shared_expert", 1, "the family's class has one shared expert");
    let mut coe = plain::moe(1, experts, hidden, sizes.act, true);
    coe.shared = 1;
    coe.balance = reader.balance(Vec::new(), false);
    let mut layers = plain::layers(&sizes, Attention::Mha(mha), coe, 1, |_| false);
    for (layer, k) in layers.iter_mut().zip(selected(reader, &sizes)) {
        if let Ffn::Coe(coe) = &mut layer.ffn {
            coe.k = vec![k];
        }
    }
    sizes.model(layers)
}

fn mha(reader: &mut Reader<'_>, sizes: &Sizes) -> Mha {
    let heads = reader.count("num_attention_heads", Some(DEFAULTS.heads), bounds::HEADS);
    let kv_heads = reader.count_or_null("num_key_value_heads", None, bounds::HEADS).unwrap_or(heads);
    // The class has no default that it can run with.
    let head_dim = reader.count_by_names(&["head_dim", "attention_head_dim"], None, bounds::WIDTH);
    let rope = rope::stretched(reader, DEFAULTS.theta, sizes.context, head_dim);
    let bias = plain::bias(reader, "attention_bias", false, Projection::ALL);
    let (qk_norm, qk_norm_at) = (QkNorm::Head, NormAt::After);
    Mha { kv_heads, rope, bias, qk_norm, qk_norm_at, ..Mha::plain(heads, head_dim) }
}

/// How many experts each layer selects: one number, or one for each layer.
fn selected(reader: &mut Reader<'_>, sizes: &Sizes) -> Vec<usize> {
    let key = ["moe_topk", "num_experts_per_tok"].into_iter().find(|key| reader.map.contains_key(*key));
    let Some(Given::Value(value @ Value::Array(list))) = key.map(|key| reader.given(key)) else {
        let k = reader.count_by_names(&["moe_topk", "num_experts_per_tok"], Some(1), bounds::EXPERTS);
        return vec![k; sizes.layers];
    };
    let counts =
        list.iter().map(Value::as_u64).map(|k| k.filter(|&k| k as f64 <= bounds::EXPERTS.max && k > 0));
    let counts: Option<Vec<usize>> = counts.map(|k| usize::try_from(k?).ok()).collect();
    match counts {
        Some(counts) if counts.len() == sizes.layers => counts,
        Some(_) => {
            let why = format!("it has {} numbers", list.len());
            reader.refuse("moe_topk", value, why, format!("one for each of {} layers", sizes.layers));
            vec![1; sizes.layers]
        }
        None => {
            reader.wrong_type("moe_topk", value, "a whole number, or one for each layer");
            vec![1; sizes.layers]
        }
    }
}

/// Refuses a number, or a list of one for each layer, that is something else anywhere.
fn each_is(reader: &mut Reader<'_>, key: &'static str, only: usize, why: &str) {
    let Given::Value(value) = reader.given(key) else { return };
    let is_only = |value: &Value| value.as_u64() == Some(only as u64);
    let all = value.as_array().map_or_else(|| is_only(value), |list| list.iter().all(is_only));
    if !all {
        reader.refuse(key, value, why, only.to_string());
    }
}

/// Refuses what Tencent's code reads and the class does not, where it says something else.
fn unlike(reader: &mut Reader<'_>) {
    reader.only_flag("use_mixed_mlp_moe", true, "the family's class always has a shared expert");
    reader.only_flag("norm_topk_prob", true, "the family's class always renormalises");
    reader.only_flag("use_qk_norm", true, "the family's class always norms queries and keys");
    reader.only_flag("use_rotary_pos_emb", true, "the family's class always turns queries and keys");
    reader.only_word("norm_type", "rms", "norms are RMS norms here");
    for (key, why) in [
        ("group_limited_greedy", "the family's class has no groups"),
        ("mlp_bias", "the family's class has no biases of experts"),
        ("use_cla", "layers would take the keys of the layer before"),
        ("use_mla", "the family's class has no latent attention"),
        ("moe_layer_num_skipped", "the family's class has experts in every layer"),
        ("position_embedding_xdrope", "the family's class has positions of one kind"),
        ("moe_drop_tokens", "nothing is dropped here"),
    ] {
        reader.off(key, why);
    }
    reader.only_one("routed_scaling_factor", "the family's class scales no weights");
}

fn write(parts: &Parts<'_>, writer: &mut Writer) {
    let coe = parts.coe;
    writer.common(parts);
    plain::write_mha(writer, parts, HeadDim::Free, QkNorm::Head);
    plain::write_bias(writer, parts, "attention_bias", Projection::ALL);
    if let Attention::Mha(mha) = &parts.attention
        && mha.qk_norm_at != NormAt::After
    {
        writer.blocked(
            "attention.qk_norm_at",
            mha.qk_norm_at.word(),
            "heads are normed once they have turned",
        );
    }
    writer.no_dense(parts);
    writer.ordinary_block(coe);
    if coe.shared != 1 {
        writer.blocked("ffn.shared", coe.shared, "one shared expert");
    }
    writer.no_shared_gate(coe);
    writer.plain_router(coe);
    writer.always_renorm(coe);
    let selected = parts.selected();
    let is_one = selected.iter().all(|&k| k == selected[0]);
    writer.set("moe_topk", if is_one { json!(selected[0]) } else { json!(selected) });
    writer.set("num_experts", coe.experts);
    writer.set("intermediate_size", coe.hidden);
    writer.set("output_router_logits", false);
    writer.balance(coe, &[], false);
}

fn renamed(name: &str, _: &Ffn) -> String {
    let name = name.replace("q_norm", "query_layernorm").replace("k_norm", "key_layernorm");
    name.replace("mlp.gate.", "mlp.gate.wg.").replace("mlp.shared_experts.", "mlp.shared_mlp.")
}
