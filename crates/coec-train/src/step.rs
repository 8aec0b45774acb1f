//! One optimizer step.

use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};
use coec_ir::{Precision, Train};
use coec_nn::{
    Forward, LanguageModel, Logits, Manner, Route, Selections, cross_entropy, token_losses,
    weighted_cross_entropy,
};

use crate::{
    data::Batch,
    optimizer::{AdamW, Scaled, global_norm},
    pool::in_pool,
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
    pub selected: Vec<Selections>,
}

/// The gradients of a batch, and what was seen on the way to them.
pub struct Gradients {
    grads: GradientsParams,
    loss: f64,
    aux_loss: f64,
    norm: f64,
    selected: Vec<Selections>,
}

impl Trainer {
    /// Learns from `batch` with learning rate `lr`.
    ///
    /// Takes itself by value: the update works in place only while nobody else holds the weights.
    pub fn step(self, config: &Train, batch: &Batch, lr: f64) -> (Self, StepResult) {
        let gradients = self.gradients(config, batch);
        self.apply(config, gradients, lr)
    }

    /// The gradients of `batch`, computed in `config.accumulate` parts. Nothing is changed.
    pub fn gradients(&self, config: &Train, batch: &Batch) -> Gradients {
        in_pool(&self.device, || self.gradients_here(config, batch))
    }

    fn gradients_here(&self, config: &Train, batch: &Batch) -> Gradients {
        let parts = config.accumulate;
        let mut accumulator = GradientsAccumulator::new();
        let (mut losses, mut aux_losses, mut loads) = (Vec::new(), Vec::new(), Vec::new());
        for part in batch.parts(parts) {
            let (tokens, targets) = tensors(&part, &self.device);
            let Forward { logits, aux_loss, loads: seen, .. } =
                self.model.forward_as(tokens, Manner::of(config));
            let loss = loss(&part, logits, targets);
            let mut total = loss.clone();
            if let Some(aux) = aux_loss {
                aux_losses.push(aux.clone().inner());
                total = total + aux;
            }
            losses.push(loss.inner());
            loads.extend(seen);
            let total = if parts > 1 { total / parts as f64 } else { total };
            let grads = GradientsParams::from_grads(total.backward(), &self.model);
            accumulator.accumulate(&self.model, grads);
        }
        let grads = accumulator.grads();
        let norm = global_norm(&self.model, &grads);
        let mean = |values: Vec<Tensor<1>>| {
            let count = values.len();
            (count > 0).then(|| Tensor::cat(values, 0).mean_dim(0))
        };
        let zero = || Tensor::<1>::zeros([1], &self.device.clone().inner());
        let mut seen: Vec<Tensor<1>> =
            [mean(losses), mean(aux_losses), norm].map(|number| number.unwrap_or_else(zero)).to_vec();
        // One read for the three numbers and all counts.
        seen.extend(loads.iter().map(|load| without_tape(load.counts.clone())));
        let mut seen = Tensor::cat(seen, 0).into_data().iter::<f64>().collect::<Vec<_>>().into_iter();
        let mut number = || seen.next().unwrap_or(f64::NAN);
        let (loss, aux_loss, norm) = (number(), number(), number());
        let selected = loads.iter().map(|load| Selections {
            layer: load.layer,
            iteration: load.iteration,
            // Exact: no part of a batch has 2^24 tokens, up to which f32 counts.
            counts: (0..load.counts.dims()[0]).map(|_| number() as u64).collect(),
        });
        let selected = selected.collect();
        Gradients { grads, loss, aux_loss, norm, selected }
    }

    /// Moves the weights along `gradients` with learning rate `lr`, unless something is not finite:
    /// then nothing changes.
    pub fn apply(self, config: &Train, gradients: Gradients, lr: f64) -> (Self, StepResult) {
        let device = self.device.clone();
        in_pool(&device, || self.apply_here(config, gradients, lr))
    }

    fn apply_here(mut self, config: &Train, gradients: Gradients, lr: f64) -> (Self, StepResult) {
        let Gradients { grads, loss, aux_loss, norm, selected } = gradients;
        let applied = loss.is_finite() && aux_loss.is_finite() && norm.is_finite();
        if applied {
            let clip = config.optimizer.clip;
            let scale = if clip > 0.0 && norm > clip { clip / (norm + 1e-6) } else { 1.0 };
            self.model =
                self.optimizer.step(self.model, grads, Scaled { lr, scale }).update_biases(&selected);
        }
        (self, StepResult { loss, aux_loss, grad_norm: norm, applied, selected })
    }
}

/// Mean cross-entropy of what is learnt of a part of a batch, nats a token, `[1]`.
fn loss(part: &Batch, logits: Logits, targets: Tensor<2, Int>) -> Tensor<1> {
    let Some(weights) = &part.weights else { return cross_entropy(logits, targets) };
    let data = TensorData::new(weights.clone(), targets.dims());
    let weights = Tensor::<2>::from_data(data, &targets.device());
    weighted_cross_entropy(logits, targets, weights)
}

/// Mean cross-entropy of what is learnt of `batches`, nats a token, each in `parts` parts and computed in
/// `precision`; `None` as soon as `go_on` says no. `look` is shown what the routers decide on the way.
///
/// Losses are added token by token in double precision, so that the parts are only a matter of memory.
/// `model` has no tape.
pub fn evaluate<E>(
    model: &LanguageModel,
    batches: impl Iterator<Item = Result<Batch, E>>,
    parts: usize,
    precision: Precision,
    go_on: &dyn Fn() -> bool,
    look: &mut dyn FnMut(&[Route]),
) -> Result<Option<f64>, E> {
    let (device, manner) = (model.device(), Manner { precision, ..Manner::default() });
    let (mut sum, mut count) = (0.0, 0u64);
    for batch in batches {
        for part in batch?.parts(parts) {
            if !go_on() {
                return Ok(None);
            }
            let (tokens, targets) = tensors(&part, &device);
            let Forward { logits, routes, .. } = model.forward_as(tokens, manner);
            let losses = token_losses(logits, targets).into_data();
            look(&routes);
            let is_learnt = |at: usize| part.weights.as_ref().is_none_or(|weights| weights[at] > 0.0);
            for (_, loss) in losses.iter::<f64>().enumerate().filter(|(at, _)| is_learnt(*at)) {
                sum += loss;
                count += 1;
            }
        }
    }
    Ok(Some(sum / count.max(1) as f64))
}

fn without_tape(tensor: Tensor<1>) -> Tensor<1> {
    if tensor.device().is_autodiff() { tensor.inner() } else { tensor }
}

/// Inputs and targets, `[B, T]` each.
fn tensors(batch: &Batch, device: &Device) -> (Tensor<2, Int>, Tensor<2, Int>) {
    let shape = [batch.sequences, batch.context];
    let tensor = |ids: &Vec<i32>| Tensor::<2, Int>::from_data(TensorData::new(ids.clone(), shape), device);
    (tensor(&batch.inputs), tensor(&batch.targets))
}
