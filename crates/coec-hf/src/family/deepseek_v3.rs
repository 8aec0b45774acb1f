//! DeepSeek-V3, and those that have its blocks under a `model_type` of their own: Kimi-K2 and
//! JoyAI-LLM-Flash.
//!
//! transformers does not know their names, and loads their folders as `deepseek_v3`. What is left out has the
//! defaults of that class, in their folders too.

use coec_ir::{Attention, Model, bounds};

use super::plain::{self, Defaults};
use super::{Record, biased, deepseek};
use crate::inert::{FURTHER_LAYERS, LATENT};
use crate::read::Reader;
use crate::rope::Code;
use crate::write::{Parts, Writer};

pub(super) const RECORD: Record = Record {
    architecture: "DeepseekV3ForCausalLM",
    inert: &[LATENT, FURTHER_LAYERS],
    read,
    write,
    rename: plain::same_name,
    predicts_further: true,
    is_chain: false,
    has_class: true,
    fused: None,
};

/// Of the families that have another `model_type`.
pub(super) const BY_ANOTHER_NAME: Record = Record { has_class: false, ..RECORD };

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

const EXPERTS: biased::Defaults = biased::Defaults {
    k: Some(8),
    experts: Some(256),
    hidden: 2048,
    shared: Some(1),
    renorm: true,
    scale: 2.5,
    groups: [8, 4],
};

fn read(reader: &mut Reader<'_>) -> Model {
    let sizes = plain::sizes(reader, &DEFAULTS);
    let mut mla = deepseek::mla(reader, &DEFAULTS, &deepseek::LATENT, &sizes, Code::Latent);
    mla.pairs = deepseek::pairs(reader);
    let coe = biased::read(reader, sizes.act, &EXPERTS);
    let dense = reader.count("intermediate_size", Some(18432), bounds::WIDTH);
    let first = deepseek::dense_layers(reader, 3);
    plain::further_layers(reader);
    let layers = plain::layers(&sizes, Attention::Mla(mla), coe, dense, |layer| layer < first);
    sizes.model(layers)
}

fn write(parts: &Parts<'_>, writer: &mut Writer) {
    deepseek::write_mla(writer, parts, Code::Latent);
    deepseek::write_pairs(writer, parts);
    biased::write(writer, parts);
    writer.set("scoring_func", "sigmoid");
    writer.set("topk_method", "noaux_tc");
    writer.set("num_nextn_predict_layers", 0);
    deepseek::write_layers(writer, parts);
    biased::write_balance_and_loss(writer, parts.coe);
}
