//! Rotary embedding, in the spellings of several years.
//!
//! Older files have `rope_theta` and `rope_scaling`, newer ones `rope_parameters` with both in it;
//! the kind is called `type` or `rope_type`. All are read; the older pair is written, which every
//! version of `transformers` reads, and the published code of DeepSeek-V2 and of the chain too.
//!
//! Three codes define YaRN, and differ in what they make of its two scales. With
//! `m(s) = 0.1 s ln(factor) + 1`:
//!
//! | code | cos and sin times | softmax scale times |
//! |---|---|---|
//! | the language, DeepSeek's own, the chain's | `m(mscale) / m(mscale_all_dim)`; left out 1 and 0 | `m(mscale_all_dim)^2` |
//! | transformers, latent attention | `attention_factor`; else the same if both are given and not 0, else `m(1)` | `m(mscale_all_dim)^2` |
//! | transformers, other attention | the same | 1 |
//!
//! Where transformers alone has a family's code, what it multiplies cos and sin with is said by the `mscale`
//! that comes to the same. A file is refused where the codes that its family has do not agree.

pub(crate) mod part;
mod yarn;

use coec_ir::{Rope, bounds};
use serde_json::{Map, Value, json};

use part::Part;

use crate::read::{Given, Reader};
use crate::write::Writer;

/// Which code reads the scales of YaRN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// transformers, attention without a latent.
    Plain,
    /// transformers and DeepSeek's own, latent attention.
    Latent,
    /// transformers alone, latent attention.
    LatentAlone,
    /// The published chain's own.
    Chain,
}

/// Reads the rotary embedding of a family whose context is `context`.
pub(crate) fn read(
    reader: &mut Reader<'_>,
    default_theta: f64,
    context: usize,
    code: Code,
    part: Part,
) -> Rope {
    let outer = reader.real_or_null("rope_theta", bounds::POSITIVE);
    let Some((map, key)) = object(reader) else {
        let dim = part::read(reader, None, part);
        return Rope::Rope { theta: outer.unwrap_or(default_theta), dim };
    };
    let mut inside =
        reader.inside(map, if key == "rope_scaling" { "rope_scaling." } else { "rope_parameters." });
    let dim = part::read(reader, Some(&mut inside), part);
    let inner = inside.real_or_null("rope_theta", bounds::POSITIVE);
    if let (Some(outer), Some(inner)) = (outer, inner)
        && outer != inner
    {
        let why = format!("`rope_theta` outside is {outer:?}, and versions of transformers prefer either");
        inside.refuse("rope_theta", &json!(inner), why, "one value in both places");
    }
    let theta = inner.or(outer).unwrap_or(default_theta);
    let rope = match kind(&mut inside) {
        "default" => Rope::Rope { theta, dim },
        "yarn" => yarn::read(&mut inside, theta, context, code, dim),
        // Frequencies change with the length of a text that is longer than the context, and not before.
        "dynamic" => {
            inside.real_or_null("factor", bounds::POSITIVE);
            inside.note(kind_key(&inside), "it says something of texts beyond max_position_embeddings alone");
            Rope::Rope { theta, dim }
        }
        "linear" if inside.real_or_null("factor", bounds::POSITIVE) == Some(1.0) => Rope::Rope { theta, dim },
        other => {
            let (name, why) = (kind_key(&inside), "the language has no such scaling of positions");
            inside.refuse(name, &other.into(), why, "\"default\", \"yarn\", \"dynamic\"");
            // What the other settings of an unknown kind mean is unknown too.
            reader.errors.append(&mut inside.errors);
            return Rope::Rope { theta, dim };
        }
    };
    let unknown: Vec<_> = inside.unasked().filter(|(_, value)| !crate::read::is_off(value)).collect();
    for (name, value) in unknown {
        let why = "the language has no such setting of a rotary embedding";
        inside.refuse(name, value, why, "to leave it out");
    }
    reader.errors.append(&mut inside.errors);
    reader.notes.append(&mut inside.notes);
    rope
}

/// The object that describes the embedding, and its name.
fn object<'a>(reader: &mut Reader<'a>) -> Option<(&'a Map<String, Value>, &'static str)> {
    let mut found = None;
    for key in ["rope_scaling", "rope_parameters"] {
        match (reader.given(key), found) {
            (Given::Missing | Given::Null, _) => {}
            (Given::Value(Value::Object(map)), _) if map.is_empty() => {}
            (Given::Value(Value::Object(map)), None) => found = Some((map, key)),
            (Given::Value(value @ Value::Object(map)), Some((first, _))) => {
                if map != first {
                    let why = "`rope_scaling` says otherwise";
                    reader.refuse(key, value, why, "one of the two, or equal ones");
                }
            }
            (Given::Value(value), _) => reader.wrong_type(key, value, "an object or null"),
        }
    }
    found
}

/// The kind of embedding, under whichever name.
fn kind<'a>(inside: &mut Reader<'a>) -> &'a str {
    let old = inside.word("type", "default");
    let new = inside.word("rope_type", old);
    if inside.map.contains_key("type") && old != new {
        inside.refuse("type", &old.into(), "`rope_type` says otherwise", "one of the two, or equal ones");
    }
    new
}

fn kind_key(inside: &Reader<'_>) -> &'static str {
    if inside.map.contains_key("rope_type") { "rope_type" } else { "type" }
}

/// Writes the rotary embedding; `path` is its field in the spec.
pub(crate) fn write(writer: &mut Writer, rope: &Rope, code: Code) {
    let (Rope::Rope { theta, .. } | Rope::Yarn { theta, .. }) = *rope;
    let scaling = yarn::write(writer, rope, code);
    writer.set("rope_theta", theta);
    writer.set("rope_scaling", scaling);
}
