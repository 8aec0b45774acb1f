//! Folders whose weights are quantised: their architecture is what it is, and their numbers are not what they
//! say.

use serde_json::Value;

use crate::HfError;
use crate::read::{Given, Reader, is_off, shown};

/// How the weights of a folder are quantised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantization {
    /// The setting that says so.
    pub key: &'static str,
    /// Its value, cut where it is long.
    pub value: String,
    /// By what method: `fp8`, `gptq`.
    pub method: String,
    /// Of FP8 that has a scale for each block, the rows and columns of a block.
    pub blocks: Option<[usize; 2]>,
}

impl Quantization {
    /// The settings that say that weights are quantised.
    pub(crate) const KEYS: [&'static str; 3] = ["quantization_config", "quantization", "compression_config"];

    /// What a family's settings say of it.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let mut found = None;
        for key in Self::KEYS {
            if let Given::Value(value) = reader.given(key)
                && !is_off(value)
            {
                found.get_or_insert_with(|| Self::of(key, value));
            }
        }
        found
    }

    fn of(key: &'static str, value: &Value) -> Self {
        let method = value.get("quant_method").and_then(Value::as_str);
        let method = match (method, value.get("bits").and_then(Value::as_u64)) {
            (Some(method), _) => method.to_owned(),
            (None, Some(bits)) => format!("{bits} bits"),
            (None, None) => "a method that it does not name".into(),
        };
        let sizes = value.get("weight_block_size").and_then(Value::as_array);
        let sizes = sizes.and_then(|sizes| sizes.iter().map(Value::as_u64).collect::<Option<Vec<_>>>());
        let blocks = match sizes.as_deref() {
            Some(&[rows, columns]) if method == "fp8" && rows > 0 && columns > 0 => {
                usize::try_from(rows).ok().zip(usize::try_from(columns).ok()).map(<[usize; 2]>::from)
            }
            _ => None,
        };
        Self { key, value: shown(value), method, blocks }
    }

    /// The note on figures of such a folder.
    pub(crate) fn note(&self) -> String {
        format!("the folder's weights are quantised by {}; figures are the architecture's", self.method)
    }

    /// Why its weights are not read.
    pub fn refusal(&self) -> HfError {
        HfError::Refused {
            key: self.key.into(),
            value: self.value.clone(),
            why: "weights are read that are f32, f16, bf16, or FP8 with a scale for each block".into(),
            accepted: "null, or {\"quant_method\": \"fp8\", \"weight_block_size\": [128, 128]}".into(),
        }
    }
}
