//! What the two Qwen families have in common.

use coec_ir::bounds;

use super::plain::{self, Sizes};
use crate::read::Reader;
use crate::write::{Parts, Writer};

/// The window that is switched on, where it cuts anything off. `sliding_window` alone switches nothing on.
pub(super) fn window(reader: &mut Reader<'_>, sizes: &Sizes) -> Option<usize> {
    if reader.flag("use_sliding_window", false) {
        return plain::window(reader, Some(4096), sizes);
    }
    reader.given("sliding_window");
    None
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
    writer.set("output_router_logits", false);
}
