//! What lines of logs have in common.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

/// The version of the format, also of lines that do not say it.
pub(crate) fn schema() -> Cow<'static, str> {
    Cow::Borrowed(coec_ir::SCHEMA)
}

/// A number; what is none is null in JSON, and NaN here.
pub(crate) fn or_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}
