//! Writing safetensors.
//!
//! The same tensors give the same bytes. A file that has a path of its own appears whole or not at all.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use coec_hf::View;
use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::joined::join;
use super::reading::Take;
use super::{Placed, Reading, WeightsError};
use crate::output::Output;

/// A tensor to come: name, kind of numbers, shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// Its name.
    pub name: String,
    /// What its numbers are.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Vec<usize>,
}

impl Announced {
    /// The bytes it takes.
    pub fn bytes(&self) -> u64 {
        let elements = self.shape.iter().map(|&side| side as u64).product::<u64>();
        elements * self.dtype.bitsize() as u64 / 8
    }
}

/// The numbers of a tensor.
#[derive(Debug, Clone, Copy)]
pub enum Values<'a> {
    /// f32.
    F32(&'a [f32]),
    /// i64.
    I64(&'a [i64]),
    /// i32.
    I32(&'a [i32]),
    /// Little-endian bytes of any kind.
    Bytes(Dtype, &'a [u8]),
}

impl Values<'_> {
    /// What the numbers are.
    pub fn dtype(&self) -> Dtype {
        match self {
            Self::F32(_) => Dtype::F32,
            Self::I64(_) => Dtype::I64,
            Self::I32(_) => Dtype::I32,
            Self::Bytes(dtype, _) => *dtype,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::F32(values) => size_of_val(*values),
            Self::I64(values) => size_of_val(*values),
            Self::I32(values) => size_of_val(*values),
            Self::Bytes(_, bytes) => bytes.len(),
        }
    }

    fn write_to(&self, file: &mut impl Write) -> std::io::Result<()> {
        fn chunks<T: bytemuck::NoUninit, const N: usize>(
            values: &[T],
            bytes: impl Fn(T) -> [u8; N],
            file: &mut impl Write,
        ) -> std::io::Result<()> {
            if cfg!(target_endian = "little") {
                // They stand in memory as they stand in the file.
                return file.write_all(bytemuck::cast_slice(values));
            }
            values.chunks(1 << 14).try_for_each(|chunk| {
                let bytes: Vec<u8> = chunk.iter().flat_map(|&value| bytes(value)).collect();
                file.write_all(&bytes)
            })
        }
        match self {
            Self::F32(values) => chunks(values, f32::to_le_bytes, file),
            Self::I64(values) => chunks(values, i64::to_le_bytes, file),
            Self::I32(values) => chunks(values, i32::to_le_bytes, file),
            Self::Bytes(_, bytes) => file.write_all(bytes),
        }
    }
}

/// A safetensors file in the making.
///
/// Tensors are announced first and then written one at a time, in any order, so
/// that a model need not be in memory twice. Those that stand one behind the other in the file and
/// come in that order are written without a seek.
#[derive(Debug)]
pub struct Writer<F> {
    path: PathBuf,
    file: F,
    data: u64,
    /// Where the next byte goes.
    at: u64,
    tensors: HashMap<String, TensorInfo>,
    unwritten: HashSet<String>,
}

impl Writer<Output> {
    /// Begins the file `path`, which appears with [`Writer::finish`]. Dropped before, it leaves nothing.
    pub fn create(
        path: &Path,
        tensors: &[Announced],
        metadata: &[(&str, &str)],
    ) -> Result<Self, WeightsError> {
        let file = Output::create(path)
            .map_err(|source| WeightsError::Unwritable { path: path.to_owned(), source })?;
        Self::begin(path, file, tensors, metadata)
    }

    /// Gives the file its name.
    pub fn finish(self) -> Result<(), WeightsError> {
        let path = self.path.clone();
        self.end()?.commit().map_err(|source| WeightsError::Unwritable { path, source })
    }
}

impl<F: Write + Seek> Writer<F> {
    /// Begins a file of these tensors in `file`, which is empty; `path` is what errors call it.
    ///
    /// They stand in the order given, but wider numbers before narrower ones,
    /// because readers that map the file need them aligned.
    pub fn begin(
        path: &Path,
        mut file: F,
        tensors: &[Announced],
        metadata: &[(&str, &str)],
    ) -> Result<Self, WeightsError> {
        let unwritable = |source| WeightsError::Unwritable { path: path.to_owned(), source };
        let header = Header::new(path, tensors, metadata)?;
        let mut json = serde_json::to_vec(&header).map_err(|error| unwritable(error.into()))?;
        json.resize(json.len().next_multiple_of(8), b' ');
        file.write_all(&(json.len() as u64).to_le_bytes())
            .and_then(|()| file.write_all(&json))
            .map_err(unwritable)?;
        let tensors: HashMap<_, _> = header.tensors.into_iter().collect();
        let unwritten = tensors.keys().cloned().collect();
        let data = 8 + json.len() as u64;
        Ok(Self { path: path.to_owned(), file, data, at: data, tensors, unwritten })
    }

    /// Writes an announced tensor.
    pub fn write(&mut self, name: &str, values: Values<'_>) -> Result<(), WeightsError> {
        self.go_to(name, values.dtype(), values.bytes())?;
        values.write_to(&mut self.file).map_err(|source| self.unwritable(source))
    }

    /// Writes an announced tensor that is read, or a part of one, a piece at a time: it need not fit into
    /// memory.
    pub fn copy(&mut self, name: &str, source: &Reading<'_>, view: &View) -> Result<(), WeightsError> {
        self.pieces(name, source.dtype(), view.elements(), &mut |take| source.view(view, take))
    }

    /// Writes an announced tensor of its parts. They have one kind of numbers, and each element is one's.
    pub fn join(&mut self, name: &str, parts: &[Placed<'_>]) -> Result<(), WeightsError> {
        let announced =
            |reason| WeightsError::Announced { path: self.path.clone(), name: name.to_owned(), reason };
        let Some(dtype) = parts.first().map(|part| part.reading.dtype()) else {
            return Err(announced("it has no parts"));
        };
        let mut elements = 0;
        for part in parts {
            if part.reading.dtype() != dtype {
                return Err(announced("its parts are of several kinds"));
            }
            if part.reading.elements()? != part.view.elements() {
                return Err(announced("a part has another size than its place"));
            }
            elements += part.view.elements();
        }
        self.pieces(name, dtype, elements, &mut |take| join(parts, take))
    }

    /// Writes an announced tensor of so many elements, which `give` gives.
    fn pieces(
        &mut self,
        name: &str,
        dtype: Dtype,
        elements: usize,
        give: &mut dyn FnMut(&mut Take<'_>) -> Result<(), WeightsError>,
    ) -> Result<(), WeightsError> {
        let bytes = elements * dtype.bitsize() / 8;
        self.go_to(name, dtype, bytes)?;
        let Self { path, file, .. } = self;
        let mut left = Some(bytes);
        give(&mut |piece| {
            left = left.and_then(|left| left.checked_sub(piece.len()));
            file.write_all(piece).map_err(|source| WeightsError::Unwritable { path: path.clone(), source })
        })?;
        match left {
            Some(0) => Ok(()),
            _ => {
                let reason = "it has another size";
                Err(WeightsError::Announced { path: path.clone(), name: name.to_owned(), reason })
            }
        }
    }

    /// Goes to where a tensor stands, which is to be written with these bytes.
    fn go_to(&mut self, name: &str, dtype: Dtype, bytes: usize) -> Result<(), WeightsError> {
        let announced =
            |reason| WeightsError::Announced { path: self.path.clone(), name: name.to_owned(), reason };
        let info = self.tensors.get(name).ok_or_else(|| announced("it was not"))?;
        let (start, end) = info.data_offsets;
        if info.dtype != dtype {
            return Err(announced("its numbers are of another kind"));
        }
        if end - start != bytes {
            return Err(announced("it has another size"));
        }
        if !self.unwritten.remove(name) {
            return Err(announced("it was written before"));
        }
        let at = self.data + start as u64;
        if self.at != at {
            self.file.seek(SeekFrom::Start(at)).map_err(|source| self.unwritable(source))?;
        }
        self.at = at + bytes as u64;
        Ok(())
    }

    fn unwritable(&self, source: std::io::Error) -> WeightsError {
        WeightsError::Unwritable { path: self.path.clone(), source }
    }

    /// The file, all of its tensors written.
    pub fn end(self) -> Result<F, WeightsError> {
        match self.unwritten.into_iter().min() {
            Some(name) => Err(WeightsError::Announced { path: self.path, name, reason: "it is missing" }),
            None => Ok(self.file),
        }
    }
}

/// Writes a whole file: name, shape and numbers of each tensor.
pub fn write(
    path: &Path,
    tensors: &[(&str, &[usize], Values<'_>)],
    metadata: &[(&str, &str)],
) -> Result<(), WeightsError> {
    let announced: Vec<Announced> = tensors
        .iter()
        .map(|(name, shape, values)| Announced {
            name: (*name).to_owned(),
            dtype: values.dtype(),
            shape: shape.to_vec(),
        })
        .collect();
    let mut writer = Writer::create(path, &announced, metadata)?;
    for (name, _, values) in tensors {
        writer.write(name, *values)?;
    }
    writer.finish()
}

/// A header, its keys in order.
struct Header<'a> {
    metadata: BTreeMap<&'a str, &'a str>,
    tensors: Vec<(String, TensorInfo)>,
}

impl<'a> Header<'a> {
    fn new(
        path: &Path,
        announced: &[Announced],
        metadata: &[(&'a str, &'a str)],
    ) -> Result<Self, WeightsError> {
        let mut order: Vec<&Announced> = announced.iter().collect();
        order.sort_by_key(|tensor| std::cmp::Reverse(tensor.dtype.bitsize()));
        let mut names = HashSet::new();
        let mut tensors = Vec::with_capacity(order.len());
        let mut start = 0usize;
        for Announced { name, dtype, shape } in order {
            let problem =
                |reason| Err(WeightsError::Announced { path: path.to_owned(), name: name.clone(), reason });
            if !names.insert(name) || name == "__metadata__" {
                return problem("its name is taken");
            }
            let elements = shape.iter().try_fold(1usize, |product, &side| product.checked_mul(side));
            let bits = elements.and_then(|elements| elements.checked_mul(dtype.bitsize()));
            let end = bits.and_then(|bits| start.checked_add(bits / 8));
            let (Some(bits), Some(end)) = (bits, end) else { return problem("its size has no bounds") };
            if bits % 8 != 0 {
                return problem("it ends within a byte");
            }
            let info = TensorInfo { dtype: *dtype, shape: shape.clone(), data_offsets: (start, end) };
            tensors.push((name.clone(), info));
            start = end;
        }
        Ok(Self { metadata: metadata.iter().copied().collect(), tensors })
    }
}

impl Serialize for Header<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.metadata.is_empty() {
            map.serialize_entry("__metadata__", &self.metadata)?;
        }
        for (name, info) in &self.tensors {
            map.serialize_entry(name, info)?;
        }
        map.end()
    }
}
