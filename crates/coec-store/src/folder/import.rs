//! From a folder to a spec and weights.

use std::fs;
use std::path::Path;

use coec_hf::{Carried, Import, Sorted};

use super::files::{begin, commit, copy_if_there, write};
use super::{BESIDES, CARRIED, CONFIG, Folder, FolderError, KEPT, TOKENIZER};
use crate::atomic::AtomicFolder;
use crate::weights::{Announced, Writer};

/// What an import made.
#[derive(Debug)]
pub struct Imported {
    /// The model, and what its settings said besides.
    pub import: Import,
    /// Tensors written.
    pub tensors: usize,
    /// Bytes of them.
    pub bytes: u64,
    /// Tensors that the model has no use for, kept for the way back.
    pub carried: Vec<Carried>,
    /// Whether there is a tokenizer.
    pub has_tokenizer: bool,
}

/// Imports a folder to `out`: `spec.coe`, `model.safetensors` under the contract's names in the
/// folder's precision, `tokenizer.json` where there is one, and `hf/` with what the way back needs.
///
/// `spec` writes the text of the spec; `tell` hears how many tensors of how many are written. The
/// folder appears whole or not at all.
pub fn import(
    folder: &Folder,
    name: &str,
    out: &Path,
    spec: impl FnOnce(&Import, bool) -> String,
    tell: &mut dyn FnMut(usize, usize),
) -> Result<Imported, FolderError> {
    let import = coec_hf::import(folder.config(), name)?;
    if let Some(quantization) = &import.quantization {
        return Err(quantization.refusal().into());
    }
    import.family.check_tensors()?;
    if let Some(unread) = &import.unread {
        return Err(unread.clone().into());
    }
    let Sorted { mapped, carried } = coec_hf::sort(&import.model, import.family, folder.shapes()?)?;
    let (mut announced, mut bytes) = (Vec::with_capacity(mapped.len()), 0);
    for tensor in &mapped {
        let (name, shape) = (tensor.contract.clone(), tensor.shape.clone());
        announced.push(Announced { name, dtype: folder.dtype(&tensor.hf)?, shape });
        bytes += folder.weights(&tensor.hf)?.len(&tensor.hf)? as u64;
    }
    let scratch = begin(out)?;
    let at = scratch.scratch();
    let metadata = [("format", "pt"), ("schema", coec_ir::SCHEMA)];
    let mut writer = Writer::create(&at.join("model.safetensors"), &announced, &metadata)?;
    for (done, tensor) in mapped.iter().enumerate() {
        tell(done, mapped.len());
        writer.copy(&tensor.contract, folder.weights(&tensor.hf)?, &tensor.hf)?;
    }
    writer.finish()?;
    let has_tokenizer = copy_if_there(&folder.path().join(TOKENIZER), &at.join(TOKENIZER))?;
    write(&scratch, "spec.coe", spec(&import, has_tokenizer).as_bytes())?;
    keep(folder, &carried, &scratch)?;
    commit(scratch, out)?;
    Ok(Imported { tensors: mapped.len(), bytes, carried, has_tokenizer, import })
}

/// Writes what the way back needs.
fn keep(folder: &Folder, carried: &[Carried], scratch: &AtomicFolder) -> Result<(), FolderError> {
    let kept = scratch.scratch().join(KEPT);
    fs::create_dir(&kept).map_err(|source| FolderError::Unwritable { path: kept.clone(), source })?;
    write(scratch, &format!("{KEPT}/{CONFIG}"), folder.config().as_bytes())?;
    for file in BESIDES {
        copy_if_there(&folder.path().join(file), &kept.join(file))?;
    }
    if carried.is_empty() {
        return Ok(());
    }
    let mut announced = Vec::with_capacity(carried.len());
    for Carried { hf, .. } in carried {
        let weights = folder.weights(hf)?;
        let (dtype, shape) = (weights.dtype(hf)?, weights.shape(hf)?.to_vec());
        announced.push(Announced { name: hf.clone(), dtype, shape });
    }
    let mut writer = Writer::create(&kept.join(CARRIED), &announced, &[("format", "pt")])?;
    for Carried { hf, .. } in carried {
        writer.copy(hf, folder.weights(hf)?, hf)?;
    }
    writer.finish()?;
    Ok(())
}
