//! From a run, or an import, to a folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use coec_hf::{Family, Kept};
use coec_ir::{Model, Verified};

use super::files::{begin, commit, copy_if_there, write};
use super::settings::end_ids;
use super::shards::{Tensor, write_shards};
use super::{BESIDES, CARRIED, CONFIG, FolderError, KEPT, TokenizerFiles};
use crate::weights::{Dtype, Weights};

/// What an export made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The family of the folder.
    pub family: Family,
    /// Tensors written.
    pub tensors: usize,
    /// Bytes of them.
    pub bytes: u64,
    /// Files they are in.
    pub shards: usize,
}

/// Exports `run`, a run's directory or an import, whose spec is `model` and whose weights are `weights`,
/// to the folder `out`. Shards hold at most `shard` bytes each, or one tensor.
///
/// `family` of `None` is the one it was imported from, else the first that can express the model.
pub fn export(
    run: &Path,
    weights: &Weights,
    model: &Verified<Model>,
    family: Option<Family>,
    shard: u64,
    out: &Path,
    tell: &mut dyn FnMut(usize, usize),
) -> Result<Exported, FolderError> {
    let kept = kept(run, family)?;
    let family = match (family, &kept) {
        (Some(family), _) => family,
        (None, Some(kept)) => kept.family(),
        (None, None) => coec_hf::family_of(model)?,
    };
    family.check_tensors()?;
    let mapped = coec_hf::tensors(model, family);
    let expected: Vec<_> = mapped.iter().map(|tensor| (&tensor.contract, &tensor.shape)).collect();
    weights.check(&expected)?;
    let precision =
        precision(weights, mapped.iter().filter(|tensor| tensor.is_trained).map(|t| &t.contract))?;
    let tokenizer = TokenizerFiles::of(run)?;
    let config = match &kept {
        Some(kept) => kept.restored(model, precision)?,
        None => {
            let mut config = coec_hf::export(model, family, precision)?;
            config.insert("eos_token_id".into(), end_ids(tokenizer.ends()));
            coec_hf::pretty(&config)
        }
    };
    let carried = run.join(KEPT).join(CARRIED);
    let carried = (kept.is_some() && carried.is_file()).then(|| Weights::open(&carried)).transpose()?;

    let mut tensors = Vec::new();
    for tensor in mapped {
        tensors.push(Tensor::kept(tensor.hf, weights, tensor.contract)?);
    }
    for (carried, name) in carried.iter().flat_map(|carried| carried.names().map(move |name| (carried, name)))
    {
        tensors.push(Tensor::kept(name.into(), carried, name.into())?);
    }
    let scratch = begin(out)?;
    let (bytes, shards) = write_shards(&tensors, shard, &scratch, tell)?;
    write(&scratch, CONFIG, config.as_bytes())?;
    for file in BESIDES {
        copy_if_there(&run.join(KEPT).join(file), &scratch.scratch().join(file))?;
    }
    // What was imported goes back with the files it came with, and no others.
    let is_ours = kept.is_none() && !run.join(KEPT).join(CONFIG).is_file();
    for (file, text) in tokenizer.files(model.context, is_ours) {
        write(&scratch, file, text.as_bytes())?;
    }
    commit(scratch, out)?;
    Ok(Exported { family, tensors: tensors.len(), bytes, shards })
}

/// The settings that the model was imported with, unless another family is wanted.
fn kept(run: &Path, family: Option<Family>) -> Result<Option<Kept>, FolderError> {
    let path = run.join(KEPT).join(CONFIG);
    if !path.is_file() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path).map_err(|source| FolderError::Unreadable { path, source })?;
    let kept = Kept::read(&text)?;
    Ok(Some(kept).filter(|kept| family.is_none_or(|wanted| wanted == kept.family())))
}

/// The one precision of the trained tensors as the settings name it; the widest, if they differ.
pub fn precision<'a>(
    weights: &Weights,
    names: impl Iterator<Item = &'a String>,
) -> Result<&'static str, FolderError> {
    let mut found = BTreeSet::new();
    for name in names {
        found.insert(match weights.dtype(name)? {
            Dtype::F16 => "float16",
            Dtype::BF16 => "bfloat16",
            _ => "float32",
        });
    }
    // `float32` also for a mixture: both halves fit into it.
    Ok(if found.len() == 1 { found.into_iter().next().unwrap_or("float32") } else { "float32" })
}
