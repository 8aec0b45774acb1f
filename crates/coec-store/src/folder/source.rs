//! A folder opened for reading: settings, and tensors from one file or from shards.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::{CONFIG, FolderError};
use crate::weights::{Dtype, Weights, WeightsError};

/// Bytes of settings or of an index that are read; published ones are far smaller.
const LARGEST_TEXT: u64 = 64 << 20;

/// An open folder. Headers are read and checked, no tensor is yet.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    config: String,
    shards: Vec<Weights>,
    /// The shard of each tensor.
    places: BTreeMap<String, usize>,
}

/// `model.safetensors.index.json`.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Folder {
    /// Opens a folder.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let config = text(&path.join(CONFIG))?;
        let index_path = path.join("model.safetensors.index.json");
        let whole = path.join("model.safetensors");
        let mut folder = Self { path: path.into(), config, shards: Vec::new(), places: BTreeMap::new() };
        if index_path.is_file() {
            folder.open_shards(&index_path)?;
        } else if whole.is_file() {
            let weights = Weights::open(&whole)?;
            folder.places = weights.names().map(|name| (name.to_owned(), 0)).collect();
            folder.shards.push(weights);
        } else {
            return Err(FolderError::NoWeights { path: path.into() });
        }
        Ok(folder)
    }

    /// Opens the shards of an index. Each tensor is where the index says, and nowhere else.
    fn open_shards(&mut self, index_path: &Path) -> Result<(), FolderError> {
        let wrong = |reason: String| FolderError::Index { path: index_path.into(), reason };
        let index: Index =
            serde_json::from_str(&text(index_path)?).map_err(|error| wrong(error.to_string()))?;
        let mut opened: BTreeMap<&str, usize> = BTreeMap::new();
        for (name, file) in &index.weight_map {
            let shard = match opened.get(file.as_str()) {
                Some(&shard) => shard,
                None => {
                    // A path out of the folder is none of a folder's business.
                    let mut parts = Path::new(file).components();
                    if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
                        return Err(wrong(format!("`{file}` is not the name of a file")));
                    }
                    self.shards.push(Weights::open(&self.path.join(file))?);
                    opened.insert(file, self.shards.len() - 1);
                    self.shards.len() - 1
                }
            };
            if !self.shards[shard].contains(name) {
                return Err(wrong(format!("{file} has no tensor `{name}`")));
            }
            self.places.insert(name.clone(), shard);
        }
        for (shard, weights) in self.shards.iter().enumerate() {
            if let Some(name) = weights.names().find(|&name| self.places.get(name) != Some(&shard)) {
                let file = weights.path().display();
                return Err(wrong(format!(
                    "{file} has a tensor `{name}` that the index does not place there"
                )));
            }
        }
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The text of its settings.
    pub fn config(&self) -> &str {
        &self.config
    }

    /// The file that a tensor is in.
    pub fn weights(&self, name: &str) -> Result<&Weights, WeightsError> {
        let shard = self.places.get(name).and_then(|&shard| self.shards.get(shard));
        shard.ok_or_else(|| WeightsError::NoTensor { path: self.path.clone(), name: name.into() })
    }

    /// The kind of numbers of a tensor, if it is one that weights have.
    pub fn dtype(&self, name: &str) -> Result<Dtype, FolderError> {
        match self.weights(name)?.dtype(name)? {
            dtype @ (Dtype::F32 | Dtype::F16 | Dtype::BF16) => Ok(dtype),
            dtype => Err(FolderError::Dtype { name: name.into(), dtype }),
        }
    }

    /// Every tensor with its shape.
    pub fn shapes(&self) -> Result<Vec<(&str, &[usize])>, WeightsError> {
        let named = self.places.iter().map(|(name, &shard)| (name, &self.shards[shard]));
        named.map(|(name, weights)| Ok((name.as_str(), weights.shape(name)?))).collect()
    }
}

/// The same, if there is such a file.
pub(super) fn text_if_there(path: &Path) -> Result<Option<String>, FolderError> {
    if path.is_file() { text(path).map(Some) } else { Ok(None) }
}

/// A text file of bounded size.
fn text(path: &Path) -> Result<String, FolderError> {
    let unreadable = |source: io::Error| FolderError::Unreadable { path: path.into(), source };
    let file = fs::File::open(path).map_err(unreadable)?;
    let bytes = file.metadata().map_err(unreadable)?.len();
    if bytes > LARGEST_TEXT {
        return Err(FolderError::TooLarge { path: path.into(), bytes, most: LARGEST_TEXT });
    }
    let mut text = String::new();
    file.take(LARGEST_TEXT).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}
