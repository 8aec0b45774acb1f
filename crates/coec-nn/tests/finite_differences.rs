//! The gradients of whole models against differences of their loss, in f64.

mod common;

use std::collections::HashMap;

use burn::tensor::{DType, Device};
use coec_nn::LanguageModel;
use common::*;

/// Step of the differences, in the direction of one tensor at a time: too small to change a
/// selection of experts.
const STEP: f64 = 1e-6;
/// Relative tolerance of the slopes.
const TOLERANCE: f64 = 1e-3;

/// Numbers in [-1, 1) that mean nothing.
fn direction(seed: usize, length: usize) -> Vec<f64> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64.wrapping_mul(seed as u64 + 1);
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f64 / (1u64 << 23) as f64 - 1.0
        })
        .collect()
}

/// Every word: along a direction in each tensor, the loss changes as its gradient says.
#[test]
fn gradients_are_slopes() {
    let device = Device::flex().autodiff();
    let plain = Device::flex();
    for (name, model) in variants() {
        let model = verified(model);
        let built = build(&model, &device, DType::F64);
        let vocab = model.vocab;
        let (tokens, targets) = tokens(2, 5, vocab, &device);
        let gradients = results(&built, built.forward(tokens), targets).gradients;
        let values: HashMap<String, Vec<f32>> =
            build(&model, &plain, DType::F64).tensors().into_iter().map(|(p, v)| (p.name, v)).collect();
        let loss_at = |moved: &str, at: &[f32]| {
            let source = |param: &coec_ir::Param| {
                Ok(if param.name == moved { at.to_vec() } else { values[&param.name].clone() })
            };
            let model = LanguageModel::with_dtype(&model, &plain, coec_nn::Source::Zeros, DType::F64)
                .unwrap()
                .load(source)
                .unwrap();
            let (tokens, targets) = common::tokens(2, 5, vocab, &plain);
            let forward = model.forward(tokens);
            let loss = coec_nn::cross_entropy(forward.logits, targets).into_scalar::<f64>();
            loss + forward.aux_loss.map_or(0.0, |aux| aux.into_scalar::<f64>())
        };
        for (i, (tensor, gradient)) in gradients.iter().enumerate() {
            let start = &values[tensor];
            let direction = direction(i, start.len());
            // Weights are read as f32: the step taken is the one between the rounded ends.
            let moved = |sign: f64| -> Vec<f32> {
                let step = sign * STEP;
                start.iter().zip(&direction).map(|(&v, d)| (f64::from(v) + step * d) as f32).collect()
            };
            let (ahead, behind) = (moved(1.0), moved(-1.0));
            let difference = loss_at(tensor, &ahead) - loss_at(tensor, &behind);
            let steps = ahead.iter().zip(&behind).map(|(&a, &b)| f64::from(a) - f64::from(b));
            let expected: f64 = steps.zip(gradient).map(|(step, &slope)| step * f64::from(slope)).sum();
            // What rounding leaves of so small a step.
            let floor = 1e-12;
            let error = (difference - expected).abs();
            assert!(
                error <= TOLERANCE * expected.abs() + floor,
                "{name}: along {tensor} the loss changes by {difference:e}, its gradient says {expected:e}"
            );
        }
    }
}
