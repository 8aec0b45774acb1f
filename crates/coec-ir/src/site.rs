//! Where blocks stand, and the names their tensors have for it.

/// Where a block stands: which layer, and under which names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Layer, from 0.
    pub layer: usize,
    /// Name of the norm in front, without `.weight`: `model.layers.0.input_layernorm`.
    pub norm: String,
    /// Prefix of the block's own tensors: `model.layers.0.self_attn`.
    pub prefix: String,
}

impl Site {
    /// Name of the token embedding's table.
    pub const EMBEDDING: &str = "model.embed_tokens.weight";
    /// Name of the final norm's weight.
    pub const FINAL_NORM: &str = "model.norm.weight";
    /// Name of the output head's weight, when it has its own.
    pub const HEAD: &str = "lm_head.weight";

    /// What the name of everything in a layer begins with; the layer's number follows.
    pub const LAYERS: &str = "model.layers";

    /// The attention sublayer of a layer.
    pub fn attention(layer: usize) -> Self {
        Self::of(layer, "input_layernorm", "self_attn")
    }

    /// The feed-forward sublayer of a layer.
    pub fn ffn(layer: usize) -> Self {
        Self::of(layer, "post_attention_layernorm", "mlp")
    }

    fn of(layer: usize, norm: &str, block: &str) -> Self {
        let prefix = format!("{}.{layer}", Self::LAYERS);
        Self { layer, norm: format!("{prefix}.{norm}"), prefix: format!("{prefix}.{block}") }
    }
}
