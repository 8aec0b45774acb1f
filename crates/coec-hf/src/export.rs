//! From a model to a folder's settings.

use coec_ir::{Model, Verified, diff};
use serde_json::{Map, Value};

use crate::read::Reader;
use crate::write::Writer;
use crate::{Family, HfError};

/// The `config.json` of `model` in a family, for weights of `dtype` (`float32`, `bfloat16`, ...); or
/// everything that the family cannot express.
///
/// Importing it gives the same model, in [canonical](Family::canonical) form.
pub fn export(
    model: &Verified<Model>,
    family: Family,
    dtype: &str,
) -> Result<Map<String, Value>, Vec<HfError>> {
    let mut writer = write(model, family);
    writer.set("model_type", family.model_type());
    writer.set("architectures", vec![family.architecture()]);
    writer.set("torch_dtype", dtype);
    writer.finish()
}

/// The settings that say the model, and the obstacles.
fn write(model: &Verified<Model>, family: Family) -> Writer {
    let model = family.canonical(model);
    let mut writer = Writer::new(family);
    if let Some(parts) = writer.parts(&model) {
        (family.record().write)(&parts, &mut writer);
    }
    if writer.obstacles.is_empty() {
        unsaid(&model, &mut writer);
    }
    writer
}

/// Notes every field that the settings written do not say: what they are read as is another model.
/// So a field that the language has and no family knows of is never lost silently.
fn unsaid(model: &Model, writer: &mut Writer) {
    let family = writer.family;
    let read = (family.record().read)(&mut Reader::new(family, &writer.map));
    for change in diff::model(model, &family.canonical(&read)) {
        let value = change.old.clone().unwrap_or_else(|| "nothing".into());
        writer.blocked(&change.name(), value, "the family has no setting for it");
    }
}

/// The most specific family with a [class](Family::has_class) that can express `model`; or, of each, what
/// stops it.
pub fn family_of(model: &Verified<Model>) -> Result<Family, HfError> {
    let mut obstacles = Vec::new();
    for family in Family::ALL.into_iter().filter(|family| family.has_class()) {
        match write(model, family).obstacles.into_iter().next() {
            None => return Ok(family),
            Some(obstacle) => obstacles.push((family, obstacle)),
        }
    }
    Err(HfError::NoFamily { obstacles })
}
