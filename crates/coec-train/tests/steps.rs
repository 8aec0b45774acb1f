//! What a step does: it learns, moves the selection biases the right way, and does nothing at all
//! where a number is not finite.

mod common;

use coec_ir::{AdamW, Balance, Coe, Ffn, Gate};
use coec_train::step::Trainer;
use common::*;

/// Inputs with this token find a spoilt row of the embedding, all others do not.
const SPOILT: usize = 15;

/// A step over a batch that is not finite, between two that are, leaves no trace: neither in the
/// weights and biases, nor in the moments, nor in the count of steps, which the third step reads.
fn a_step_leaves_no_trace(value: f32) {
    let spoil =
        |name: &str, i: usize| (name == "model.embed_tokens.weight" && i / 8 == SPOILT).then_some(value);
    let config = AdamW { clip: 1.0, ..adamw() };
    let (train, lr) = (train(config, 1), 1e-2);
    let fine = |start| counting(4, 8, start, SPOILT); // tokens below the spoilt one
    let first = || {
        let trainer = trainer(&model(16, 8, Ffn::Coe(chain())), config, spoil);
        let (trainer, result) = trainer.step(&train, &fine(0), lr).unwrap();
        assert!(result.applied);
        trainer
    };
    let (interrupted, straight) = (first(), first());
    let before = bits(&interrupted);
    let (interrupted, result) = interrupted.step(&train, &counting(4, 8, SPOILT - 2, 16), lr).unwrap();
    assert!(!result.applied, "a loss of {} was applied", result.loss);
    assert!(!(result.loss + result.grad_norm).is_finite());
    assert!(bits(&interrupted) == before, "a step that was not applied changed a tensor");

    let (interrupted, a) = interrupted.step(&train, &fine(5), lr).unwrap();
    let (straight, b) = straight.step(&train, &fine(5), lr).unwrap();
    assert_eq!(numbers(&a), numbers(&b));
    assert!(bits(&interrupted) == bits(&straight), "the step after it is another one");
}

#[test]
fn a_nan_leaves_weights_biases_and_moments_alone() {
    a_step_leaves_no_trace(f32::NAN);
}

#[test]
fn an_infinity_leaves_weights_biases_and_moments_alone() {
    a_step_leaves_no_trace(f32::INFINITY);
}

/// Weights so large that the loss is a number and the square of its gradient is none.
#[test]
fn a_gradient_without_a_norm_is_not_applied() {
    let large = |name: &str, i: usize| (name == "lm_head.weight").then(|| 1e25 * ((i * 7 % 5) as f32 - 2.0));
    let trainer = trainer(&model(16, 8, Ffn::Coe(chain())), adamw(), large);
    let before = bits(&trainer);
    let (trainer, result) = trainer.step(&train(adamw(), 1), &counting(4, 8, 0, 16), 1e-2).unwrap();
    assert!(result.loss.is_finite() && !result.grad_norm.is_finite(), "{} {}", result.loss, result.grad_norm);
    assert!(!result.applied);
    assert!(bits(&trainer) == before, "a step that was not applied changed a tensor");
}

/// The selection biases by name after one step from biases that decide every selection: the scores
/// they are added to are below 1.
fn moved(coe: Coe, bias: impl Fn(&str) -> [f32; 4]) -> Vec<(String, Vec<f32>)> {
    let start = |name: &str, i: usize| name.ends_with("e_score_correction_bias").then(|| bias(name)[i]);
    let trainer = trainer(&model(16, 8, Ffn::Coe(coe)), adamw(), start);
    let (trainer, _) = trainer.step(&train(adamw(), 1), &counting(4, 8, 0, 16), 1e-3).unwrap();
    let tensors = trainer.model.tensors().into_iter();
    let biases = tensors.filter(|(param, _)| param.name.ends_with("e_score_correction_bias"));
    biases.map(|(param, values)| (param.name, values)).collect()
}

fn balanced_by(rate: f64) -> Coe {
    Coe { balance: vec![Balance::Bias { rate }], ..chain() }
}

#[test]
fn the_bias_of_an_overloaded_expert_falls_and_of_an_idle_one_rises() {
    for (name, bias) in moved(balanced_by(0.25), |_| [8.0, 4.0, 0.0, -4.0]) {
        assert_eq!(bias, [7.75, 3.75, 0.25, -3.75], "{name}");
    }
}

#[test]
fn each_iteration_of_an_independent_gate_moves_its_own_bias() {
    let first = |name: &str| name.contains(".gate.0.");
    let biases =
        moved(
            balanced_by(0.25),
            |name| if first(name) { [8.0, 4.0, 0.0, -4.0] } else { [-4.0, 0.0, 4.0, 8.0] },
        );
    assert_eq!(biases.len(), 2);
    for (name, bias) in biases {
        let expected = if first(&name) { [7.75, 3.75, 0.25, -3.75] } else { [-3.75, 0.25, 3.75, 7.75] };
        assert_eq!(bias, expected, "{name}");
    }
}

/// Three experts in the first iteration and one in the second: each alone would move the bias of the
/// second and third expert, their sum is the mean and does not.
#[test]
fn the_bias_of_a_tied_gate_sees_the_sum_of_its_iterations() {
    let coe = Coe { gate: Gate::Tied, k: vec![3, 1], ..balanced_by(0.25) };
    let biases = moved(coe, |_| [8.0, 4.0, 2.0, -4.0]);
    assert_eq!(biases.len(), 1);
    assert_eq!(biases[0].1, [7.75, 4.0, 2.0, -3.75]);
}

#[test]
fn equal_loads_leave_the_bias_where_it_is() {
    let coe = Coe { k: vec![4, 4], ..balanced_by(0.25) };
    for (name, bias) in moved(coe, |_| [8.0, 4.0, 0.0, -4.0]) {
        assert_eq!(bias, [8.0, 4.0, 0.0, -4.0], "{name}");
    }
}

#[test]
fn a_bias_is_not_trained_by_gradient() {
    let coe = Coe { balance: vec![Balance::Bias { rate: 0.0 }], ..chain() };
    for (name, bias) in moved(coe, |_| [8.0, 4.0, 0.0, -4.0]) {
        assert_eq!(bias, [8.0, 4.0, 0.0, -4.0], "{name}");
    }
}

/// The parts of a batch make the same step as the whole, up to the order of sums.
#[test]
fn a_batch_in_parts_is_the_same_step() {
    let step = |parts: usize| {
        let trainer = trainer(&model(16, 8, Ffn::Coe(chain())), adamw(), |_, _| None);
        trainer.step(&train(adamw(), parts), &counting(4, 8, 0, 16), 1e-3).unwrap().1
    };
    let (whole, parts) = (step(1), step(4));
    assert!((whole.loss / parts.loss - 1.0).abs() < 1e-6);
    assert!((whole.grad_norm / parts.grad_norm - 1.0).abs() < 1e-5);
}

#[test]
fn the_loss_falls_where_there_is_something_to_learn() {
    let config = AdamW { clip: 1.0, ..adamw() };
    let mut trainer: Trainer = trainer(&model(16, 16, Ffn::Coe(chain())), config, |_, _| None);
    let mut losses = Vec::new();
    for step in 0..80 {
        let (next, result) = trainer.step(&train(config, 1), &counting(4, 8, step * 5, 16), 1e-2).unwrap();
        assert!(result.applied);
        trainer = next;
        losses.push(result.loss);
    }
    // ln 16 = 2.77 nats at first; the next token follows from the one before it.
    assert!((losses[0] - 16f64.ln()).abs() < 0.1, "{}", losses[0]);
    assert!(losses[79] < 0.2, "{}", losses[79]);
}
