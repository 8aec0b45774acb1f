//! From a folder to a spec and weights.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use coec_hf::{Carried, Import, Layout, Mapped, Sorted, View};
use coec_ir::Tensors;

use super::conversion::Conversion;
use super::files::{begin, commit, copy_if_there, write};
use super::precision::precision_of;
use super::{BESIDES, CARRIED, CONFIG, Folder, FolderError, KEPT, LAYOUT, TOKENIZER};
use crate::atomic::AtomicFolder;
use crate::weights::{Announced, Dtype, Writer};

/// What an import made.
#[derive(Debug)]
pub struct Imported {
    /// The model, and what its settings said besides.
    pub import: Import,
    /// Tensors written.
    pub tensors: usize,
    /// Bytes of them.
    pub bytes: u64,
    /// Whether any became another kind of numbers than the folder has, so that the way back is not the
    /// folder.
    pub is_converted: bool,
    /// Tensors that the model has no use for, kept for the way back.
    pub carried: Vec<Carried>,
    /// Whether there is a tokenizer.
    pub has_tokenizer: bool,
}

/// Imports a folder to `out`: `spec.coe`, `model.safetensors` under the contract's names in the
/// folder's precision, `tokenizer.json` where there is one, and `hf/` with what the way back needs.
///
/// Weights become `dtype` if one is given: f32, f16 or bf16. FP8 becomes f32 if none is. `spec` writes the
/// text of the spec; `tell` hears how many tensors of how many are read. The folder appears whole or not at
/// all.
pub fn import(
    folder: &Folder,
    name: &str,
    dtype: Option<Dtype>,
    out: &Path,
    spec: impl FnOnce(&Import, bool) -> String,
    tell: &mut dyn FnMut(usize, usize),
) -> Result<Imported, FolderError> {
    let import = coec_hf::import(folder.config(), name)?;
    let conversion = Conversion::of(folder, &import, dtype)?;
    if let Some(unread) = &import.unread {
        return Err(unread.clone().into());
    }
    let Sorted { layout, mapped, carried } =
        coec_hf::sort(&import.model, import.family, conversion.shapes()?)?;
    let dtypes = mapped.iter().map(|tensor| conversion.mapped(&tensor.hf, tensor.is_trained));
    let dtypes = dtypes.collect::<Result<Vec<_>, _>>()?;
    let mut is_converted = false;
    for (tensor, &dtype) in mapped.iter().zip(&dtypes) {
        is_converted |= conversion.is_changed(&tensor.hf, dtype)?;
    }
    let announced = announced(&import, &mapped, &dtypes);
    let scratch = begin(out)?;
    let at = scratch.scratch();
    let metadata = [("format", "pt"), ("schema", coec_ir::SCHEMA)];
    let mut writer = Writer::create(&at.join("model.safetensors"), &announced, &metadata)?;
    for (done, (tensor, &dtype)) in mapped.iter().zip(&dtypes).enumerate() {
        tell(done, mapped.len());
        let reading = conversion.reading(&tensor.hf, dtype)?;
        for part in &tensor.parts {
            writer.copy(&part.contract, &reading, &part.view)?;
        }
    }
    writer.finish()?;
    let has_tokenizer = copy_if_there(&folder.path().join(TOKENIZER), &at.join(TOKENIZER))?;
    write(&scratch, "spec.coe", spec(&import, has_tokenizer).as_bytes())?;
    let config = if is_converted || import.quantization.is_some() {
        let trained = mapped.iter().zip(&dtypes).filter(|(tensor, _)| tensor.is_trained);
        let precision = precision_of(trained.map(|(_, &dtype)| dtype));
        coec_hf::converted(folder.config(), precision)?
    } else {
        folder.config().to_owned()
    };
    keep(&conversion, folder, &config, layout, &carried, &scratch)?;
    commit(scratch, out)?;
    let bytes = announced.iter().map(Announced::bytes).sum();
    Ok(Imported { tensors: announced.len(), bytes, is_converted, carried, has_tokenizer, import })
}

/// The tensors of the model, in its order.
fn announced(import: &Import, mapped: &[Mapped], dtypes: &[Dtype]) -> Vec<Announced> {
    let Tensors { trained, state } = Tensors::of(&import.model);
    let places = trained.into_iter().chain(state).enumerate();
    let places: HashMap<String, usize> = places.map(|(place, param)| (param.name, place)).collect();
    let mut announced = Vec::with_capacity(places.len());
    for (tensor, &dtype) in mapped.iter().zip(dtypes) {
        for part in &tensor.parts {
            let (name, shape) = (part.contract.clone(), part.shape.clone());
            announced.push(Announced { name, dtype, shape });
        }
    }
    announced.sort_by_key(|tensor| places.get(&tensor.name).copied());
    announced
}

/// Writes what the way back needs.
fn keep(
    conversion: &Conversion<'_>,
    folder: &Folder,
    config: &str,
    layout: Layout,
    carried: &[Carried],
    scratch: &AtomicFolder,
) -> Result<(), FolderError> {
    let kept = scratch.scratch().join(KEPT);
    fs::create_dir(&kept).map_err(|source| FolderError::Unwritable { path: kept.clone(), source })?;
    write(scratch, &format!("{KEPT}/{CONFIG}"), config.as_bytes())?;
    if layout != Layout::Stored {
        let text = serde_json::json!({ "layout": layout });
        write(scratch, &format!("{KEPT}/{LAYOUT}"), format!("{text:#}\n").as_bytes())?;
    }
    for file in BESIDES {
        copy_if_there(&folder.path().join(file), &kept.join(file))?;
    }
    if carried.is_empty() {
        return Ok(());
    }
    let mut announced = Vec::with_capacity(carried.len());
    for Carried { hf, .. } in carried {
        let (dtype, shape) = (conversion.carried(hf)?, folder.weights(hf)?.shape(hf)?.to_vec());
        announced.push(Announced { name: hf.clone(), dtype, shape });
    }
    let mut writer = Writer::create(&kept.join(CARRIED), &announced, &[("format", "pt")])?;
    for Announced { name, dtype, .. } in &announced {
        let reading = conversion.reading(name, *dtype)?;
        writer.copy(name, &reading, &View::whole(reading.elements()?))?;
    }
    writer.finish()?;
    Ok(())
}
