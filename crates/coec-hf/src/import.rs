//! From a folder's settings to a model.

use coec_ir::{Attention, Model, Place, Verified, Violation, verify};
use serde_json::{Map, Value};

use crate::inert::{DROPOUT, NOISE};
use crate::json::settings;
use crate::read::{Reader, is_off, shown};
use crate::{Family, HfError, Mapped, Note, Quantization, tensors};

/// What a folder's settings say.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    /// The family.
    pub family: Family,
    /// The model.
    pub model: Verified<Model>,
    /// What a reader of the new spec should know.
    pub notes: Vec<Note>,
    /// The settings that were given and change no output.
    pub inert: Vec<Inert>,
    /// How the folder's weights are quantised, if they are.
    pub quantization: Option<Quantization>,
    /// Why the folder's weights are not read, though its settings are.
    pub unread: Option<HfError>,
    /// The tensor of the folder that the model has with each column divided by its length.
    pub unit_columns: Option<&'static str>,
}

/// A setting that was given and changes no output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inert {
    /// The setting.
    pub key: String,
    /// Its value, cut where it is long.
    pub value: String,
    /// Why it changes none.
    pub why: &'static str,
}

/// The model that a `config.json` describes, under `name`; or everything that is wrong with it.
///
/// [`model_name`](crate::model_name) makes a name of a folder's.
pub fn import(config: &str, name: &str) -> Result<Import, Vec<HfError>> {
    let settings = settings(config).map_err(|error| vec![error])?;
    let family = family(&settings).map_err(|error| vec![error])?;
    let mut reader = Reader::new(family, &settings);
    let mut model = (family.record().read)(&mut reader);
    model.name = name.into();
    let quantization = Quantization::read(&mut reader);
    if let Some(quantization) = &quantization {
        reader.note(quantization.key, quantization.note());
    }
    let inert = inert(&mut reader);
    for inert in &inert {
        if [DROPOUT, NOISE].contains(&inert.why)
            && settings.get(&inert.key).is_some_and(|value| !is_off(value))
        {
            reader.note(&inert.key, format!("{} {}", inert.value, inert.why));
        }
    }
    if !reader.errors.is_empty() {
        return Err(reader.errors);
    }
    let (notes, unread, unit_columns) = (reader.notes, reader.unread, reader.unit_columns);
    let model = verify(model.clone()).map_err(|violations| {
        violations.iter().map(|violation| inconsistent(&settings, &model, violation)).collect::<Vec<_>>()
    })?;
    Ok(Import { family, model, notes, inert, quantization, unread, unit_columns })
}

impl Import {
    /// Every tensor of the model in both names, in the order of the model. The list is as long as
    /// the settings say: hold a folder against it with [`sort`](crate::sort()), which counts first.
    pub fn tensors(&self) -> Vec<Mapped> {
        tensors(&self.model, self.family)
    }
}

/// The family that the settings name.
pub(crate) fn family(settings: &Map<String, Value>) -> Result<Family, HfError> {
    let found = settings.get("model_type");
    let family = found.and_then(Value::as_str).and_then(Family::of_model_type);
    let family = family.ok_or_else(|| HfError::ModelType { found: found.map(shown) })?;
    Ok(family.of_settings(settings))
}

/// The settings that no getter asked for and that change nothing; the others are errors.
pub(crate) fn inert(reader: &mut Reader<'_>) -> Vec<Inert> {
    let family = reader.family;
    let mut inert = Vec::new();
    let mut unknown = Vec::new();
    for (key, value) in reader.unasked() {
        let reason = family.inert().find(|reason| reason.key == key).map(|reason| reason.why);
        let off = matches!(value, Value::Null | Value::Bool(false));
        match reason.or(off.then_some("switches nothing on")) {
            Some(why) => inert.push(Inert { key: key.clone(), value: shown(value), why }),
            None => unknown.push(HfError::UnknownSetting { family, key: key.clone(), value: shown(value) }),
        }
    }
    // A setting may be asked for only to be refused with company, and do nothing alone.
    for reason in family.inert().filter(|reason| reader.has_asked(reason.key)) {
        if let Some(value) = reader.map.get(reason.key).filter(|value| !is_off(value)) {
            inert.push(Inert { key: reason.key.into(), value: shown(value), why: reason.why });
        }
    }
    reader.errors.extend(unknown);
    inert
}

/// What `verify` found, about the setting that said it.
fn inconsistent(settings: &Map<String, Value>, model: &Model, violation: &Violation) -> HfError {
    let key = key_of(settings, model, violation).into();
    HfError::Inconsistent { key, message: violation.kind.message(), help: violation.kind.help() }
}

/// The setting that a field of the model comes from.
fn key_of(settings: &Map<String, Value>, model: &Model, violation: &Violation) -> &'static str {
    let given = |keys: &[&'static str]| {
        keys.iter().copied().find(|key| settings.contains_key(*key)).unwrap_or(keys[0])
    };
    let is_latent = model.layers.kinds().iter().any(|layer| matches!(layer.attention, Attention::Mla(_)));
    match (violation.place, violation.path.as_str()) {
        (_, "vocab") => "vocab_size",
        (_, "context") => "max_position_embeddings",
        (_, "dim") => "hidden_size",
        (_, "layers") => "num_hidden_layers",
        (_, "norm.eps") => "rms_norm_eps",
        (_, "heads") => "num_attention_heads",
        (_, "kv_heads") => "num_key_value_heads",
        (_, "head_dim") => given(&["head_dim", "hidden_size"]),
        (_, "rope_dim") => "qk_rope_head_dim",
        (_, "window") => "sliding_window",
        (_, "rope.dim") => given(&["partial_rotary_factor", "rotary_dim", "rope_parameters", "rope_scaling"]),
        (Place::Attention(_), path) if path.starts_with("rope.") => {
            given(&["rope_scaling", "rope_parameters", "rope_theta"])
        }
        (_, "k") => "num_experts_per_tok",
        (_, "experts") if is_latent => "n_routed_experts",
        (_, "experts") => given(&["num_experts", "num_local_experts", "n_routed_experts"]),
        (_, "router.groups" | "router.group_score") => "n_group",
        (_, "router.keep") => "topk_group",
        (_, "router.scale") => "routed_scaling_factor",
        (_, "iter") => "inner_iter",
        (_, path) if path.starts_with("balance") => given(&[crate::BALANCE, "aux_loss_alpha"]),
        // Every other field has been read within its bounds.
        _ => "model_type",
    }
}
