//! One pass with given weights: for parity with other implementations.

use std::path::Path;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use coec_ir::{Model, Precision, Verified};
use coec_nn::{Manner, cross_entropy};

use crate::{
    error::TrainError,
    load::load_model,
    weights::{self, Values, Weights},
};

/// Runs `model` in `precision` with the weights of one file on the tokens of another and writes logits, and with
/// targets the losses, and with `grads` the gradient of `loss + aux_loss` for every trained
/// parameter, under the names of the contract.
pub fn run(
    model: &Verified<Model>,
    weights: &Path,
    tokens: &Path,
    out: &Path,
    grads: bool,
    precision: Precision,
    device: &Device,
) -> Result<(), TrainError> {
    let device = if grads { device.clone().autodiff() } else { device.clone() };
    let inputs = Weights::open(tokens)?;
    let (ids, shape) = ids(&inputs, "tokens", model.vocab)?;
    let targets = match inputs.contains("targets") {
        true => Some(self::ids(&inputs, "targets", model.vocab)?),
        false => None,
    };
    if targets.as_ref().is_some_and(|(_, other)| *other != shape) {
        return Err(TrainError::Tokens("`tokens` and `targets` differ in shape".into()));
    }
    if grads && targets.is_none() {
        return Err(TrainError::Tokens("gradients need `targets`".into()));
    }
    let built = load_model(model, &Weights::open(weights)?, &device)?;
    let tensor = |ids: Vec<i32>| Tensor::<2, Int>::from_data(TensorData::new(ids, shape), &device);
    let forward = built.forward_as(tensor(ids), Manner { precision, ..Manner::default() });
    let floats = |data: TensorData| data.iter::<f32>().collect::<Vec<_>>();
    let mut results: Vec<(String, Vec<usize>, Vec<f32>)> = vec![(
        "logits".into(),
        vec![shape[0], shape[1], model.vocab],
        floats(forward.logits.clone().tensor().to_data()),
    )];
    if let Some((targets, _)) = targets {
        let loss = cross_entropy(forward.logits, tensor(targets));
        let aux_loss = forward.aux_loss.unwrap_or_else(|| Tensor::zeros([1], &device));
        results.push(("loss".into(), vec![1], floats(loss.to_data())));
        results.push(("aux_loss".into(), vec![1], floats(aux_loss.to_data())));
        if grads {
            let grads = GradientsParams::from_grads((loss + aux_loss).backward(), &built);
            for (param, grad) in built.gradients(&grads) {
                results.push((format!("grad.{}", param.name), param.shape, grad));
            }
        }
    }
    let tensors: Vec<(&str, &[usize], Values<'_>)> = results
        .iter()
        .map(|(name, shape, values)| (name.as_str(), shape.as_slice(), Values::F32(values)))
        .collect();
    weights::write(out, &tensors, &[("schema", coec_ir::SCHEMA)])?;
    Ok(())
}

/// Integer ids `[B, L]` below the vocabulary.
fn ids(file: &Weights, name: &str, vocab: usize) -> Result<(Vec<i32>, [usize; 2]), TrainError> {
    let &[batch, length] = file.shape(name)? else {
        return Err(TrainError::Tokens(format!("`{name}` has shape {:?}, not [B, L]", file.shape(name)?)));
    };
    let ids = file.i64(name)?;
    if ids.is_empty() {
        return Err(TrainError::Tokens(format!("`{name}` is empty")));
    }
    let wrong = ids.iter().position(|&id| !usize::try_from(id).is_ok_and(|id| id < vocab));
    if let Some(position) = wrong {
        return Err(TrainError::Token { token: ids[position], position, vocab });
    }
    Ok((ids.into_iter().map(|id| id as i32).collect(), [batch, length]))
}
