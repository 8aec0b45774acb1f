//! One optimizer step.

use std::iter;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use coec_ir::{Precision, Train};
use coec_kernels::flops;
use coec_nn::{
    Forward, LanguageModel, Load, Logits, Manner, Selections, cross_entropy, token_losses,
    weighted_cross_entropy,
};

use crate::{
    data::{Batch, DataError},
    error::TrainError,
    optimizer::{AdamW, Scaled, global_norm},
    pool::in_pool,
    routing::Decisions,
    world::{self, Alone, Sum, World, WorldError},
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
    /// FLOPs of all expert products of its gradients, on all ranks.
    pub expert_flops: u64,
}

/// The gradients of a batch, and what was seen on the way to them.
pub struct Gradients {
    grads: GradientsParams,
    loss: f64,
    aux_loss: f64,
    norm: f64,
    selected: Vec<Selections>,
    expert_flops: u64,
}

/// What is seen of a part of a batch on the way to its gradients, on the device.
struct Seen {
    loss: Tensor<1>,
    aux_loss: Option<Tensor<1>>,
    loads: Vec<Load>,
}

impl Trainer {
    /// Learns from `batch` with learning rate `lr`, on one rank.
    ///
    /// Takes itself by value: the update works in place only while nobody else holds the weights.
    pub fn step(self, config: &Train, batch: &Batch, lr: f64) -> Result<(Self, StepResult), WorldError> {
        let gradients = self.gradients(config, batch, &Alone)?;
        Ok(self.apply(config, gradients, lr))
    }

    /// The gradients of `batch`, computed in `config.accumulate` parts that the ranks of `world` share. Nothing
    /// is changed. They are the same bits for any number of ranks.
    ///
    /// # Errors
    ///
    /// More ranks than parts, or a rank that is gone.
    pub fn gradients(
        &self,
        config: &Train,
        batch: &Batch,
        world: &dyn World,
    ) -> Result<Gradients, WorldError> {
        let parts: Vec<Batch> = batch.parts(config.accumulate).collect();
        world::check_parts(world.size(), parts.len())?;
        let performed = flops::performed();
        let (mut sum, mut seen) = (Sum::new(world), Vec::new());
        for round in parts.chunks(world.size()) {
            let own = round.get(world.rank());
            let own = own.map(|part| in_pool(&self.device, || self.gradients_of(config, part)));
            let (grads, own) = own.unzip();
            seen.extend(own);
            sum.add(&self.model, grads, round.len())?;
        }
        let grads = sum.finish(&self.device.clone().inner())?;
        let expert_flops = flops::performed() - performed;
        let (grads, numbers, norm) = in_pool(&self.device, || self.read(&seen, grads));
        let said = world::numbers(
            world,
            &iter::once(f64::from_bits(expert_flops)).chain(numbers).collect::<Vec<_>>(),
        )?;
        // The first part is the first of the first rank, which has as many as any other.
        let mut numbers: Vec<_> = said.into_iter().map(Vec::into_iter).collect();
        let expert_flops = numbers.iter_mut().filter_map(Iterator::next).map(f64::to_bits).sum();
        let layout = &seen[0];
        let (mut loss, mut aux_loss, mut selected) = (0.0, 0.0, Vec::new());
        for part in 0..parts.len() {
            let mut number = || numbers[part % world.size()].next().unwrap_or(f64::NAN);
            loss += number() / parts.len() as f64;
            if layout.aux_loss.is_some() {
                aux_loss += number() / parts.len() as f64;
            }
            selected.extend(layout.loads.iter().map(|load| Selections {
                layer: load.layer,
                pass: load.pass,
                iteration: load.iteration,
                // Exact: no part of a batch has 2^24 tokens, up to which f32 counts.
                counts: (0..load.counts.dims()[0]).map(|_| number() as u64).collect(),
            }));
        }
        Ok(Gradients { grads, loss, aux_loss, norm, selected, expert_flops })
    }

    /// The gradients of a part of a batch.
    fn gradients_of(&self, config: &Train, part: &Batch) -> (GradientsParams, Seen) {
        let (tokens, targets) = tensors(part, &self.device);
        let Forward { logits, aux_loss, loads, .. } = self.model.forward_as(tokens, Manner::of(config));
        let loss = loss(part, logits, targets);
        let seen = Seen { loss: loss.clone().inner(), aux_loss: aux_loss.clone().map(Tensor::inner), loads };
        let total = aux_loss.into_iter().fold(loss, |total, aux| total + aux);
        let parts = config.accumulate;
        let total = if parts > 1 { total / parts as f64 } else { total };
        (GradientsParams::from_grads(total.backward(), &self.model), seen)
    }

    /// What was seen, part by part, and the norm of the gradients, in one read.
    fn read(&self, seen: &[Seen], grads: GradientsParams) -> (GradientsParams, Vec<f64>, f64) {
        let zero = || Tensor::<1>::zeros([1], &self.device.clone().inner());
        let norm = global_norm(&self.model, &grads).unwrap_or_else(zero);
        let of_part = |part: &Seen| {
            let counts = part.loads.iter().map(|load| without_tape(load.counts.clone()));
            iter::once(part.loss.clone()).chain(part.aux_loss.clone()).chain(counts).collect::<Vec<_>>()
        };
        let all = seen.iter().flat_map(of_part).chain([norm]).collect();
        let mut numbers: Vec<f64> = Tensor::cat(all, 0).into_data().iter().collect();
        let norm = numbers.pop().unwrap_or(f64::NAN);
        (grads, numbers, norm)
    }

    /// Moves the weights along `gradients` with learning rate `lr`, unless something is not finite:
    /// then nothing changes.
    pub fn apply(self, config: &Train, gradients: Gradients, lr: f64) -> (Self, StepResult) {
        let device = self.device.clone();
        in_pool(&device, || self.apply_here(config, gradients, lr))
    }

    fn apply_here(mut self, config: &Train, gradients: Gradients, lr: f64) -> (Self, StepResult) {
        let Gradients { grads, loss, aux_loss, norm, selected, expert_flops } = gradients;
        let applied = loss.is_finite() && aux_loss.is_finite() && norm.is_finite();
        if applied {
            let clip = config.optimizer.clip;
            let scale = if clip > 0.0 && norm > clip { clip / (norm + 1e-6) } else { 1.0 };
            self.model =
                self.optimizer.step(self.model, grads, Scaled { lr, scale }).update_biases(&selected);
        }
        (self, StepResult { loss, aux_loss, grad_norm: norm, applied, selected, expert_flops })
    }
}

/// Mean cross-entropy of what is learnt of a part of a batch, nats a token, `[1]`.
fn loss(part: &Batch, logits: Logits, targets: Tensor<2, Int>) -> Tensor<1> {
    let Some(weights) = &part.weights else { return cross_entropy(logits, targets) };
    let data = TensorData::new(weights.clone(), targets.dims());
    let weights = Tensor::<2>::from_data(data, &targets.device());
    weighted_cross_entropy(logits, targets, weights)
}

/// What a model makes of held-out text.
#[derive(Debug, Default)]
pub struct Held {
    /// Mean cross-entropy of what is learnt, nats a token.
    pub loss: f64,
    /// What its routers decide.
    pub decisions: Decisions,
}

/// What `model` makes of `batches`, each in `parts` parts that the ranks of `world` share, and computed in
/// `precision`; `None` as soon as `go_on` says no on one of them.
///
/// Losses are added token by token in double precision, and in the order of the text, so that parts and ranks
/// are only a matter of memory and time. `model` has no tape.
///
/// # Errors
///
/// Batches that cannot be read, or a rank that is gone.
pub fn evaluate(
    model: &LanguageModel,
    batches: impl Iterator<Item = Result<Batch, DataError>>,
    parts: usize,
    precision: Precision,
    go_on: &dyn Fn() -> bool,
    world: &dyn World,
) -> Result<Option<Held>, TrainError> {
    let (mut sum, mut count, mut decisions) = (0.0, 0u64, Decisions::default());
    let mut parts = batches.flat_map(|batch| match batch {
        Ok(batch) => batch.parts(parts).map(Ok).collect(),
        Err(error) => vec![Err(error)],
    });
    loop {
        let round: Vec<_> = parts.by_ref().take(world.size()).collect();
        if round.is_empty() {
            let loss = sum / count.max(1) as f64;
            return Ok(Some(Held { loss, decisions }));
        }
        let own = round.into_iter().collect::<Result<Vec<_>, _>>().map(|round| {
            let part = round.into_iter().nth(world.rank());
            go_on().then(|| part.map(|part| measured(model, &part, precision)))
        });
        let Some(round) = all_of(world, own)? else { return Ok(None) };
        for Measured { losses, decisions: own } in round {
            // One after the other, whatever part they are of.
            losses.iter().for_each(|&loss| sum += f64::from(loss));
            count += losses.len() as u64;
            decisions.join(own);
        }
    }
}

/// What every rank measured that had a part, in their order; none where one of them fails, or measured nothing
/// because it is to stop.
fn all_of(
    world: &dyn World,
    own: Result<Option<Option<Measured>>, DataError>,
) -> Result<Option<Vec<Measured>>, TrainError> {
    let own = world::together(world, own.map_err(TrainError::from))?;
    if world::any(world, own.is_none())? {
        return Ok(None);
    }
    let own = own.flatten();
    if world.size() == 1 {
        return Ok(Some(own.into_iter().collect()));
    }
    let message = own.as_ref().map_or_else(Vec::new, Measured::to_bytes);
    Ok(Some(world.messages(message)?.iter().filter_map(|bytes| Measured::read(bytes)).collect()))
}

/// What a model makes of a part of a batch.
struct Measured {
    /// Of each token that is learnt.
    losses: Vec<f32>,
    decisions: Decisions,
}

fn measured(model: &LanguageModel, part: &Batch, precision: Precision) -> Measured {
    let (tokens, targets) = tensors(part, &model.device());
    let manner = Manner { precision, ..Manner::default() };
    let Forward { logits, routes, .. } = model.forward_as(tokens, manner);
    let losses = token_losses(logits, targets).into_data();
    let is_learnt = |at: usize| part.weights.as_ref().is_none_or(|weights| weights[at] > 0.0);
    let losses = losses.iter::<f32>().enumerate().filter(|(at, _)| is_learnt(*at));
    Measured { losses: losses.map(|(_, loss)| loss).collect(), decisions: Decisions::of(&routes) }
}

impl Measured {
    /// For other ranks: the number of losses, the losses, and the decisions.
    fn to_bytes(&self) -> Vec<u8> {
        let count = (self.losses.len() as u64).to_le_bytes();
        let losses = self.losses.iter().flat_map(|loss| loss.to_le_bytes());
        let decisions = self.decisions.to_words().into_iter().flat_map(u64::to_le_bytes);
        count.into_iter().chain(losses).chain(decisions).collect()
    }

    /// What another rank said; none where it had no part.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (&count, rest) = bytes.split_first_chunk()?;
        let (losses, decisions) = rest.split_at_checked(4 * u64::from_le_bytes(count) as usize)?;
        let (losses, (words, _)) = (losses.as_chunks().0.iter(), decisions.as_chunks());
        let words: Vec<u64> = words.iter().map(|&word| u64::from_le_bytes(word)).collect();
        Some(Self {
            losses: losses.map(|&loss| f32::from_le_bytes(loss)).collect(),
            decisions: Decisions::of_words(&words)?,
        })
    }
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
