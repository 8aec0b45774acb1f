//! Clipping by the global norm, seen in what a step does to the weights.
//!
//! With no memory (betas of 0) and an eps far above every gradient, AdamW moves a weight by
//! `lr / eps` times its gradient: the movement is the clipped gradient itself.

mod common;

use coec_ir::{AdamW, Ffn};
use coec_train::optimizer::global_norm;
use common::*;

/// A step with `clip`: what each weight lost, which is its gradient, and the norm before clipping.
fn movement(clip: f64) -> (Vec<f64>, f64) {
    let config = AdamW { lr: 1e6, betas: [0.0, 0.0], eps: 1e6, weight_decay: 0.0, clip };
    let small = |_: &str, i: usize| Some(0.3 * ((i * 37 % 19) as f32 / 9.0 - 1.0));
    let trainer = trainer(&model(16, 8, Ffn::Coe(chain())), config, small);
    let values = |trainer: &coec_train::step::Trainer| {
        let trained = trainer.model.tensors().into_iter();
        trained.filter(|(param, _)| !param.name.ends_with("bias")).flat_map(|(_, values)| values).collect()
    };
    let before: Vec<f32> = values(&trainer);
    let (trainer, result) = trainer.step(&train(config, 1), &counting(4, 8, 0, 16), config.lr).unwrap();
    assert!(result.applied);
    let after: Vec<f32> = values(&trainer);
    (before.iter().zip(&after).map(|(&a, &b)| f64::from(a) - f64::from(b)).collect(), result.grad_norm)
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

#[test]
fn without_a_clip_the_gradient_is_applied_whole() {
    let (moved, grad_norm) = movement(0.0);
    assert!((norm(&moved) / grad_norm - 1.0).abs() < 1e-4, "moved by {}, not by {grad_norm}", norm(&moved));
}

#[test]
fn a_longer_gradient_is_cut_to_the_clip() {
    let (_, grad_norm) = movement(0.0);
    let clip = grad_norm / 3.0;
    let (moved, reported) = movement(clip);
    assert!((norm(&moved) / clip - 1.0).abs() < 1e-4, "moved by {}, not by {clip}", norm(&moved));
    assert_eq!(reported, grad_norm, "the norm that is reported is the one before clipping");
}

#[test]
fn clipping_keeps_the_direction() {
    let (whole, grad_norm) = movement(0.0);
    let (cut, _) = movement(grad_norm / 3.0);
    let dot: f64 = whole.iter().zip(&cut).map(|(a, b)| a * b).sum();
    let cosine = dot / norm(&whole) / norm(&cut);
    assert!((cosine - 1.0).abs() < 1e-6, "the cosine is {cosine}");
}

#[test]
fn a_shorter_gradient_is_left_alone() {
    let (whole, grad_norm) = movement(0.0);
    assert_eq!(movement(grad_norm * 1.001).0, whole);
}

/// The norm of a step is that of all gradients together.
#[test]
fn the_norm_is_over_all_gradients() {
    let trainer = trainer(&model(16, 8, Ffn::Coe(chain())), adamw(), |_, _| None);
    let batch = counting(2, 8, 0, 16);
    let tensor = |ids: &[i32]| {
        let data = burn::tensor::TensorData::new(ids.to_vec(), [2, 8]);
        burn::tensor::Tensor::<2, burn::tensor::Int>::from_data(data, &trainer.device)
    };
    let loss = trainer.model.forward(tensor(&batch.inputs)).loss(tensor(&batch.targets));
    let grads = burn::optim::GradientsParams::from_grads(loss.backward(), &trainer.model);
    let all: Vec<f64> = trainer
        .model
        .gradients(&grads)
        .into_iter()
        .flat_map(|(_, values)| values.into_iter().map(f64::from))
        .collect();
    let found = global_norm(&trainer.model, &grads).unwrap().into_scalar::<f64>();
    assert!((found / norm(&all) - 1.0).abs() < 1e-6, "{found} is not {}", norm(&all));
}
