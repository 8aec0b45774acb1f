//! Tensors as they are to be read: in which kind of numbers, and which part of them.

use std::ops::Range;

use coec_hf::View;
use safetensors::Dtype;

use super::convert::to_f32;
use super::read::PIECE;
use super::view::{Places, blockwise, gather};
use super::{Factors, Weights, WeightsError, round};

/// What takes a tensor's bytes, a piece at a time.
pub(super) type Take<'a> = dyn FnMut(&[u8]) -> Result<(), WeightsError> + 'a;

/// A tensor of a file, as it stands there or in another kind of numbers. None is read yet.
#[derive(Debug, Clone)]
pub struct Reading<'a> {
    weights: &'a Weights,
    name: String,
    /// What the numbers become.
    dtype: Dtype,
    factors: Option<Factors>,
}

impl<'a> Reading<'a> {
    /// A tensor as it stands in its file.
    pub fn plain(weights: &'a Weights, name: &str) -> Result<Self, WeightsError> {
        Ok(Self { weights, name: name.into(), dtype: weights.dtype(name)?, factors: None })
    }

    /// The same as f32, f16 or bf16: each number is rounded once, after its factor if there are factors.
    ///
    /// Of FP8 only E4M3 is read, and only with factors.
    pub fn converted(self, dtype: Dtype, factors: Option<Factors>) -> Result<Self, WeightsError> {
        let from = self.weights.dtype(&self.name)?;
        let is_known = match from {
            Dtype::F8_E4M3 => factors.is_some(),
            Dtype::F32 | Dtype::F16 | Dtype::BF16 => true,
            _ => false,
        };
        if !is_known {
            return Err(self.weights.wrong_dtype(
                &self.name,
                from,
                "f32, f16, bf16, or FP8 with its factors",
            ));
        }
        Ok(Self { dtype, factors, ..self })
    }

    /// What the numbers become.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Bytes of one number.
    pub(super) fn size(&self) -> usize {
        self.dtype.bitsize() / 8
    }

    /// As many numbers as the tensor has.
    pub fn elements(&self) -> Result<usize, WeightsError> {
        Ok(self.weights.shape(&self.name)?.iter().product())
    }

    /// The tensor's part that a view says, in the view's order. Where its numbers lie among others, a block
    /// of them is in memory at a time: see [`blockwise`].
    pub(super) fn view(&self, view: &View, take: &mut Take<'_>) -> Result<(), WeightsError> {
        self.view_in(view, PIECE / self.size(), take)
    }

    /// The same in blocks of so many elements.
    pub(super) fn view_in(&self, view: &View, most: usize, take: &mut Take<'_>) -> Result<(), WeightsError> {
        let View { offset, axes } = view.simplified();
        if view.elements() == 0 {
            return Ok(());
        }
        let (outer, inner) = blockwise(&axes, most);
        let block = View { offset: 0, axes: inner.to_vec() };
        let (span, is_dense) = (block.span(), block.is_dense());
        for start in Places::new(offset, outer) {
            if is_dense {
                self.read(start..start + span, take)?;
                continue;
            }
            let mut bytes = Vec::with_capacity(span * self.size());
            self.read(start..start + span, &mut |piece| {
                bytes.extend_from_slice(piece);
                Ok(())
            })?;
            let mut places = Places::new(0, inner);
            let mut piece = Vec::new();
            loop {
                gather(self.size(), &bytes, places.by_ref().take(most), &mut piece);
                if piece.is_empty() {
                    break;
                }
                take(&piece)?;
                piece.clear();
            }
        }
        Ok(())
    }

    /// Some of the numbers, in the order of the file.
    pub(super) fn read(&self, elements: Range<usize>, take: &mut Take<'_>) -> Result<(), WeightsError> {
        let from = self.weights.dtype(&self.name)?;
        let size = from.bitsize() / 8;
        let bytes = elements.start * size..elements.end * size;
        if from == self.dtype && self.factors.is_none() {
            return self.weights.read(&self.name, bytes, take);
        }
        let (mut at, mut piece) = (elements.start, Vec::new());
        self.weights.read(&self.name, bytes, &mut |stored| {
            piece.clear();
            let numbers = match from {
                Dtype::F8_E4M3 => stored.iter().map(|&byte| round::e4m3(byte)).collect(),
                _ => to_f32(from, stored).unwrap_or_default(),
            };
            let fits = match &self.factors {
                Some(factors) => self.multiplied(factors, at, &numbers, &mut piece),
                None => numbers.iter().all(|&number| round::push(self.dtype, number.into(), &mut piece)),
            };
            at += numbers.len();
            if fits { take(&piece) } else { Err(self.overflow()) }
        })
    }

    /// Appends numbers, each times its factor, rounded once.
    fn multiplied(&self, factors: &Factors, from: usize, mut numbers: &[f32], into: &mut Vec<u8>) -> bool {
        let mut fits = true;
        for run in factors.runs(from, numbers.len()) {
            let (these, rest) = numbers.split_at(run.count);
            numbers = rest;
            for &number in these {
                fits &= round::push(self.dtype, f64::from(number) * run.factor, into);
            }
        }
        fits
    }

    fn overflow(&self) -> WeightsError {
        let (path, name) = (self.weights.path().to_owned(), self.name.clone());
        WeightsError::Overflow { path, name, dtype: self.dtype }
    }
}
