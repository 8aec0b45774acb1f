//! What an imported folder said, kept for the way back.

use coec_ir::{Model, Verified};
use serde_json::{Map, Value};

use crate::export::export;
use crate::family::bailing::NORM_HEAD;
use crate::import::{family, import, inert};
use crate::json::settings;
use crate::read::Reader;
use crate::{Family, HfError, Quantization};

/// The names of the settings that say the precision of the weights.
const PRECISION: [&str; 2] = ["torch_dtype", "dtype"];

/// The `config.json` that a model was imported from: kept beside the spec, it restores what the
/// spec does not hold, such as the ids of tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    family: Family,
    text: String,
    /// The settings that change no output.
    inert: Map<String, Value>,
}

impl Kept {
    /// Reads a kept `config.json`.
    pub fn read(text: &str) -> Result<Self, HfError> {
        let mut settings = settings(text)?;
        let family = family(&settings)?;
        let mut reader = Reader::new(family, &settings);
        (family.record().read)(&mut reader);
        Quantization::read(&mut reader);
        let inert: Vec<String> = inert(&mut reader).into_iter().map(|inert| inert.key).collect();
        settings.retain(|key, _| inert.contains(key));
        Ok(Self { family, text: text.into(), inert: settings })
    }

    /// The family it names.
    pub fn family(&self) -> Family {
        self.family
    }

    /// The `config.json` for `model`, whose weights are of `dtype`.
    ///
    /// As long as the kept one describes the model, it is that one, byte for byte. Where the spec
    /// has been changed since, what describes the model is written anew, and the settings that
    /// change no output stay.
    pub fn restored(&self, model: &Verified<Model>, dtype: &str) -> Result<String, Vec<HfError>> {
        if self.describes(model) {
            return Ok(self.text.clone());
        }
        let mut settings = export(model, self.family, dtype)?;
        // What is written anew is what the family's class reads, not what its authors' code does.
        let is_other = |key: &str, value: &Value| key == "model_type" && Family::is_also(value);
        let kept = self
            .inert
            .iter()
            .filter(|(key, value)| !PRECISION.contains(&key.as_str()) && !is_other(key, value));
        settings.extend(kept.map(|(key, value)| (key.clone(), value.clone())));
        Ok(pretty(&settings))
    }

    /// Whether the kept settings describe `model`, whatever its name.
    fn describes(&self, model: &Verified<Model>) -> bool {
        let nameless =
            |model: &Model| Model { name: String::new(), doc: String::new(), ..self.family.canonical(model) };
        import(&self.text, "").is_ok_and(|kept| nameless(&kept.model) == nameless(model))
    }
}

/// A `config.json` of the same model with weights as an import leaves them: not quantised, of a precision
/// (`float32`, `bfloat16`, ...), and every tensor what the model has.
pub fn converted(config: &str, dtype: &str) -> Result<String, HfError> {
    let mut settings = settings(config)?;
    settings.retain(|key, _| !Quantization::KEYS.contains(&key.as_str()));
    let precision = PRECISION.map(|key| (key, Value::from(dtype)));
    for (key, new) in precision.into_iter().chain([(NORM_HEAD, false.into())]) {
        if let Some(value) = settings.get_mut(key) {
            *value = new;
        }
    }
    Ok(pretty(&settings))
}

/// Settings as `save_pretrained` lays them out: sorted, indented by two, with a line break at the end.
pub fn pretty(settings: &Map<String, Value>) -> String {
    format!("{:#}\n", Value::Object(settings.clone()))
}
