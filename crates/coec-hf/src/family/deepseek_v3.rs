//! DeepSeek-V3: sigmoid scores with a selection bias, groups scored by their two best.

use coec_ir::{Attention, Balance, GroupScore, Model, Score, bounds};
use serde_json::Value;

use super::plain::{self, Defaults};
use super::{Record, deepseek};
use crate::Reason;
use crate::inert::LATENT;
use crate::layout::Names;
use crate::read::Reader;
use crate::rope::Code;
use crate::write::{Parts, Writer};

pub(super) const RECORD: Record = Record {
    architecture: "DeepseekV3ForCausalLM",
    inert: &[LATENT, &INERT],
    read,
    write,
    stored: Names::SAME,
    fused: Some(Names::FUSED),
    predicts_further: true,
    is_chain: false,
};

const FURTHER: &str =
    "counts layers beyond the model's, which predict further tokens and feed none of its own";

const INERT: [Reason; 2] = [
    Reason { key: "num_nextn_predict_layers", why: FURTHER },
    Reason { key: "num_mtp_layers", why: FURTHER },
];

const DEFAULTS: Defaults = Defaults {
    vocab: 129_280,
    context: 4096,
    dim: 7168,
    layers: 61,
    heads: 128,
    kv_heads: None,
    eps: 1e-6,
    theta: 1e4,
};

/// The step of the selection bias with which DeepSeek-V3 was trained; no setting says it.
const BIAS_RATE: f64 = 0.001;

fn read(reader: &mut Reader<'_>) -> Model {
    let sizes = deepseek::sizes(reader, &DEFAULTS);
    let mla = deepseek::mla(reader, &DEFAULTS, &sizes, Code::Latent);
    if !reader.flag("rope_interleave", true) {
        let why = "the rotated pairs are neighbours here";
        reader.refuse("rope_interleave", &Value::Bool(false), why, "true");
    }
    reader.only_word("scoring_func", "sigmoid", "transformers scores by sigmoid alone");
    reader.only_word("topk_method", "noaux_tc", "transformers always selects by bias and groups");
    let k = reader.count("num_experts_per_tok", Some(8), bounds::EXPERTS);
    let names = ["n_routed_experts", "num_local_experts", "num_experts"];
    let experts = reader.count_by_names(&names, Some(256), bounds::EXPERTS);
    let hidden = reader.count("moe_intermediate_size", Some(2048), bounds::WIDTH);
    let renorm = reader.flag("norm_topk_prob", true);
    let mut coe = plain::moe(k, experts, hidden, sizes.act, renorm);
    coe.shared = deepseek::shared(reader, Some(1));
    coe.router.score = Score::Sigmoid;
    coe.router.scale = reader.real("routed_scaling_factor", Some(2.5), bounds::COEFFICIENT);
    coe.router.groups = deepseek::groups(reader, [Some(8), Some(4)], GroupScore::Top2);
    let mut native = vec![Balance::Bias { rate: BIAS_RATE }];
    native.extend(deepseek::aux_loss(reader, 0.0));
    coe.balance = reader.balance(native, true);
    if coe.balance.contains(&Balance::Bias { rate: BIAS_RATE }) {
        reader.note(
            "e_score_correction_bias",
            format!(
                "no setting says how fast selection biases move in training; bias(rate={BIAS_RATE}) is \
                 what DeepSeek-V3 was trained with, and bias(rate=0.0) leaves them as they are"
            ),
        );
    }
    let dense = reader.count("intermediate_size", Some(18432), bounds::WIDTH);
    let first = deepseek::dense_layers(reader, 3);
    let layers = plain::layers(&sizes, Attention::Mla(mla), coe, dense, |layer| layer < first);
    sizes.model(layers)
}

fn write(parts: &Parts<'_>, writer: &mut Writer) {
    let coe = parts.coe;
    deepseek::write_mla(writer, parts, Code::Latent);
    writer.ordinary_block(coe);
    writer.score(coe, Score::Sigmoid);
    if coe.shared == 0 {
        writer.blocked("ffn.shared", 0, "the class of transformers always has shared experts");
    }
    writer.no_shared_gate(coe);
    writer.set("rope_interleave", true);
    writer.set("scoring_func", "sigmoid");
    writer.set("topk_method", "noaux_tc");
    writer.set("norm_topk_prob", coe.router.renorm);
    writer.set("n_shared_experts", coe.shared);
    writer.set("routed_scaling_factor", coe.router.scale);
    writer.set("num_nextn_predict_layers", 0);
    match coe.router.groups {
        Some(groups) => deepseek::write_groups(writer, groups, GroupScore::Top2),
        None => {
            if coe.experts < 2 {
                writer.blocked("ffn.experts", coe.experts, "a group is scored by its two best");
            }
            writer.set("n_group", 1);
            writer.set("topk_group", 1);
        }
    }
    deepseek::write_layers(writer, parts);
    let bias = Balance::Bias { rate: BIAS_RATE };
    let loss = coe.balance.strip_prefix(&[bias]).unwrap_or_default();
    let native = [vec![bias], deepseek::write_aux_loss(writer, loss)].concat();
    writer.balance(coe, &native, true);
}
