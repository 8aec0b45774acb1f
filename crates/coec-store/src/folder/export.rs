//! From a run, or an import, to a folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use coec_hf::{Family, Kept};
use coec_ir::{Model, Verified};
use serde_json::json;

use super::companions::{Companions, GENERATION, TOKENIZER_CONFIG};
use super::ends::end_tokens;
use super::files::{begin, commit, copy_if_there, write};
use super::settings::{end_ids, generation_config, tokenizer_config};
use super::source::text_if_there;
use super::{BESIDES, CARRIED, CONFIG, FolderError, KEPT, TOKENIZER};
use crate::atomic::AtomicFolder;
use crate::weights::{Announced, Dtype, Weights, Writer};

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

/// A tensor on its way: its name there, and here, and the file it is in.
struct Piece<'a> {
    hf: String,
    from: String,
    weights: &'a Weights,
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
    let mapped = coec_hf::tensors(model, family);
    let expected: Vec<_> = mapped.iter().map(|tensor| (&tensor.contract, &tensor.shape)).collect();
    weights.check(&expected)?;
    let precision =
        precision(weights, mapped.iter().filter(|tensor| tensor.is_trained).map(|t| &t.contract))?;
    let tokenizer = Tokenizer::of(run)?;
    let config = match &kept {
        Some(kept) => kept.restored(model, precision)?,
        None => {
            let mut config = coec_hf::export(model, family, precision)?;
            config.insert("eos_token_id".into(), end_ids(&tokenizer.ends));
            coec_hf::pretty(&config)
        }
    };
    let carried = run.join(KEPT).join(CARRIED);
    let carried = (kept.is_some() && carried.is_file()).then(|| Weights::open(&carried)).transpose()?;

    let mut pieces: Vec<Piece> =
        mapped.into_iter().map(|tensor| Piece { hf: tensor.hf, from: tensor.contract, weights }).collect();
    if let Some(carried) = &carried {
        let names =
            carried.names().map(|name| Piece { hf: name.into(), from: name.into(), weights: carried });
        pieces.extend(names);
    }
    let scratch = begin(out)?;
    let (bytes, shards) = write_shards(&pieces, shard, &scratch, tell)?;
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
    Ok(Exported { family, tensors: pieces.len(), bytes, shards })
}

/// The tokenizer of a run or an import, if it has one.
#[derive(Default)]
struct Tokenizer {
    json: Option<String>,
    companions: Companions,
    ends: Vec<u32>,
}

impl Tokenizer {
    fn of(run: &Path) -> Result<Self, FolderError> {
        let path = run.join(TOKENIZER);
        let Some(json) = text_if_there(&path)? else { return Ok(Self::default()) };
        let companions = Companions::of(&path)?;
        let ends = end_tokens(&json, &companions);
        Ok(Self { json: Some(json), companions, ends })
    }

    /// Its files; with those that `transformers` needs where it has none and they are `wanted`.
    fn files(&self, context: usize, wanted: bool) -> BTreeMap<&'static str, String> {
        let Some(json) = &self.json else { return BTreeMap::new() };
        let mut files = BTreeMap::from([(TOKENIZER, json.clone())]);
        if wanted {
            files.extend(self.companions.files());
            files.entry(TOKENIZER_CONFIG).or_insert_with(|| tokenizer_config(json, &self.ends, context));
            if !self.ends.is_empty() {
                files.entry(GENERATION).or_insert_with(|| generation_config(&self.ends));
            }
        }
        files
    }
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
fn precision<'a>(
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

/// Writes the tensors into one file, or into several with an index. The bytes, and the files.
fn write_shards(
    pieces: &[Piece<'_>],
    most: u64,
    scratch: &AtomicFolder,
    tell: &mut dyn FnMut(usize, usize),
) -> Result<(u64, usize), FolderError> {
    let mut shards: Vec<(u64, Vec<&Piece<'_>>)> = Vec::new();
    for piece in pieces {
        let bytes = piece.weights.len(&piece.from)? as u64;
        match shards.last_mut() {
            Some((size, shard)) if *size + bytes <= most => {
                *size += bytes;
                shard.push(piece);
            }
            _ => shards.push((bytes, vec![piece])),
        }
    }
    let count = shards.len();
    let total: u64 = shards.iter().map(|(bytes, _)| bytes).sum();
    let mut map = BTreeMap::new();
    let mut done = 0;
    for (number, (_, shard)) in shards.iter().enumerate() {
        let file = match count {
            1 => "model.safetensors".to_string(),
            _ => format!("model-{:05}-of-{count:05}.safetensors", number + 1),
        };
        let mut announced = Vec::with_capacity(shard.len());
        for Piece { hf, from, weights } in shard.iter().copied() {
            let (dtype, shape) = (weights.dtype(from)?, weights.shape(from)?.to_vec());
            announced.push(Announced { name: hf.clone(), dtype, shape });
        }
        let path = scratch.scratch().join(&file);
        let mut writer = Writer::create(&path, &announced, &[("format", "pt")])?;
        for Piece { hf, from, weights } in shard.iter().copied() {
            tell(done, pieces.len());
            writer.copy(hf, weights, from)?;
            map.insert(hf, file.clone());
            done += 1;
        }
        writer.finish()?;
    }
    if count > 1 {
        let index = json!({ "metadata": { "total_size": total }, "weight_map": map });
        write(scratch, "model.safetensors.index.json", format!("{index:#}\n").as_bytes())?;
    }
    Ok((total, count))
}
