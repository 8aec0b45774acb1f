//! What the two Qwen families have in common.

use coec_ir::bounds;
use serde_json::Value;

use super::plain::{self, Sizes};
use crate::Reason;
use crate::read::Reader;
use crate::write::{Parts, Writer};

pub(super) const INERT: [Reason; 2] = [
    crate::inert::ROUTER_LOSS,
    Reason { key: "max_window_layers", why: "counts layers with a sliding window, which is refused" },
];

/// Refuses a sliding window that is switched on. `sliding_window` alone switches nothing on.
pub(super) fn no_window(reader: &mut Reader<'_>, sizes: &Sizes) {
    if reader.flag("use_sliding_window", false) {
        plain::no_window(reader, sizes);
    } else {
        reader.given("sliding_window");
        plain::layer_types(reader);
    }
}

/// Which layers are dense: those named, and those that the step leaves out.
pub(super) fn dense_layers(reader: &mut Reader<'_>, sizes: &Sizes) -> Vec<bool> {
    let step = reader.count("decoder_sparse_step", Some(1), bounds::LAYERS);
    let named = reader.layers("mlp_only_layers", sizes.layers);
    (0..sizes.layers).map(|layer| named.contains(&layer) || (layer + 1) % step != 0).collect()
}

/// `intermediate_size`, the width of the dense layers.
pub(super) fn dense_hidden(reader: &mut Reader<'_>, default: usize) -> usize {
    reader.count("intermediate_size", Some(default), bounds::WIDTH)
}

pub(super) fn write_layers(writer: &mut Writer, parts: &Parts<'_>) {
    let named: Vec<usize> = (0..parts.is_dense.len()).filter(|&layer| parts.is_dense[layer]).collect();
    writer.set("decoder_sparse_step", 1);
    writer.set("mlp_only_layers", named);
    // Without dense layers nothing has this width.
    writer.set("intermediate_size", parts.dense.map_or(parts.coe.hidden, |dense| dense.hidden));
    writer.set("use_sliding_window", false);
    writer.set("sliding_window", Value::Null);
    writer.set("output_router_logits", false);
}
