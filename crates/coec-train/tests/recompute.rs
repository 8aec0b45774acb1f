//! Steps that compute parts of their forward pass again move the weights to the same bits.

mod common;

use coec_ir::{
    Act, AdamW, Coe, Dense, Ffn, Gate, Layer, Model, Precision, Recompute, Stack, Verified, verify,
};
use common::*;

/// Three layers, the last of which has no experts: 256 tokens, and products that several threads make.
///
/// Under an eps far above every gradient a movement is proportional to its gradient, and the last one is
/// far larger than the weight: no bit of a gradient is lost in a weight, as most are at an ordinary rate.
#[test]
fn three_steps_are_the_same_bits() {
    let config = AdamW { clip: 0.5, eps: 1e6, weight_decay: 0.0, ..adamw() };
    let coe = Coe { iter: 3, k: vec![2, 2, 1], experts: 8, hidden: 300, gate: Gate::Tied, ..chain() };
    let model = stacked(&[Ffn::Coe(coe.clone()), Ffn::Coe(coe), Ffn::Dense(dense(300))]);
    let steps = |recompute: Recompute, precision: Precision| {
        let train = |accumulate| coec_ir::Train { recompute, precision, ..train(config, accumulate) };
        let mut trainer = trainer(&model, config, |_, _| None);
        let mut seen = Vec::new();
        for (accumulate, start, lr) in [(2, 0, 1e5), (1, 99, 1e5), (4, 7, 1e12)] {
            let result;
            (trainer, result) = trainer.step(&train(accumulate), &counting(4, 64, start, 512), lr).unwrap();
            assert!(result.applied);
            seen.push((numbers(&result), result.selected));
        }
        (bits(&trainer), seen)
    };
    for &precision in Precision::ALL {
        let kept = steps(Recompute::None, precision);
        for recompute in [Recompute::Experts, Recompute::Layers] {
            let is_same = steps(recompute, precision) == kept;
            assert!(is_same, "recompute={} moves other bits, {}", recompute.word(), precision.word());
        }
    }
}

fn dense(hidden: usize) -> Dense {
    Dense::plain(hidden, Act::Swiglu)
}

/// A model of width 96 over 512 tokens with these sublayers behind its attentions.
fn stacked(ffns: &[Ffn]) -> Verified<Model> {
    let model = (*model(512, 96, Ffn::Dense(dense(1)))).clone();
    let attention = model.layers.iter().next().unwrap().attention.clone();
    let layers = ffns.iter().map(|ffn| Layer { attention: attention.clone(), ffn: ffn.clone() });
    let layers: Vec<Layer> = layers.collect();
    verify(Model { layers: Stack::from_layers(&layers), ..model }).unwrap()
}
