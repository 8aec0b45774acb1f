//! Tensors in one file, or in several with an index, as Hugging Face's libraries have them.

use std::collections::BTreeMap;

use coec_hf::{Mapped, Part, View};
use serde_json::json;

use super::FolderError;
use super::files::write;
use crate::atomic::AtomicFolder;
use crate::weights::{Announced, Dtype, Placed, Reading, Values, Weights, Writer};

/// A tensor on its way to a folder.
pub struct Tensor<'a> {
    announced: Announced,
    source: Source<'a>,
}

/// Where its numbers are.
enum Source<'a> {
    /// In a file, under one name or several.
    Kept(Vec<Placed<'a>>),
    /// Nowhere yet.
    Made(Box<dyn Fn() -> Vec<f32> + 'a>),
}

impl<'a> Tensor<'a> {
    /// `name` there, and `from` in a file.
    pub fn kept(name: String, weights: &'a Weights, from: &str) -> Result<Self, FolderError> {
        let reading = Reading::plain(weights, from)?;
        let (dtype, shape) = (reading.dtype(), weights.shape(from)?.to_vec());
        let view = View::whole(reading.elements()?);
        let source = Source::Kept(vec![Placed { reading, view }]);
        Ok(Self { announced: Announced { name, dtype, shape }, source })
    }

    /// A tensor of a folder, whose parts are in a file. If they are of several kinds, it is of f32.
    pub fn mapped(tensor: Mapped, weights: &'a Weights) -> Result<Self, FolderError> {
        let Mapped { hf: name, shape, parts, .. } = tensor;
        let mut placed = Vec::with_capacity(parts.len());
        for Part { contract, view, .. } in parts {
            placed.push(Placed { reading: Reading::plain(weights, &contract)?, view });
        }
        let mut dtype = placed.first().map_or(Dtype::F32, |part| part.reading.dtype());
        if placed.iter().any(|part| part.reading.dtype() != dtype) {
            dtype = Dtype::F32;
            for part in &mut placed {
                part.reading = part.reading.clone().converted(dtype, None)?;
            }
        }
        Ok(Self { announced: Announced { name, dtype, shape }, source: Source::Kept(placed) })
    }

    /// One of f32 that is made when it is written.
    pub fn made(name: String, shape: Vec<usize>, values: impl Fn() -> Vec<f32> + 'a) -> Self {
        Self {
            announced: Announced { name, dtype: Dtype::F32, shape },
            source: Source::Made(Box::new(values)),
        }
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
        let bytes = tensor.announced.bytes();
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
                Source::Kept(parts) => writer.join(name, parts)?,
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
