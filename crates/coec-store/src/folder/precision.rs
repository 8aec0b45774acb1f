//! The one precision of a model's weights, as settings name it.

use std::collections::BTreeSet;

use super::FolderError;
use crate::weights::{Dtype, Weights};

/// The precision of these kinds of numbers as the settings name it; the widest, if they differ.
pub(super) fn precision_of(dtypes: impl Iterator<Item = Dtype>) -> &'static str {
    let found: BTreeSet<_> = dtypes
        .map(|dtype| match dtype {
            Dtype::F16 => "float16",
            Dtype::BF16 => "bfloat16",
            _ => "float32",
        })
        .collect();
    // `float32` also for a mixture: both halves fit into it.
    if found.len() == 1 { found.into_iter().next().unwrap_or("float32") } else { "float32" }
}

/// That of the tensors of these names, which are the trained ones.
pub fn precision<'a>(
    weights: &Weights,
    names: impl Iterator<Item = &'a String>,
) -> Result<&'static str, FolderError> {
    let dtypes = names.map(|name| weights.dtype(name)).collect::<Result<Vec<_>, _>>()?;
    Ok(precision_of(dtypes.into_iter()))
}
