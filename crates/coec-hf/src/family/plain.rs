//! What the families have in common.

use coec_ir::{
    Act, Attention, Coe, Dense, Ffn, Layer, Mha, Model, Projection, QkNorm, Rms, Router, Score, Stack,
    Tokens, bounds,
};
use serde_json::Value;

use crate::read::{Given, Reader};
use crate::rope;
use crate::write::{Parts, Writer};

/// What a family's configuration class gives a setting that is left out.
pub(super) struct Defaults {
    pub vocab: usize,
    pub context: usize,
    pub dim: usize,
    pub layers: usize,
    pub heads: usize,
    /// As many as there are heads, if none.
    pub kv_heads: Option<usize>,
    pub eps: f64,
    pub theta: f64,
}

/// The sizes of a model, before its layers are known.
pub(super) struct Sizes {
    pub vocab: usize,
    pub context: usize,
    pub dim: usize,
    pub layers: usize,
    pub eps: f64,
    pub tied: bool,
    pub act: Act,
}

pub(super) fn sizes(reader: &mut Reader<'_>, defaults: &Defaults) -> Sizes {
    architectures(reader);
    reader.off("attention_dropout", "the language has no dropout");
    Sizes {
        vocab: reader.count("vocab_size", Some(defaults.vocab), bounds::VOCAB),
        context: reader.count("max_position_embeddings", Some(defaults.context), bounds::CONTEXT),
        dim: reader.count("hidden_size", Some(defaults.dim), bounds::DIM),
        layers: reader.count("num_hidden_layers", Some(defaults.layers), bounds::LAYERS),
        eps: reader.real("rms_norm_eps", Some(defaults.eps), bounds::EPS),
        tied: reader.flag("tie_word_embeddings", false),
        act: reader.act(),
    }
}

/// A folder of another class has other tensors: a classifier's head instead of the output head.
fn architectures(reader: &mut Reader<'_>) {
    let architecture = reader.family.architecture();
    let Given::Value(value) = reader.given("architectures") else { return };
    match value.as_array() {
        Some(classes) if classes.is_empty() || classes.iter().any(|class| class == architecture) => {}
        Some(_) => {
            let why = "only language models are read";
            reader.refuse("architectures", value, why, format!("[\"{architecture}\"]"));
        }
        None => reader.wrong_type("architectures", value, "a list of classes"),
    }
}

impl Sizes {
    /// The model of these sizes with these layers.
    pub fn model(self, layers: Vec<Layer>) -> Model {
        Model {
            name: String::new(),
            doc: String::new(),
            vocab: self.vocab,
            context: self.context,
            dim: self.dim,
            norm: Rms { eps: self.eps },
            embedding: Tokens::plain(self.tied),
            layers: Stack::from_layers(&layers),
        }
    }
}

/// Whether a family's folders may choose the width of a head.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadDim {
    /// Every version of the class reads `head_dim`.
    Free,
    /// It is `hidden_size / num_attention_heads`.
    Derived,
}

/// Attention without a latent.
pub(super) fn mha(
    reader: &mut Reader<'_>,
    defaults: &Defaults,
    sizes: &Sizes,
    head_dim: HeadDim,
    qk_norm: QkNorm,
) -> Mha {
    let heads = reader.count("num_attention_heads", Some(defaults.heads), bounds::HEADS);
    let kv_heads =
        reader.count_or_null("num_key_value_heads", defaults.kv_heads, bounds::HEADS).unwrap_or(heads);
    let derived = sizes.dim / heads;
    let given = reader.count_or_null("head_dim", None, bounds::WIDTH);
    if given.is_none() && !sizes.dim.is_multiple_of(heads) && reader.errors.is_empty() {
        let why = format!("{} does not divide into {heads} heads", sizes.dim);
        let accepted = match head_dim {
            HeadDim::Free => "a multiple of num_attention_heads, or head_dim given",
            HeadDim::Derived => "a multiple of num_attention_heads",
        };
        reader.refuse("hidden_size", &sizes.dim.into(), why, accepted);
    }
    if let (Some(given), HeadDim::Derived) = (given, head_dim)
        && given != derived
    {
        let why = "not every version of the family's class reads it";
        reader.refuse("head_dim", &given.into(), why, format!("{derived}, or left out"));
    }
    let rope = rope::read(reader, defaults.theta, sizes.context, rope::Code::Plain);
    Mha { kv_heads, rope, qk_norm, ..Mha::plain(heads, given.unwrap_or(derived.max(1))) }
}

/// Refuses a window that cuts anything off.
pub(super) fn no_window(reader: &mut Reader<'_>, sizes: &Sizes) {
    if let Given::Value(value) = reader.given("sliding_window")
        && value.as_u64().is_none_or(|window| window < sizes.context as u64)
    {
        let why = "attention here sees every earlier token";
        let accepted = format!("null, or at least max_position_embeddings ({})", sizes.context);
        reader.refuse("sliding_window", value, why, accepted);
    }
    layer_types(reader);
}

/// Refuses layers that are of another kind than full attention.
pub(super) fn layer_types(reader: &mut Reader<'_>) {
    let Given::Value(value) = reader.given("layer_types") else { return };
    match value.as_array() {
        Some(types) if types.iter().all(|kind| kind == "full_attention") => {}
        Some(_) => {
            let why = "attention here sees every earlier token";
            reader.refuse("layer_types", value, why, "\"full_attention\" in every layer");
        }
        None => reader.wrong_type("layer_types", value, "a list of kinds of layers"),
    }
}

/// Refuses the loss of `output_router_logits`; without that flag its coefficient does nothing.
pub(super) fn no_router_loss(reader: &mut Reader<'_>) {
    let is_added = reader.flag("output_router_logits", false);
    let coefficient = match reader.given("router_aux_loss_coef") {
        Given::Value(value) if !crate::read::is_off(value) => value,
        _ => return,
    };
    if is_added {
        let why = "it adds a loss that the language has not: the product of means over all layers at once";
        reader.refuse("output_router_logits", &Value::Bool(true), why, "false");
    } else {
        reader.note(
            "router_aux_loss_coef",
            format!(
                "{coefficient} does nothing without output_router_logits, and its loss is none of the \
                 language; give `ffn.balance` to balance a training"
            ),
        );
    }
}

/// The ordinary block, `h + experts(Norm(h))`: softmax over all experts, nothing shared.
pub(super) fn moe(k: usize, experts: usize, hidden: usize, act: Act, renorm: bool) -> Coe {
    let router = Router { renorm, ..Router::plain(Score::Softmax) };
    Coe { act, router, ..Coe::plain(k, experts, hidden) }
}

/// Layers that differ in having experts or not.
pub(super) fn layers(
    sizes: &Sizes,
    attention: Attention,
    coe: Coe,
    dense: usize,
    is_dense: impl Fn(usize) -> bool,
) -> Vec<Layer> {
    let dense = Ffn::Dense(Dense::plain(dense, sizes.act));
    let coe = Ffn::Coe(coe);
    let ffn = |layer| if is_dense(layer) { dense.clone() } else { coe.clone() };
    (0..sizes.layers).map(|layer| Layer { attention: attention.clone(), ffn: ffn(layer) }).collect()
}

/// Writes attention without a latent, if the model has it.
pub(super) fn write_mha(writer: &mut Writer, parts: &Parts<'_>, head_dim: HeadDim, qk_norm: QkNorm) {
    let Some(mha) = writer.mha(parts) else { return };
    writer.set("num_attention_heads", mha.heads);
    writer.set("num_key_value_heads", mha.kv_heads);
    match head_dim {
        HeadDim::Free => writer.set("head_dim", mha.head_dim),
        HeadDim::Derived if mha.heads * mha.head_dim != parts.model.dim => {
            writer.blocked("attention.head_dim", mha.head_dim, "heads divide the width of the model");
        }
        HeadDim::Derived => {}
    }
    if mha.qk_norm != qk_norm {
        writer.blocked("attention.qk_norm", mha.qk_norm.word(), &format!("qk_norm={}", qk_norm.word()));
    }
    rope::write(writer, &mha.rope, rope::Code::Plain);
}

/// The projections of queries, keys and values.
pub(super) const QKV: [Projection; 3] = [Projection::Q, Projection::K, Projection::V];

/// Projections as a spec lists them.
pub(super) fn words(projections: &[Projection]) -> String {
    let words: Vec<_> = projections.iter().map(|projection| projection.word()).collect();
    format!("[{}]", words.join(", "))
}

/// Blocks biases on the projections.
pub(super) fn no_bias(writer: &mut Writer, parts: &Parts<'_>) {
    if let Attention::Mha(mha) = parts.attention
        && !mha.bias.is_empty()
    {
        writer.blocked("attention.bias", words(&mha.bias), "projections without biases");
    }
}
