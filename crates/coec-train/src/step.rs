//! One optimizer step.

use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};
use coec_ir::Train;
use coec_nn::{LanguageModel, Load, cross_entropy};

use crate::{
    data::Batch,
    optimizer::{AdamW, global_norm, scale},
};

/// The state of training: the model and its optimizer.
pub struct Trainer {
    pub model: LanguageModel,
    pub optimizer: AdamW,
    /// With the tape.
    pub device: Device,
}

/// What a step was like.
pub struct StepResult {
    /// Mean cross-entropy of the batch, nats a token.
    pub loss: f64,
    /// The weighted balance losses.
    pub aux_loss: f64,
    /// Global norm of the gradient before clipping.
    pub grad_norm: f64,
    /// Whether the weights moved; they do not where something is not finite.
    pub applied: bool,
    /// Selections of experts, one entry per layer, iteration and part of the batch.
    pub loads: Vec<Load>,
}

impl Trainer {
    /// Learns from `batch` with learning rate `lr`.
    ///
    /// Takes itself by value: the update works in place only while nobody else holds the weights.
    pub fn step(mut self, config: &Train, batch: &Batch, lr: f64) -> (Self, StepResult) {
        let parts = config.accumulate;
        let mut accumulator = GradientsAccumulator::new();
        let (mut losses, mut aux_losses, mut loads) = (Vec::new(), Vec::new(), Vec::new());
        for part in batch.parts(parts) {
            let (tokens, targets) = tensors(&part, &self.device);
            let forward = self.model.forward(tokens);
            let loss = cross_entropy(forward.logits, targets);
            let mut total = loss.clone();
            if let Some(aux) = forward.aux_loss {
                aux_losses.push(aux.clone().inner());
                total = total + aux;
            }
            losses.push(loss.inner());
            loads.extend(forward.loads);
            let total = if parts > 1 { total / parts as f64 } else { total };
            let grads = GradientsParams::from_grads(total.backward(), &self.model);
            accumulator.accumulate(&self.model, grads);
        }
        let grads = accumulator.grads();
        let norm = global_norm(&self.model, &grads);

        // One read for all three numbers.
        let mean = |values: Vec<Tensor<1>>| {
            let count = values.len();
            (count > 0).then(|| Tensor::cat(values, 0).mean_dim(0))
        };
        let zero = || Tensor::<1>::zeros([1], &self.device.clone().inner());
        let numbers = [mean(losses), mean(aux_losses), norm].map(|number| number.unwrap_or_else(zero));
        let numbers: Vec<f64> = Tensor::cat(numbers.to_vec(), 0).into_data().iter::<f64>().collect();
        let (loss, aux_loss, grad_norm) = (numbers[0], numbers[1], numbers[2]);

        let applied = loss.is_finite() && aux_loss.is_finite() && grad_norm.is_finite();
        if applied {
            let clip = config.optimizer.clip;
            let grads = match clip > 0.0 && grad_norm > clip {
                true => scale(&self.model, grads, clip / (grad_norm + 1e-6)),
                false => grads,
            };
            self.model = self.optimizer.step(self.model, grads, lr).update_biases(&loads);
        }
        (self, StepResult { loss, aux_loss, grad_norm, applied, loads })
    }

    /// Mean cross-entropy over `batches`, without the tape.
    pub fn evaluate(&self, batches: impl Iterator<Item = Batch>) -> f64 {
        let model = self.model.valid();
        let device = self.device.clone().inner();
        let (mut sum, mut count) = (0.0, 0);
        for batch in batches {
            let (tokens, targets) = tensors(&batch, &device);
            sum += cross_entropy(model.forward(tokens).logits, targets).into_scalar::<f64>();
            count += 1;
        }
        sum / f64::from(count.max(1))
    }
}

/// Inputs and targets, `[B, T]` each.
fn tensors(batch: &Batch, device: &Device) -> (Tensor<2, Int>, Tensor<2, Int>) {
    let shape = [batch.sequences, batch.context];
    let tensor = |ids: &Vec<i32>| Tensor::<2, Int>::from_data(TensorData::new(ids.clone(), shape), device);
    (tensor(&batch.inputs), tensor(&batch.targets))
}
