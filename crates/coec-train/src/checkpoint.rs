//! Weights and optimizer state, in and out of files.

use std::path::Path;

use burn::tensor::Device;
use coec_ir::{Model, Tensors, Verified};
use coec_nn::{LanguageModel, LoadError, Source};

use crate::{
    error::TrainError,
    optimizer::AdamW,
    weights::{self, Announced, Dtype, Values, Weights, Writer},
};

/// Writes every tensor of `model` under its name.
pub fn save_model(model: &LanguageModel, path: &Path, step: usize) -> Result<(), TrainError> {
    let tensors = model.tensors();
    let announced: Vec<Announced> = tensors
        .iter()
        .map(|(param, _)| Announced {
            name: param.name.clone(),
            dtype: Dtype::F32,
            shape: param.shape.clone(),
        })
        .collect();
    let step = step.to_string();
    let metadata = [("format", "pt"), ("schema", coec_ir::SCHEMA), ("step", step.as_str())];
    let mut writer = Writer::create(path, &announced, &metadata)?;
    for (param, values) in &tensors {
        writer.write(&param.name, Values::F32(values))?;
    }
    writer.finish()?;
    Ok(())
}

/// Builds `model` on `device` with the weights of a file, which must be exactly the model's.
pub fn load_model(
    model: &Verified<Model>,
    weights: &Weights,
    device: &Device,
) -> Result<LanguageModel, TrainError> {
    let tensors = Tensors::of(model);
    let expected: Vec<(&str, &[usize])> = tensors
        .trained
        .iter()
        .chain(&tensors.state)
        .map(|param| (param.name.as_str(), param.shape.as_slice()))
        .collect();
    weights.check(&expected)?;
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
            Err(TrainError::Resume { reason: format!("tensor `{name}` does not fit the model") })
        }
    }
}

/// Writes the optimizer's moments.
pub fn save_optimizer(
    optimizer: &AdamW,
    model: &LanguageModel,
    path: &Path,
    step: usize,
) -> Result<(), TrainError> {
    let (updates, moments) = optimizer.save(model.bindings());
    let shapes: Vec<[usize; 1]> = moments.iter().map(|moment| [moment.values.len()]).collect();
    let tensors: Vec<(&str, &[usize], Values<'_>)> = moments
        .iter()
        .zip(&shapes)
        .map(|(moment, shape)| (moment.name.as_str(), shape.as_slice(), Values::F32(&moment.values)))
        .collect();
    let (step, updates) = (step.to_string(), updates.to_string());
    let metadata = [("schema", coec_ir::SCHEMA), ("step", step.as_str()), ("updates", updates.as_str())];
    weights::write(path, &tensors, &metadata)?;
    Ok(())
}

/// The optimizer of a saved run, and the steps done.
pub fn load_optimizer(
    config: coec_ir::AdamW,
    model: &LanguageModel,
    path: &Path,
) -> Result<(AdamW, usize), TrainError> {
    let file = Weights::open(path)?;
    let number = |name: &str| {
        let text = file.metadata().get(name).and_then(|text| text.parse::<usize>().ok());
        text.ok_or_else(|| TrainError::Resume { reason: format!("{} has no `{name}`", path.display()) })
    };
    let (step, updates) = (number("step")?, number("updates")?);
    for (i, binding) in model.bindings().iter().enumerate().filter(|(_, binding)| binding.trained) {
        let elements: usize = binding.parts.iter().map(|part| part.elements() as usize).sum();
        for moment in ["first", "second"] {
            let name = format!("{moment}.{i}");
            // A parameter that never had a gradient has no moments; another size is another model.
            if file.contains(&name) && file.shape(&name)? != [elements] {
                let reason = format!("the moments of {} are of another model", binding.parts[0].name);
                return Err(TrainError::Resume { reason });
            }
        }
    }
    let optimizer = AdamW::restore(config, model, updates as i32, |name| file.f32(name).ok());
    Ok((optimizer, step))
}
