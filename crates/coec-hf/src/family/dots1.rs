//! dots.llm1: ordinary attention with a norm of each head, DeepSeek-V3's experts, windows in the last layers.

use coec_ir::{Attention, Bounds, Model, Projection, QkNorm, bounds};

use super::plain::{self, Defaults, HeadDim, Sizes};
use super::{Record, biased, deepseek};
use crate::read::Reader;
use crate::write::{Parts, Writer};
use crate::{Reason, inert};

pub(super) const RECORD: Record = Record {
    architecture: "Dots1ForCausalLM",
    inert: &[&INERT],
    read,
    write,
    rename: plain::same_name,
    predicts_further: false,
    is_chain: false,
    has_class: true,
    fused: None,
};

const INERT: [Reason; 1] = [Reason { key: "output_router_logits", why: inert::RETURNS }];

const DEFAULTS: Defaults = Defaults {
    vocab: 152_064,
    context: 2048,
    dim: 4608,
    layers: 62,
    heads: 32,
    kv_heads: Some(32),
    eps: 1e-6,
    theta: 1e4,
};

const EXPERTS: biased::Defaults = biased::Defaults {
    k: None,
    experts: None,
    hidden: 1408,
    shared: None,
    renorm: false,
    scale: 1.0,
    groups: [1, 1],
};

fn read(reader: &mut Reader<'_>) -> Model {
    let sizes = plain::sizes(reader, &DEFAULTS);
    let windows = windows(reader, &sizes);
    reader.only_flag("use_qk_norm", true, "the family's class always norms queries and keys");
    let mut mha = plain::mha(reader, &DEFAULTS, &sizes, HeadDim::Free, QkNorm::Head);
    mha.bias = plain::bias(reader, "attention_bias", false, Projection::ALL);
    let coe = biased::read(reader, sizes.act, &EXPERTS);
    let dense = reader.count("intermediate_size", Some(10944), bounds::WIDTH);
    let first = deepseek::dense_layers(reader, 0);
    let layers = plain::layers(&sizes, Attention::Mha(mha), coe, dense, |layer| layer < first);
    sizes.model(plain::windowed(layers, |layer| windows[layer]))
}

/// The window of each layer: where `layer_types` says so, or else from `max_window_layers` on.
fn windows(reader: &mut Reader<'_>, sizes: &Sizes) -> Vec<Option<usize>> {
    let window = plain::window(reader, Some(4096), sizes);
    let first = reader.count("max_window_layers", Some(62), Bounds { min: 0.0, ..bounds::LAYERS });
    let types = plain::layer_types(reader, sizes);
    let has_window = |layer: usize| types.as_ref().map_or(layer >= first, |types| types[layer]);
    (0..sizes.layers).map(|layer| window.filter(|_| has_window(layer))).collect()
}

fn write(parts: &Parts<'_>, writer: &mut Writer) {
    writer.common(parts);
    plain::write_mha(writer, parts, HeadDim::Free, QkNorm::Head);
    plain::write_bias(writer, parts, "attention_bias", Projection::ALL);
    plain::write_layer_types(writer, parts);
    writer.set("max_window_layers", parts.windows.len());
    biased::write(writer, parts);
    deepseek::write_first_dense(writer, parts);
    deepseek::write_widths(writer, parts);
    biased::write_balance(writer, parts.coe);
}
