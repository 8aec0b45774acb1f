//! What the families have in common.

use crate::read::{Given, Reader, is_off};
use crate::rope::{self, Code, part, part::Part};
use crate::write::{Parts, Writer};
use coec_ir::{
    Act, Attention, Coe, Dense, Ffn, Layer, Mha, Model, Projection, QkNorm, Rms, Rope, Router, Score, Stack,
    Tokens, bounds,
};

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
    let model_type = reader.map.get("model_type").and_then(|word| word.as_str()).unwrap_or_default();
    let architecture = reader.family.class_of(model_type);
    let Given::Value(value) = reader.given("architectures") else { return };
    match value.as_array() {
        Some(classes) if classes.is_empty() || classes.iter().any(|class| class == architecture) => {}
        Some(_) => {
            let why = "it is another class, which may compute something else or have other tensors";
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
    /// Every version of the class reads `head_dim`; left out, the heads divide the model's width.
    Free,
    /// The same, and left out it is this.
    Default(usize),
    /// It is `hidden_size / num_attention_heads`.
    Derived,
}

/// How much of a head turns.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Turns {
    /// All of it.
    Whole,
    /// The first dimensions: which fraction, where no setting says it, and whether `rotary_dim` may.
    First(f64, bool),
}

/// Attention without a latent.
pub(super) fn mha(
    reader: &mut Reader<'_>,
    defaults: &Defaults,
    sizes: &Sizes,
    head_dim: HeadDim,
    qk_norm: QkNorm,
) -> Mha {
    turned(reader, defaults, sizes, head_dim, qk_norm, Turns::Whole)
}

/// Attention without a latent, of which a part of each head may turn.
pub(super) fn turned(
    reader: &mut Reader<'_>,
    defaults: &Defaults,
    sizes: &Sizes,
    head_dim: HeadDim,
    qk_norm: QkNorm,
    turns: Turns,
) -> Mha {
    let heads = reader.count("num_attention_heads", Some(defaults.heads), bounds::HEADS);
    let kv_heads =
        reader.count_or_null("num_key_value_heads", defaults.kv_heads, bounds::HEADS).unwrap_or(heads);
    let width = width(reader, sizes, heads, head_dim);
    let part = match turns {
        Turns::Whole => Part::Whole,
        Turns::First(fraction, by_width) => Part::First { head_dim: width, fraction, by_width },
    };
    let rope = rope::read(reader, defaults.theta, sizes.context, Code::Plain, part);
    Mha { kv_heads, rope, qk_norm, ..Mha::plain(heads, width) }
}

/// The width of a head.
fn width(reader: &mut Reader<'_>, sizes: &Sizes, heads: usize, head_dim: HeadDim) -> usize {
    let derived = sizes.dim / heads;
    let default = if let HeadDim::Default(width) = head_dim { Some(width) } else { None };
    let given = reader.count_or_null("head_dim", default, bounds::WIDTH);
    if given.is_none() && !sizes.dim.is_multiple_of(heads) && reader.errors.is_empty() {
        let why = format!("{} does not divide into {heads} heads", sizes.dim);
        let accepted = match head_dim {
            HeadDim::Derived => "a multiple of num_attention_heads",
            _ => "a multiple of num_attention_heads, or head_dim given",
        };
        reader.refuse("hidden_size", &sizes.dim.into(), why, accepted);
    }
    if let (Some(given), HeadDim::Derived) = (given, head_dim)
        && given != derived
    {
        let why = "not every version of the family's class reads it";
        reader.refuse("head_dim", &given.into(), why, format!("{derived}, or left out"));
    }
    given.unwrap_or(derived.max(1))
}

/// `sliding_window`, where it cuts anything off.
pub(super) fn window(reader: &mut Reader<'_>, default: Option<usize>, sizes: &Sizes) -> Option<usize> {
    let window = reader.count_or_null("sliding_window", default, bounds::CONTEXT);
    window.filter(|&window| window < sizes.context)
}

/// Refuses YaRN, which no code of the family reads.
pub(super) fn no_yarn(reader: &mut Reader<'_>, mha: &Mha, why: &str) {
    if let (Rope::Yarn { .. }, Given::Value(value)) = (mha.rope, reader.given("rope_scaling")) {
        reader.refuse("rope_scaling", value, why, "null");
    }
}

/// Refuses a window that cuts anything off.
pub(super) fn no_window(reader: &mut Reader<'_>, sizes: &Sizes) {
    if let Given::Value(value) = reader.given("sliding_window")
        && value.as_u64().is_none_or(|window| window < sizes.context as u64)
    {
        let why = "the family's class does not cut attention off by it";
        let accepted = format!("null, or at least max_position_embeddings ({})", sizes.context);
        reader.refuse("sliding_window", value, why, accepted);
    }
    no_layer_types(reader);
}

/// Refuses layers of another kind than full attention, where the family's class does not ask for kinds.
pub(super) fn no_layer_types(reader: &mut Reader<'_>) {
    let Given::Value(value) = reader.given("layer_types") else { return };
    match value.as_array() {
        Some(types) if types.iter().all(|kind| kind == "full_attention") => {}
        Some(_) => {
            let why = "the family's class does not tell layers apart by it";
            reader.refuse("layer_types", value, why, "\"full_attention\" in every layer");
        }
        None => reader.wrong_type("layer_types", value, "a list of kinds of layers"),
    }
}

/// Of each layer, whether `layer_types` says that it has a window.
pub(super) fn layer_types(reader: &mut Reader<'_>, sizes: &Sizes) -> Option<Vec<bool>> {
    reader.kinds("layer_types", sizes.layers, ["sliding_attention", "full_attention"])
}

/// Writes `layer_types`, and the window that some layers have.
pub(super) fn write_layer_types(writer: &mut Writer, parts: &Parts<'_>) {
    let window = parts.windows.iter().copied().flatten().next();
    if let Some(layer) = parts.windows.iter().position(|other| other.is_some() && *other != window) {
        let other = parts.windows[layer].unwrap_or_default();
        writer.blocked(
            &format!("attention[{layer}].window"),
            other,
            "one window in all layers that have one",
        );
    }
    let kind = |window: &Option<usize>| if window.is_some() { "sliding_attention" } else { "full_attention" };
    writer.set("layer_types", parts.windows.iter().map(kind).collect::<Vec<_>>());
    writer.set("sliding_window", window);
}

/// Gives layers of ordinary attention their windows.
pub(super) fn windowed(mut layers: Vec<Layer>, window: impl Fn(usize) -> Option<usize>) -> Vec<Layer> {
    for (i, layer) in layers.iter_mut().enumerate() {
        if let Attention::Mha(mha) = &mut layer.attention {
            mha.window = window(i);
        }
    }
    layers
}

/// Says what becomes of the loss of `output_router_logits`.
pub(super) fn router_loss(reader: &mut Reader<'_>) {
    let is_added = reader.flag("output_router_logits", false);
    let coefficient = match reader.given("router_aux_loss_coef") {
        Given::Value(value) if !is_off(value) => Some(value),
        _ => None,
    };
    let advice = "give `ffn.balance` to balance a training";
    match (is_added, coefficient) {
        (true, _) => reader.note(
            "output_router_logits",
            format!(
                "the loss that it adds in training is a product of means over all layers at once, and none \
                 of the language; {advice}"
            ),
        ),
        (false, Some(coefficient)) => reader.note(
            "router_aux_loss_coef",
            format!(
                "{coefficient} does nothing without output_router_logits, and its loss is none of the \
                 language; {advice}"
            ),
        ),
        (false, None) => {}
    }
}

/// Says how many layers that predict further tokens are left out.
pub(super) fn further_layers(reader: &mut Reader<'_>) {
    for key in ["num_nextn_predict_layers", "num_mtp_layers"] {
        if let Given::Value(value) = reader.given(key)
            && !is_off(value)
        {
            let text = format!("{value} beyond the model's, which predict further tokens, are left out");
            reader.note(key, text);
        }
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
    if mha.qk_norm != qk_norm {
        writer.blocked("attention.qk_norm", mha.qk_norm.word(), &format!("qk_norm={}", qk_norm.word()));
    }
    write_heads(writer, parts, mha, head_dim);
}

/// Writes attention without a latent, but for its norms, of which a part of each head may turn.
pub(super) fn write_turned(writer: &mut Writer, parts: &Parts<'_>, head_dim: HeadDim, by_width: bool) {
    let Some(mha) = writer.mha(parts) else { return };
    write_heads(writer, parts, mha, head_dim);
    part::write(writer, &mha.rope, mha.head_dim, by_width);
}

fn write_heads(writer: &mut Writer, parts: &Parts<'_>, mha: &Mha, head_dim: HeadDim) {
    writer.set("num_attention_heads", mha.heads);
    writer.set("num_key_value_heads", mha.kv_heads);
    match head_dim {
        HeadDim::Free | HeadDim::Default(_) => writer.set("head_dim", mha.head_dim),
        HeadDim::Derived if mha.heads * mha.head_dim != parts.model.dim => {
            writer.blocked("attention.head_dim", mha.head_dim, "heads divide the width of the model");
        }
        HeadDim::Derived => {}
    }
    rope::write(writer, &mha.rope, Code::Plain);
}

/// The projections of queries, keys and values.
pub(super) const QKV: [Projection; 3] = [Projection::Q, Projection::K, Projection::V];

/// Projections as a spec lists them.
pub(super) fn words(projections: &[Projection]) -> String {
    let words: Vec<_> = projections.iter().map(|projection| projection.word()).collect();
    format!("[{}]", words.join(", "))
}

/// Writes a flag for biases on these projections, or on none.
pub(super) fn write_bias(writer: &mut Writer, parts: &Parts<'_>, key: &str, of: &[Projection]) {
    let Attention::Mha(mha) = &parts.attention else { return };
    if !mha.bias.is_empty() && mha.bias != of {
        writer.blocked("attention.bias", words(&mha.bias), &format!("biases of {}, or none", words(of)));
    }
    writer.set(key, !mha.bias.is_empty());
}

/// Reads a flag for biases on these projections.
pub(super) fn bias(
    reader: &mut Reader<'_>,
    key: &'static str,
    default: bool,
    of: &[Projection],
) -> Vec<Projection> {
    if reader.flag(key, default) { of.to_vec() } else { Vec::new() }
}

/// Blocks YaRN, which no code of the family reads.
pub(super) fn write_no_yarn(writer: &mut Writer, parts: &Parts<'_>, why: &str) {
    if let Attention::Mha(mha) = &parts.attention
        && matches!(mha.rope, Rope::Yarn { .. })
    {
        writer.blocked("attention.rope", "yarn", why);
    }
}

/// Blocks biases on the projections.
pub(super) fn no_bias(writer: &mut Writer, parts: &Parts<'_>) {
    if let Attention::Mha(mha) = &parts.attention
        && !mha.bias.is_empty()
    {
        writer.blocked("attention.bias", words(&mha.bias), "projections without biases");
    }
}
