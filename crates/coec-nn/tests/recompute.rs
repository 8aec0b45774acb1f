//! Recomputation changes no bit, and what it performs is counted.

mod common;

use burn::tensor::{DType, Device, Int, Tensor};
use coec_ir::{
    Figure, Precision, Recompute,
    cost::{Cost, Setting},
};
use coec_nn::{Forward, LanguageModel, Manner, capture};
use common::*;

const AGAIN: [Recompute; 2] = [Recompute::Experts, Recompute::Layers];

/// What a pass computes, to the bit.
struct Bits {
    logits: Vec<u64>,
    losses: [u64; 2],
    gradients: Vec<(String, Vec<u32>)>,
    loads: Vec<u64>,
    selected: Vec<Vec<i64>>,
}

impl Bits {
    /// Asserts that these are `expected`, naming what is not. Gradients of layers in a loop have as many summands
    /// as passes, and here their sum is of sums.
    fn assert_are(&self, expected: &Self, name: &str, is_looped: bool) {
        assert!(self.logits == expected.logits, "{name}: logits");
        assert_eq!(self.losses, expected.losses, "{name}: losses");
        for (found, expected) in self.gradients.iter().zip(&expected.gradients) {
            let is_close = is_looped && is_close(&found.1, &expected.1);
            assert!(found == expected || is_close, "{name}: gradient of {}", expected.0);
        }
        assert_eq!(self.gradients.len(), expected.gradients.len(), "{name}: gradients");
        assert_eq!(
            (&self.loads, &self.selected),
            (&expected.loads, &expected.selected),
            "{name}: selections"
        );
    }
}

/// Whether gradients are the same but for the order in which they were summed.
fn is_close(found: &[u32], expected: &[u32]) -> bool {
    let floats = |bits: &[u32]| bits.iter().map(|&bits| f64::from(f32::from_bits(bits))).collect::<Vec<_>>();
    relative(&floats(found), &floats(expected)) < 1e-6
}

fn bits(model: &LanguageModel, forward: Forward, targets: Tensor<2, Int>) -> Bits {
    let wide = |values: Vec<f64>| values.into_iter().map(f64::to_bits).collect();
    let loads = forward.loads.iter().flat_map(|load| load.counts.to_data().iter::<f64>().collect::<Vec<_>>());
    let loads = wide(loads.collect());
    let selected =
        forward.routes.iter().map(|route| route.indices.to_data().iter::<i64>().collect()).collect();
    let results = results(model, forward, targets);
    let gradients = results.gradients.into_iter();
    Bits {
        logits: wide(results.logits),
        losses: [results.loss, results.aux_loss].map(f64::to_bits),
        gradients: gradients
            .map(|(name, grad)| (name, grad.into_iter().map(f32::to_bits).collect()))
            .collect(),
        loads,
        selected,
    }
}

fn of_every_word(device: &Device, dtype: DType) {
    for (name, model) in variants() {
        let model = verified(model);
        let built = build(&model, device, dtype);
        let (tokens, targets) = tokens(2, 7, model.vocab, device);
        for &precision in Precision::ALL {
            let pass = |recompute| {
                let forward = built.forward_as(tokens.clone(), Manner { recompute, precision });
                bits(&built, forward, targets.clone())
            };
            let kept = pass(Recompute::None);
            for recompute in AGAIN {
                let name = format!("{name}, {}, {}", precision.word(), recompute.word());
                let is_looped = !model.layers.loops().is_empty();
                pass(recompute).assert_are(&kept, &name, is_looped);
            }
        }
    }
}

#[test]
fn every_word_has_the_same_bits() {
    let device = Device::flex().autodiff();
    of_every_word(&device, DType::F32);
    of_every_word(&device, DType::F64);
}

#[test]
#[allow(deprecated)] // NdArray stays until upstream removes it
fn every_word_has_the_same_bits_on_ndarray() {
    of_every_word(&Device::ndarray().autodiff(), DType::F32);
}

/// The closed form counts what is performed again, and the real module performs exactly that.
#[test]
fn what_is_performed_again_is_counted() {
    for (name, model) in variants() {
        let model = verified(model);
        let setting = |recompute| Setting {
            context: 16,
            batch: 3,
            precision: Precision::F32,
            recompute,
            ranks: 1,
            shard: coec_ir::Shard::None,
        };
        let counts = |recompute| {
            capture::check_built(&model, setting(recompute)).unwrap_or_else(|error| panic!("{name}: {error}"))
        };
        let kept = counts(Recompute::None);
        for recompute in AGAIN {
            let again = counts(recompute);
            assert_eq!(again.forward, kept.forward, "{name}: {}", recompute.word());
            let performed = (again.forward + again.backward) / (3 * 16);
            let cost = Cost::of(&model, setting(recompute));
            assert_eq!(cost.figure(Figure::FlopsExecutedTrain), Some(performed.into()), "{name}");
            // The head is not performed again, and without experts neither is anything under `experts`.
            let head = 2 * (model.dim * model.vocab) as u128 * 3 * 16;
            let more = again.backward - kept.backward;
            let has_experts = model.layers.iter().any(|layer| layer.ffn.as_coe().is_some());
            match recompute {
                Recompute::Layers => assert_eq!(more, kept.forward - head, "{name}"),
                _ => assert_eq!(more > 0, has_experts, "{name}"),
            }
        }
    }
}
