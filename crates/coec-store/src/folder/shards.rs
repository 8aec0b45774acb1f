//! Tensors in one file, or in several with an index, as Hugging Face's libraries have them.

use std::collections::BTreeMap;

use serde_json::json;

use super::FolderError;
use super::files::write;
use crate::atomic::AtomicFolder;
use crate::weights::{Announced, Dtype, Values, Weights, Writer};

/// A tensor on its way to a folder.
pub struct Tensor<'a> {
    announced: Announced,
    source: Source<'a>,
}

/// Where its numbers are.
enum Source<'a> {
    /// In a file, under a name.
    Kept(&'a Weights, String),
    /// Nowhere yet.
    Made(Box<dyn Fn() -> Vec<f32> + 'a>),
}

impl<'a> Tensor<'a> {
    /// `name` there, and `from` in a file.
    pub fn kept(name: String, weights: &'a Weights, from: String) -> Result<Self, FolderError> {
        let (dtype, shape) = (weights.dtype(&from)?, weights.shape(&from)?.to_vec());
        Ok(Self { announced: Announced { name, dtype, shape }, source: Source::Kept(weights, from) })
    }

    /// One of f32 that is made when it is written.
    pub fn made(name: String, shape: Vec<usize>, values: impl Fn() -> Vec<f32> + 'a) -> Self {
        Self {
            announced: Announced { name, dtype: Dtype::F32, shape },
            source: Source::Made(Box::new(values)),
        }
    }

    fn bytes(&self) -> Result<u64, FolderError> {
        Ok(match &self.source {
            Source::Kept(weights, from) => weights.len(from)? as u64,
            Source::Made(_) => 4 * self.announced.shape.iter().map(|&side| side as u64).product::<u64>(),
        })
    }
}

/// Writes the tensors, at most `most` bytes or one of them in a file. The bytes, and the files.
pub fn write_shards(
    tensors: &[Tensor<'_>],
    most: u64,
    scratch: &AtomicFolder,
    tell: &mut dyn FnMut(usize, usize),
) -> Result<(u64, usize), FolderError> {
    let mut shards: Vec<(u64, Vec<&Tensor<'_>>)> = Vec::new();
    for tensor in tensors {
        let bytes = tensor.bytes()?;
        match shards.last_mut() {
            Some((size, shard)) if *size + bytes <= most => {
                *size += bytes;
                shard.push(tensor);
            }
            _ => shards.push((bytes, vec![tensor])),
        }
    }
    let count = shards.len();
    let total: u64 = shards.iter().map(|(bytes, _)| bytes).sum();
    let mut map = BTreeMap::new();
    for (number, (_, shard)) in shards.iter().enumerate() {
        let file = match count {
            1 => "model.safetensors".to_string(),
            _ => format!("model-{:05}-of-{count:05}.safetensors", number + 1),
        };
        let announced: Vec<_> = shard.iter().map(|tensor| tensor.announced.clone()).collect();
        let path = scratch.scratch().join(&file);
        let mut writer = Writer::create(&path, &announced, &[("format", "pt")])?;
        for Tensor { announced: Announced { name, .. }, source } in shard.iter().copied() {
            tell(map.len(), tensors.len());
            match source {
                Source::Kept(weights, from) => writer.copy(name, weights, from)?,
                Source::Made(values) => writer.write(name, Values::F32(&values()))?,
            }
            map.insert(name, file.clone());
        }
        writer.finish()?;
    }
    if count > 1 {
        let index = json!({ "metadata": { "total_size": total }, "weight_map": map });
        write(scratch, "model.safetensors.index.json", format!("{index:#}\n").as_bytes())?;
    }
    Ok((total, count))
}
