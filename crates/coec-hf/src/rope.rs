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
//! | transformers, latent attention | the same if both are given and not 0, else `m(1)` | `m(mscale_all_dim)^2` |
//! | transformers, other attention | the same | 1 |
//!
//! A file is honoured where the codes that its family has agree, and refused where they do not.

use coec_ir::{Rope, bounds};
use serde_json::{Map, Value, json};

use crate::read::{Given, Reader};
use crate::write::Writer;

/// Which code reads the scales of YaRN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// transformers, attention without a latent.
    Plain,
    /// transformers and DeepSeek's own.
    Latent,
    /// The published chain's own.
    Chain,
}

/// Reads the rotary embedding of a family whose context is `context`.
pub(crate) fn read(reader: &mut Reader<'_>, default_theta: f64, context: usize, code: Code) -> Rope {
    reader.only_one("partial_rotary_factor", "the whole head is rotated here");
    let outer = reader.real_or_null("rope_theta", bounds::POSITIVE);
    let Some((map, key)) = object(reader) else {
        return Rope::plain(outer.unwrap_or(default_theta));
    };
    let mut inside =
        reader.inside(map, if key == "rope_scaling" { "rope_scaling." } else { "rope_parameters." });
    inside.only_one("partial_rotary_factor", "the whole head is rotated here");
    let inner = inside.real_or_null("rope_theta", bounds::POSITIVE);
    if let (Some(outer), Some(inner)) = (outer, inner)
        && outer != inner
    {
        let why = format!("`rope_theta` outside is {outer:?}, and versions of transformers prefer either");
        inside.refuse("rope_theta", &json!(inner), why, "one value in both places");
    }
    let theta = inner.or(outer).unwrap_or(default_theta);
    let rope = match kind(&mut inside) {
        "default" => Rope::plain(theta),
        "yarn" => yarn(&mut inside, theta, context, code),
        other => {
            let (name, why) = (kind_key(&inside), "the language has no such scaling of positions");
            inside.refuse(name, &other.into(), why, "\"default\", \"yarn\"");
            // What the other settings of an unknown kind mean is unknown too.
            reader.errors.append(&mut inside.errors);
            return Rope::plain(theta);
        }
    };
    let unknown: Vec<_> = inside.unasked().filter(|(_, value)| !crate::read::is_off(value)).collect();
    for (name, value) in unknown {
        let why = "the language has no such setting of a rotary embedding";
        inside.refuse(name, value, why, "to leave it out");
    }
    reader.errors.append(&mut inside.errors);
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

fn yarn(inside: &mut Reader<'_>, theta: f64, context: usize, code: Code) -> Rope {
    let factor = inside.real("factor", None, coec_ir::Bounds { min: 1.0, ..bounds::POSITIVE });
    let original = match code {
        Code::Plain => inside.count_or_null("original_max_position_embeddings", None, bounds::CONTEXT),
        // DeepSeek's code would take 4096, transformers the context.
        Code::Latent => Some(inside.count("original_max_position_embeddings", None, bounds::CONTEXT)),
        Code::Chain => Some(inside.count("original_max_position_embeddings", Some(4096), bounds::CONTEXT)),
    };
    let beta_fast = inside.real_or_null("beta_fast", bounds::POSITIVE).unwrap_or(32.0);
    let beta_slow = inside.real_or_null("beta_slow", bounds::POSITIVE).unwrap_or(1.0);
    inside.off("attention_factor", "the language derives it from `mscale` and `mscale_all_dim`");
    let truncate = inside.flag("truncate", true);
    if !truncate && code == Code::Chain {
        let why = "the ramp begins and ends at whole dimensions in the published code";
        inside.refuse("truncate", &Value::Bool(false), why, "true");
    }
    let mscale = inside.real_or_null("mscale", bounds::COEFFICIENT);
    let all_dim = inside.real_or_null("mscale_all_dim", bounds::COEFFICIENT);
    let (mscale, mscale_all_dim) = scales(inside, mscale, all_dim, code);
    let original = original.unwrap_or(context);
    Rope::Yarn { theta, factor, original, beta_fast, beta_slow, mscale, mscale_all_dim, truncate, dim: None }
}

/// The two scales, where the codes agree on them.
fn scales(inside: &mut Reader<'_>, mscale: Option<f64>, all_dim: Option<f64>, code: Code) -> (f64, f64) {
    let read = (mscale.unwrap_or(1.0), all_dim.unwrap_or(0.0));
    let none = read == (1.0, 0.0);
    let agreed = match code {
        Code::Chain => true,
        Code::Latent => none || (mscale.is_some() && read.0 != 0.0 && read.1 != 0.0),
        Code::Plain => none,
    };
    if !agreed {
        let (why, accepted) = match code {
            Code::Plain => (
                "with this attention transformers scales cos and sin alone, the language the softmax too",
                "mscale and mscale_all_dim left out",
            ),
            _ => (
                "transformers and DeepSeek's own code make different scales of it",
                "mscale and mscale_all_dim both given and not 0, or both left out",
            ),
        };
        let key = if read.1 == 0.0 { "mscale" } else { "mscale_all_dim" };
        let value = json!(if key == "mscale" { read.0 } else { read.1 });
        inside.refuse(key, &value, why, accepted);
    }
    read
}

/// Writes the rotary embedding; `path` is its field in the spec.
pub(crate) fn write(writer: &mut Writer, rope: &Rope, code: Code) {
    match *rope {
        Rope::Rope { theta, .. } => {
            writer.set("rope_theta", theta);
            writer.set("rope_scaling", Value::Null);
        }
        Rope::Yarn {
            theta,
            factor,
            original,
            beta_fast,
            beta_slow,
            mscale,
            mscale_all_dim,
            truncate,
            ..
        } => {
            let none = (mscale, mscale_all_dim) == (1.0, 0.0);
            let sayable = match code {
                Code::Chain => true,
                Code::Latent => none || (mscale != 0.0 && mscale_all_dim != 0.0),
                Code::Plain => none,
            };
            if !sayable {
                let value = format!("{mscale:?} with mscale_all_dim={mscale_all_dim:?}");
                let why = match code {
                    Code::Plain => "only mscale=1 with mscale_all_dim=0",
                    _ => "only mscale=1 with mscale_all_dim=0, or both not 0",
                };
                writer.blocked("attention.rope.mscale", value, why);
            }
            let mut scaling = json!({
                "type": "yarn",
                "rope_type": "yarn",
                "factor": factor,
                "original_max_position_embeddings": original,
                "beta_fast": beta_fast,
                "beta_slow": beta_slow,
            });
            if let (false, Value::Object(map)) = (none, &mut scaling) {
                map.insert("mscale".into(), mscale.into());
                map.insert("mscale_all_dim".into(), mscale_all_dim.into());
            }
            match (truncate, code, &mut scaling) {
                (true, ..) => {}
                (false, Code::Chain, _) => {
                    writer.blocked("attention.rope.truncate", false, "a ramp between whole dimensions");
                }
                (false, _, Value::Object(map)) => drop(map.insert("truncate".into(), false.into())),
                (false, ..) => {}
            }
            writer.set("rope_theta", theta);
            writer.set("rope_scaling", scaling);
        }
    }
}

impl Reader<'_> {
    /// Refuses a factor that is not 1.
    fn only_one(&mut self, key: &'static str, why: &str) {
        if let Given::Value(value) = self.given(key)
            && value.as_f64() != Some(1.0)
        {
            self.refuse(key, value, why, "1.0");
        }
    }
}
