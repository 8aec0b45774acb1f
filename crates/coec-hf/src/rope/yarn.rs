//! YaRN, and what the codes make of its scales; the table in [`super`] says how they differ.

use coec_ir::{Bounds, Rope, bounds};
use serde_json::{Map, Value, json};

use super::Code;
use crate::read::{Given, Reader};
use crate::write::Writer;

/// Reads the settings of YaRN over `dim` dimensions.
pub(super) fn read(
    inside: &mut Reader<'_>,
    theta: f64,
    context: usize,
    code: Code,
    dim: Option<usize>,
) -> Rope {
    let factor = factor(inside, code);
    let original = match code {
        Code::Plain | Code::LatentAlone => {
            inside.count_or_null("original_max_position_embeddings", None, bounds::CONTEXT)
        }
        // DeepSeek's code would take 4096, transformers the context.
        Code::Latent => Some(inside.count("original_max_position_embeddings", None, bounds::CONTEXT)),
        Code::Chain => Some(inside.count("original_max_position_embeddings", Some(4096), bounds::CONTEXT)),
    };
    let original = original.unwrap_or(context);
    let factor = factor.unwrap_or_else(|| (context as f64 / original as f64).max(1.0));
    let beta_fast = inside.real_or_null("beta_fast", bounds::POSITIVE).unwrap_or(32.0);
    let beta_slow = inside.real_or_null("beta_slow", bounds::POSITIVE).unwrap_or(1.0);
    let truncate = inside.flag("truncate", true);
    if !truncate && code == Code::Chain {
        let why = "the ramp begins and ends at whole dimensions in the published code";
        inside.refuse("truncate", &Value::Bool(false), why, "true");
    }
    let (mscale, mscale_all_dim) = scales(inside, factor, code);
    Rope::Yarn { theta, factor, original, beta_fast, beta_slow, mscale, mscale_all_dim, truncate, dim }
}

/// By how much the context was extended; transformers takes null for the ratio of the two contexts.
fn factor(inside: &mut Reader<'_>, code: Code) -> Option<f64> {
    match (inside.given("factor"), code) {
        (Given::Null, Code::Plain | Code::LatentAlone) => None,
        _ => Some(inside.real("factor", None, Bounds { min: 1.0, ..bounds::POSITIVE })),
    }
}

/// YaRN's `m(s)`.
fn m(s: f64, factor: f64) -> f64 {
    if factor <= 1.0 { 1.0 } else { 0.1 * s * factor.ln() + 1.0 }
}

/// The two scales, where the codes agree on them.
fn scales(inside: &mut Reader<'_>, factor: f64, code: Code) -> (f64, f64) {
    let mscale = inside.real_or_null("mscale", bounds::COEFFICIENT);
    let all_dim = inside.real_or_null("mscale_all_dim", bounds::COEFFICIENT);
    let read = (mscale.unwrap_or(1.0), all_dim.unwrap_or(0.0));
    if matches!(code, Code::Plain | Code::LatentAlone) {
        return solved(inside, mscale, all_dim, factor, code);
    }
    if let Given::Value(value) = inside.given("attention_factor") {
        let why = "transformers scales cos and sin by it, the family's own code does not";
        inside.refuse("attention_factor", value, why, "null");
    }
    let both = mscale.is_some() && read.0 != 0.0 && read.1 != 0.0;
    if code == Code::Latent && read != (1.0, 0.0) && !both {
        let why = "transformers and DeepSeek's own code make different scales of it";
        let accepted = "mscale and mscale_all_dim both given and not 0, or both left out";
        let (key, value) = if read.1 == 0.0 { ("mscale", read.0) } else { ("mscale_all_dim", read.1) };
        inside.refuse(key, &json!(value), why, accepted);
    }
    read
}

/// The scales with which the language multiplies cos and sin by as much as transformers does.
fn solved(
    inside: &mut Reader<'_>,
    mscale: Option<f64>,
    all_dim: Option<f64>,
    factor: f64,
    code: Code,
) -> (f64, f64) {
    let given = inside.real_or_null("attention_factor", bounds::POSITIVE);
    let both = mscale.zip(all_dim).filter(|&(mscale, all_dim)| mscale != 0.0 && all_dim != 0.0);
    // Only latent attention scales the softmax.
    let softmax = if code == Code::LatentAlone { all_dim.unwrap_or(0.0) } else { 0.0 };
    let turned = match (given, both) {
        (Some(given), _) => given,
        (None, Some((mscale, all_dim))) => m(mscale, factor) / m(all_dim, factor),
        (None, None) => m(1.0, factor),
    };
    let said = [mscale, Some(1.0)].into_iter().flatten();
    // What an export wrote comes back as it was; what is 1 stays 1.
    if let Some(said) = said.into_iter().find(|&said| m(said, factor) / m(softmax, factor) == turned) {
        return (said, softmax);
    }
    let solution = (turned * m(softmax, factor) - 1.0) / (0.1 * factor.ln());
    if !(0.0..=bounds::COEFFICIENT.max).contains(&solution) {
        let (key, value) = match (given, both) {
            (Some(given), _) => ("attention_factor", given),
            (None, both) => ("mscale", both.map_or(1.0, |(mscale, _)| mscale)),
        };
        let why = format!("cos and sin are multiplied with {turned:?} by it, which no scale here says");
        inside.refuse(key, &json!(value), why, "1 or more, where the factor is above 1");
        return (1.0, softmax);
    }
    (solution, softmax)
}

/// The object that describes YaRN.
pub(super) fn write(writer: &mut Writer, rope: &Rope, code: Code) -> Value {
    let Rope::Yarn { factor, original, beta_fast, beta_slow, mscale, mscale_all_dim, truncate, .. } = *rope
    else {
        return Value::Null;
    };
    let mut map = Map::new();
    let mut set = |key: &str, value: Value| drop(map.insert(key.into(), value));
    set("type", "yarn".into());
    set("rope_type", "yarn".into());
    set("factor", factor.into());
    set("original_max_position_embeddings", original.into());
    set("beta_fast", beta_fast.into());
    set("beta_slow", beta_slow.into());
    if !truncate {
        set("truncate", false.into());
        if code == Code::Chain {
            writer.blocked("attention.rope.truncate", false, "a ramp between whole dimensions");
        }
    }
    let is_usual = (mscale, mscale_all_dim) == (1.0, 0.0);
    let both = mscale != 0.0 && mscale_all_dim != 0.0;
    let has_factor = match code {
        Code::Plain => mscale_all_dim == 0.0,
        Code::LatentAlone => !both,
        Code::Latent | Code::Chain => false,
    };
    let is_sayable = match code {
        Code::Plain => is_usual || has_factor,
        Code::Latent => is_usual || both,
        Code::LatentAlone | Code::Chain => true,
    };
    if !is_sayable {
        let value = format!("{mscale:?} with mscale_all_dim={mscale_all_dim:?}");
        let why = match code {
            Code::Plain => "only cos and sin are scaled, with mscale_all_dim=0",
            _ => "only mscale=1 with mscale_all_dim=0, or both not 0",
        };
        writer.blocked("attention.rope.mscale", value, why);
    }
    if !is_usual {
        set("mscale", mscale.into());
        set("mscale_all_dim", mscale_all_dim.into());
    }
    if !is_usual && has_factor {
        set("attention_factor", (m(mscale, factor) / m(mscale_all_dim, factor)).into());
    }
    Value::Object(map)
}
