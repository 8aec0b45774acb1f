//! What the numbers of a folder become.

use std::collections::{BTreeMap, BTreeSet};

use coec_hf::Import;

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
    /// The tensor whose columns are divided by their lengths.
    unit_columns: Option<&'static str>,
}

/// What Ling adds to the length of a column before it divides by it.
const LEAST: f64 = 1e-7;

impl<'a> Conversion<'a> {
    /// That of a folder whose settings were imported. Weights become `wanted`; FP8 becomes f32, where nothing is.
    pub fn of(folder: &'a Folder, import: &Import, wanted: Option<Dtype>) -> Result<Self, FolderError> {
        let (factors, unit_columns) = (BTreeMap::new(), import.unit_columns);
        let mut conversion = Self { folder, wanted, factors, block: [1, 1], unit_columns };
        let Some(quantization) = &import.quantization else { return Ok(conversion) };
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

    /// Whether a tensor of the model has other numbers than the folder's.
    pub fn is_changed(&self, name: &str, becomes: Dtype) -> Result<bool, FolderError> {
        Ok(self.unit_columns == Some(name) || self.folder.weights(name)?.dtype(name)? != becomes)
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
            Some(_) if self.unit_columns == Some(name) => {
                return Err(FolderError::Dtype { name: name.into(), dtype: reading.dtype() });
            }
            Some(of) => {
                let factors = self.folder.weights(of)?.f32(of)?.into_iter().map(f64::from).collect();
                Factors::new(factors, weights.shape(name)?, self.block)
            }
            None if self.unit_columns == Some(name) => Some(Factors::of_unit_columns(weights, name, LEAST)?),
            None if reading.dtype() == becomes => return Ok(reading),
            None => None,
        };
        Ok(reading.converted(becomes, factors)?)
    }
}
