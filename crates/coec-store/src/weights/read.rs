//! Reading safetensors.
//!
//! The header is read and checked against the file's length first. A tensor is
//! read when it is asked for, so that no more than one is ever in memory twice.

use std::collections::HashMap;
use std::io::{Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use crate::disk::{Disk, DiskFile, System};

use super::WeightsError;
use super::convert;
use super::error::{Difference, Misshapen};

/// Largest header that is read: what the format allows.
const LARGEST_HEADER: u64 = 100_000_000;

/// Bytes read at once: whole numbers of every kind.
pub(super) const PIECE: usize = 1 << 22;

/// An open safetensors file.
#[derive(Debug)]
pub struct Weights {
    path: PathBuf,
    file: Mutex<Box<dyn DiskFile>>,
    /// Where the data begins.
    data: u64,
    names: Vec<String>,
    tensors: HashMap<String, TensorInfo>,
    metadata: HashMap<String, String>,
}

impl Weights {
    /// Opens a file and checks its header.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        Self::open_on(&System, path)
    }

    /// The same on `disk`.
    pub fn open_on(disk: &dyn Disk, path: &Path) -> Result<Self, WeightsError> {
        let unreadable = |source| WeightsError::Unreadable { path: path.to_owned(), source };
        let invalid = |reason: String| WeightsError::Invalid { path: path.to_owned(), reason };
        if path.exists() && !path.is_file() {
            return Err(invalid("it is not a file".into()));
        }
        let mut file = disk.open(path).map_err(unreadable)?;
        let found = file.seek(SeekFrom::End(0)).map_err(unreadable)?;
        file.rewind().map_err(unreadable)?;
        if found < 8 {
            return Err(invalid(format!("it has {found} bytes, and its length field alone takes 8")));
        }
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(unreadable)?;
        let length = u64::from_le_bytes(length);
        if length > LARGEST_HEADER || length > found - 8 {
            return Err(invalid(format!("a header of {length} bytes does not fit into {found}")));
        }
        let mut header = vec![0; length as usize];
        file.read_exact(&mut header).map_err(unreadable)?;
        let header: Metadata =
            serde_json::from_slice(&header).map_err(|error| invalid(format!("header: {error}")))?;
        let data = 8 + length;
        let described = data.saturating_add(header.data_len() as u64);
        if described != found {
            return Err(WeightsError::Length { path: path.to_owned(), found, described });
        }
        let tensors = header.tensors().into_iter().map(|(name, info)| (name, info.clone())).collect();
        Ok(Self {
            path: path.to_owned(),
            file: Mutex::new(file),
            data,
            names: header.offset_keys(),
            tensors,
            metadata: header.metadata().clone().unwrap_or_default(),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The tensors' names, in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Whether there is a tensor of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// What the file says about itself.
    pub fn metadata(&self) -> &HashMap<String, String> {
        &self.metadata
    }

    /// The shape of a tensor.
    pub fn shape(&self, name: &str) -> Result<&[usize], WeightsError> {
        Ok(&self.info(name)?.shape)
    }

    /// What a tensor's numbers are.
    pub fn dtype(&self, name: &str) -> Result<Dtype, WeightsError> {
        Ok(self.info(name)?.dtype)
    }

    /// How many bytes a tensor takes.
    pub fn len(&self, name: &str) -> Result<usize, WeightsError> {
        let (start, end) = self.info(name)?.data_offsets;
        Ok(end - start)
    }

    /// A tensor as it stands in the file, little endian.
    pub fn bytes(&self, name: &str) -> Result<Vec<u8>, WeightsError> {
        let mut bytes = Vec::with_capacity(self.len(name)?);
        self.read(name, 0..self.len(name)?, &mut |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// Hands over some bytes of a tensor as they stand in the file, a piece at a time.
    pub(super) fn read(
        &self,
        name: &str,
        bytes: Range<usize>,
        take: &mut dyn FnMut(&[u8]) -> Result<(), WeightsError>,
    ) -> Result<(), WeightsError> {
        if bytes.end > self.len(name)? {
            let reason = format!("`{name}` has no byte {}", bytes.end);
            return Err(WeightsError::Invalid { path: self.path.clone(), reason });
        }
        let before = self.info(name)?.data_offsets.0;
        let (start, end) = (before + bytes.start, before + bytes.end);
        let unreadable = |source| WeightsError::Unreadable { path: self.path.clone(), source };
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.data + start as u64)).map_err(unreadable)?;
        let mut left = end.saturating_sub(start);
        let mut piece = vec![0; PIECE.min(left)];
        while left > 0 {
            let piece = &mut piece[..PIECE.min(left)];
            file.read_exact(piece).map_err(unreadable)?;
            take(piece)?;
            left -= piece.len();
        }
        Ok(())
    }

    /// A tensor of f32, f16 or bf16 (exactly), or of f64 (rounded), as f32.
    pub fn f32(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        self.numbers(name, "f32, f16, bf16 or f64", convert::to_f32)
    }

    /// A tensor of integers that fit, as i64.
    pub fn i64(&self, name: &str) -> Result<Vec<i64>, WeightsError> {
        self.numbers(name, "an integer type of at most 64 bits, signed if 64", convert::to_i64)
    }

    /// A tensor's numbers, converted piece by piece: its bytes are never in memory beside them.
    fn numbers<T>(
        &self,
        name: &str,
        expected: &'static str,
        convert: fn(Dtype, &[u8]) -> Option<Vec<T>>,
    ) -> Result<Vec<T>, WeightsError> {
        let dtype = self.dtype(name)?;
        let wrong = || self.wrong_dtype(name, dtype, expected);
        convert(dtype, &[]).ok_or_else(wrong)?;
        let mut numbers = Vec::with_capacity(self.shape(name)?.iter().product());
        self.read(name, 0..self.len(name)?, &mut |piece| {
            numbers.extend(convert(dtype, piece).ok_or_else(wrong)?);
            Ok(())
        })?;
        Ok(numbers)
    }

    /// Whether the tensors are exactly those expected; the error lists all that differ.
    pub fn check<N: AsRef<str>, S: AsRef<[usize]>>(&self, expected: &[(N, S)]) -> Result<(), WeightsError> {
        let mut difference = Difference::default();
        let mut surplus = self.tensors.clone();
        for (name, shape) in expected {
            let (name, expected) = (name.as_ref(), shape.as_ref());
            match surplus.remove(name) {
                None => difference.missing.push(name.to_owned()),
                Some(info) if info.shape != expected => difference.misshapen.push(Misshapen {
                    name: name.to_owned(),
                    found: info.shape,
                    expected: expected.to_vec(),
                }),
                Some(_) => {}
            }
        }
        difference.surplus = self.names.iter().filter(|name| surplus.contains_key(*name)).cloned().collect();
        match difference.is_empty() {
            true => Ok(()),
            false => Err(WeightsError::Mismatch { path: self.path.clone(), difference }),
        }
    }

    fn info(&self, name: &str) -> Result<&TensorInfo, WeightsError> {
        self.tensors
            .get(name)
            .ok_or_else(|| WeightsError::NoTensor { path: self.path.clone(), name: name.to_owned() })
    }

    /// A tensor that is of another shape than what is to be done with it needs.
    pub(super) fn misshapen(&self, name: &str, is: &str) -> WeightsError {
        WeightsError::Invalid { path: self.path.clone(), reason: format!("`{name}` {is}") }
    }

    pub(super) fn wrong_dtype(&self, name: &str, found: Dtype, expected: &'static str) -> WeightsError {
        WeightsError::WrongDtype { path: self.path.clone(), name: name.to_owned(), found, expected }
    }
}
