//! GLM-4.7-Flash: latent attention, DeepSeek-V3's experts, in any layers.

use coec_ir::{Attention, Model, bounds};
use serde_json::json;

use super::deepseek::Latent;
use super::plain::{self, Defaults, Sizes};
use super::{Record, biased, deepseek};
use crate::inert::{FURTHER_LAYERS, LATENT};
use crate::read::{Given, Reader};
use crate::rope::Code;
use crate::write::{Parts, Writer};

pub(super) const RECORD: Record = Record {
    architecture: "Glm4MoeLiteForCausalLM",
    inert: &[LATENT, FURTHER_LAYERS],
    read,
    write,
    rename: plain::same_name,
    predicts_further: true,
    is_chain: false,
    has_class: true,
    fused: None,
};

const DEFAULTS: Defaults = Defaults {
    vocab: 154_880,
    context: 202_752,
    dim: 2048,
    layers: 47,
    heads: 20,
    kv_heads: None,
    eps: 1e-5,
    theta: 1e4,
};

const PARTS: Latent = Latent { kv_rank: 512, q_rank: 768, nope: 192, rope_dim: 64, value: 256 };

const EXPERTS: biased::Defaults = biased::Defaults {
    k: Some(4),
    experts: Some(64),
    hidden: 1536,
    shared: Some(1),
    renorm: true,
    scale: 1.8,
    groups: [1, 1],
};

fn read(reader: &mut Reader<'_>) -> Model {
    let sizes = plain::sizes(reader, &DEFAULTS);
    let mut mla = deepseek::mla(reader, &DEFAULTS, &PARTS, &sizes, Code::LatentAlone);
    mla.pairs = deepseek::pairs(reader);
    if let Given::Value(value) = reader.given("head_dim")
        && value.as_u64() != Some(mla.rope_dim as u64)
    {
        let why = "it is another name for `qk_rope_head_dim` in the family's class";
        reader.refuse("head_dim", value, why, format!("{}, or left out", mla.rope_dim));
    }
    let coe = biased::read(reader, sizes.act, &EXPERTS);
    let dense = reader.count("intermediate_size", Some(10240), bounds::WIDTH);
    let is_dense = dense_layers(reader, &sizes);
    plain::further_layers(reader);
    let layers = plain::layers(&sizes, Attention::Mla(mla), coe, dense, |layer| is_dense[layer]);
    sizes.model(layers)
}

/// Which layers are dense: those that `mlp_layer_types` names, or else the first. The class does not ask how
/// many are by `first_k_dense_replace`.
fn dense_layers(reader: &mut Reader<'_>, sizes: &Sizes) -> Vec<bool> {
    let types = reader.kinds("mlp_layer_types", sizes.layers, ["dense", "sparse"]);
    let first = deepseek::dense_layers(reader, 1);
    if types.is_none() && first != 1 {
        let why = "transformers does not ask for it, and makes the first layer dense";
        reader.refuse("first_k_dense_replace", &json!(first), why, "1, or mlp_layer_types given");
    }
    types.unwrap_or_else(|| (0..sizes.layers).map(|layer| layer == 0).collect())
}

fn write(parts: &Parts<'_>, writer: &mut Writer) {
    deepseek::write_mla(writer, parts, Code::LatentAlone);
    deepseek::write_pairs(writer, parts);
    biased::write(writer, parts);
    let kind = |&dense: &bool| if dense { "dense" } else { "sparse" };
    writer.set("mlp_layer_types", parts.is_dense.iter().map(kind).collect::<Vec<_>>());
    writer.set("num_nextn_predict_layers", 0);
    deepseek::write_widths(writer, parts);
    biased::write_balance(writer, parts.coe);
}
