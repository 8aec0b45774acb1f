//! What the numbers of a folder become.

use std::collections::{BTreeMap, BTreeSet};

use coec_hf::Quantization;

use super::{Folder, FolderError};
use crate::weights::{Dtype, Factors, Reading};

/// What follows the name of a tensor in the name of its factors.
const FACTORS: &str = "_scale_inv";

/// The tensors of a folder as an import reads them: FP8 times its factors, and all in another kind of
/// numbers, if one is wanted.
pub(super) struct Conversion<'a> {
    folder: &'a Folder,
    wanted: Option<Dtype>,
    /// Of each tensor that has factors, their tensor.
    factors: BTreeMap<&'a str, String>,
    /// The rows and columns that one factor is for.
    block: [usize; 2],
}

impl<'a> Conversion<'a> {
    /// That of a folder whose settings say that it is quantised so, if it is. Weights become `wanted`; FP8
    /// becomes f32, where nothing is.
    pub fn of(
        folder: &'a Folder,
        quantization: Option<&Quantization>,
        wanted: Option<Dtype>,
    ) -> Result<Self, FolderError> {
        let mut conversion = Self { folder, wanted, factors: BTreeMap::new(), block: [1, 1] };
        let Some(quantization) = quantization else { return Ok(conversion) };
        let Some(block) = quantization.blocks else { return Err(quantization.refusal().into()) };
        conversion.block = block;
        for (name, shape) in folder.shapes()? {
            match folder.weights(name)?.dtype(name)? {
                Dtype::F8_E4M3 => drop(conversion.factors.insert(name, conversion.factors_of(name, shape)?)),
                dtype @ (Dtype::F8_E5M2 | Dtype::F8_E4M3FNUZ | Dtype::F8_E5M2FNUZ) => {
                    return Err(FolderError::Dtype { name: name.into(), dtype });
                }
                _ => {}
            }
        }
        Ok(conversion)
    }

    /// The name of a tensor's factors, which are there and as many as it needs.
    fn factors_of(&self, name: &str, shape: &[usize]) -> Result<String, FolderError> {
        let wrong = |reason: String| FolderError::Factors { name: name.into(), reason };
        let of = format!("{name}{FACTORS}");
        let Ok(weights) = self.folder.weights(&of) else { return Err(wrong(format!("has no `{of}`"))) };
        let found = weights.shape(&of)?;
        match Factors::shape(shape, self.block) {
            Some(expected) if expected == found => Ok(of),
            Some(expected) => {
                Err(wrong(format!("needs factors of the shape {expected:?}, and `{of}` is {found:?}")))
            }
            None => Err(wrong("is no matrix".into())),
        }
    }

    /// Every tensor but the factors, with its shape.
    pub fn shapes(&self) -> Result<Vec<(&'a str, &'a [usize])>, FolderError> {
        let factors: BTreeSet<&str> = self.factors.values().map(String::as_str).collect();
        let mut shapes = self.folder.shapes()?;
        shapes.retain(|(name, _)| !factors.contains(name));
        Ok(shapes)
    }

    /// What a tensor of the model becomes. One that is not trained keeps its precision: selection biases have
    /// more of it than the weights.
    pub fn mapped(&self, name: &str, is_trained: bool) -> Result<Dtype, FolderError> {
        match self.factors.contains_key(name) {
            true => Ok(self.wanted.unwrap_or(Dtype::F32)),
            false => {
                let stored = self.folder.dtype(name)?;
                Ok(self.wanted.filter(|_| is_trained).unwrap_or(stored))
            }
        }
    }

    /// What a tensor becomes that the model has no use for: it stays as it is, but for FP8.
    pub fn carried(&self, name: &str) -> Result<Dtype, FolderError> {
        match self.factors.contains_key(name) {
            true => Ok(self.wanted.unwrap_or(Dtype::F32)),
            false => Ok(self.folder.weights(name)?.dtype(name)?),
        }
    }

    /// A tensor as it is to be read, to become what one of the above says.
    pub fn reading(&self, name: &str, becomes: Dtype) -> Result<Reading<'a>, FolderError> {
        let weights = self.folder.weights(name)?;
        let reading = Reading::plain(weights, name)?;
        let factors = match self.factors.get(name) {
            Some(of) => Factors::new(self.folder.weights(of)?.f32(of)?, weights.shape(name)?, self.block),
            None if reading.dtype() == becomes => return Ok(reading),
            None => None,
        };
        Ok(reading.converted(becomes, factors)?)
    }
}
