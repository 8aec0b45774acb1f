//! GLM-4.5: ordinary attention of which half of each head turns, DeepSeek-V3's experts.

use coec_ir::{Attention, Model, QkNorm, bounds};

use super::plain::{self, Defaults, HeadDim, Turns};
use super::{Record, biased, deepseek};
use crate::Reason;
use crate::inert::{self, FURTHER_LAYERS};
use crate::read::Reader;
use crate::write::{Parts, Writer};

pub(super) const RECORD: Record = Record {
    architecture: "Glm4MoeForCausalLM",
    inert: &[FURTHER_LAYERS, &INERT],
    read,
    write,
    rename: plain::same_name,
    predicts_further: true,
    is_chain: false,
    has_class: true,
    fused: None,
};

const INERT: [Reason; 1] = [Reason { key: "output_router_logits", why: inert::RETURNS }];

const DEFAULTS: Defaults = Defaults {
    vocab: 151_552,
    context: 131_072,
    dim: 4096,
    layers: 46,
    heads: 96,
    kv_heads: Some(8),
    eps: 1e-5,
    theta: 1e4,
};

const EXPERTS: biased::Defaults = biased::Defaults {
    k: Some(8),
    experts: Some(128),
    hidden: 1408,
    shared: Some(1),
    renorm: true,
    scale: 1.0,
    groups: [1, 1],
};

fn read(reader: &mut Reader<'_>) -> Model {
    let sizes = plain::sizes(reader, &DEFAULTS);
    let qk_norm = if reader.flag("use_qk_norm", false) { QkNorm::Head } else { QkNorm::None };
    let half = Turns::First(0.5, false);
    let mut mha = plain::turned(reader, &DEFAULTS, &sizes, HeadDim::Free, qk_norm, half);
    mha.bias = plain::bias(reader, "attention_bias", false, &plain::QKV);
    let coe = biased::read(reader, sizes.act, &EXPERTS);
    let dense = reader.count("intermediate_size", Some(10944), bounds::WIDTH);
    let first = deepseek::dense_layers(reader, 1);
    plain::further_layers(reader);
    let layers = plain::layers(&sizes, Attention::Mha(mha), coe, dense, |layer| layer < first);
    sizes.model(layers)
}

fn write(parts: &Parts<'_>, writer: &mut Writer) {
    writer.common(parts);
    plain::write_turned(writer, parts, HeadDim::Free, false);
    if let Attention::Mha(mha) = &parts.attention {
        if mha.qk_norm == QkNorm::Full {
            writer.blocked("attention.qk_norm", mha.qk_norm.word(), "a norm of each head, or none");
        }
        writer.set("use_qk_norm", mha.qk_norm == QkNorm::Head);
    }
    plain::write_bias(writer, parts, "attention_bias", &plain::QKV);
    biased::write(writer, parts);
    writer.set("num_nextn_predict_layers", 0);
    deepseek::write_first_dense(writer, parts);
    deepseek::write_widths(writer, parts);
    biased::write_balance(writer, parts.coe);
}
