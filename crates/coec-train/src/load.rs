//! A model with the weights of a file.

use burn::tensor::Device;
use coec_ir::{Model, Tensors, Verified};
use coec_nn::{LanguageModel, LoadError, Source};

use crate::{
    error::TrainError,
    weights::{Weights, WeightsError},
};

/// Builds `model` on `device` with the weights of a file, which must be exactly the model's. No
/// second copy of them is ever in memory.
pub fn load_model(
    model: &Verified<Model>,
    weights: &Weights,
    device: &Device,
) -> Result<LanguageModel, TrainError> {
    check(model, weights)?;
    let built = LanguageModel::new(model, device, Source::Zeros)?;
    let mut failed = None;
    let loaded = built.load(|param| {
        weights.f32(&param.name).map_err(|error| {
            let reason = error.to_string();
            failed = Some(error);
            reason
        })
    });
    match (loaded, failed) {
        (Ok(model), _) => Ok(model),
        (Err(_), Some(error)) => Err(error.into()),
        (Err(LoadError::Elements { name, .. } | LoadError::Source { name, .. }), None) => {
            Err(WeightsError::NoTensor { path: weights.path().to_owned(), name }.into())
        }
    }
}

/// Whether the tensors of a file are exactly those of `model`, trained and state.
fn check(model: &Verified<Model>, weights: &Weights) -> Result<(), WeightsError> {
    let tensors = Tensors::of(model);
    let params = tensors.trained.iter().chain(&tensors.state);
    let expected: Vec<_> = params.map(|param| (&param.name, &param.shape)).collect();
    weights.check(&expected)
}
