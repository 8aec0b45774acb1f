//! Attention in blocks, fused and composed, against the definition.

use burn::tensor::{Bool, DType, Device, Tensor, TensorData};

use super::{BOTH, devices, on, random, threads::assert_same_bits, values};
use crate::{
    Mixing, Precision, attention,
    attention::composed::{self, Tensors},
    rounded, with_rounded_gradient,
};

/// Queries, keys, values, sinks, and the gradient of the output.
#[derive(Clone)]
struct Case {
    inputs: [Tensor<4>; 3],
    sinks: Option<Tensor<1>>,
    grad: Tensor<4>,
    mixing: Mixing,
}

/// Names of an output and the gradients.
const PARTS: [&str; 5] = ["output", "q", "k", "v", "sinks"];

/// The output and the gradients of queries, keys, values and sinks; nothing of sinks where there are none.
type Outcome = [Vec<f64>; 5];

/// Sequences, queries, keys, heads, key-value heads, widths of keys and values, queries of a block.
const SIZES: [[usize; 8]; 8] = [
    [2, 70, 70, 3, 3, 8, 8, 32],
    [1, 300, 310, 4, 2, 20, 12, 64],
    [2, 3, 21, 4, 1, 6, 10, 3],
    [1, 1, 5, 2, 2, 4, 4, 16],
    [1, 1, 1, 1, 1, 2, 2, 1],
    [3, 10, 10, 2, 1, 4, 6, 4],
    [2, 1, 37, 8, 2, 12, 10, 16],
    [3, 1, 40, 6, 1, 9, 7, 4],
];

/// A key, a few, around the size of a block, nearly all of the keys of the largest case, and more than there
/// are.
const WINDOWS: [Option<usize>; 8] =
    [None, Some(1), Some(2), Some(4), Some(31), Some(65), Some(309), Some(1000)];

impl Case {
    fn random(
        [b, t, s, h, g, d, e, block]: [usize; 8],
        device: &Device,
        dtype: DType,
        precision: Precision,
    ) -> Self {
        let of = |shape| random(shape, device, dtype);
        let inputs = [of([b, t, h, d]), of([b, s, g, d]), of([b, s, g, e])];
        let mixing = Mixing { scale: 0.37, window: None, block, precision };
        Self { inputs, sinks: None, grad: of([b, t, h, e]), mixing }
    }

    fn through(self, window: Option<usize>) -> Self {
        Self { mixing: Mixing { window, ..self.mixing }, ..self }
    }

    /// With sinks around a value.
    fn with_sinks(self, around: f64) -> Self {
        let [_, _, heads, _] = self.grad.dims();
        let sinks = random([heads], &self.grad.device(), self.grad.dtype()) + around;
        Self { sinks: Some(sinks), ..self }
    }

    /// The same values in f64.
    fn in_f64(&self) -> Self {
        let wide = self.clone();
        Self {
            inputs: wide.inputs.map(|input| input.cast(DType::F64)),
            sinks: wide.sinks.map(|sinks| sinks.cast(DType::F64)),
            grad: wide.grad.cast(DType::F64),
            ..wide
        }
    }

    /// The output of `f` and the gradients of its inputs.
    fn outcome(&self, f: impl Fn([Tensor<4>; 3], Option<Tensor<1>>) -> Tensor<4>) -> Outcome {
        let device = self.grad.device().autodiff();
        let inputs = self.inputs.each_ref().map(|input| on(&device, input).require_grad());
        let sinks = self.sinks.as_ref().map(|sinks| on(&device, sinks).require_grad());
        let y = f(inputs.clone(), sinks.clone());
        let grads = (y.clone() * on(&device, &self.grad)).sum().backward();
        let [q, k, v] = inputs.map(|input| values(input.grad(&grads).unwrap()));
        [values(y), q, k, v, sinks.map_or(Vec::new(), |sinks| values(sinks.grad(&grads).unwrap()))]
    }

    fn fused(&self) -> Outcome {
        self.outcome(|[q, k, v], sinks| attention(q, k, v, sinks, self.mixing))
    }

    fn composed(&self) -> Outcome {
        let [q, k, v] = self.inputs.clone();
        let inputs = Tensors::new(q, k, v, self.sinks.clone(), self.mixing);
        let composed::Forward { output, probs, sunk } = composed::forward(inputs.clone());
        let grads = composed::backward(inputs, probs, sunk, self.grad.clone());
        let sinks = grads.sinks.map_or(Vec::new(), values);
        [values(output), values(grads.q), values(grads.k), values(grads.v), sinks]
    }

    /// Which keys a query does not see, one by one.
    fn hidden(&self, [t, s]: [usize; 2], device: &Device) -> Tensor<2, Bool> {
        let sees = |query: usize, key: usize| {
            let position = s - t + query;
            key <= position && self.mixing.window.is_none_or(|window| position - key < window)
        };
        let hidden: Vec<bool> = (0..t * s).map(|at| !sees(at / s, at % s)).collect();
        Tensor::from_data(TensorData::new(hidden, [t, s]), device)
    }

    /// All scores at once, on a tape. A product is what [`Precision`] says, forward and backward.
    fn defined(&self) -> Outcome {
        let Mixing { scale, precision, .. } = self.mixing;
        self.outcome(|[q, k, v], sinks| {
            let ([b, t, h, _], [_, s, g, _]) = (q.dims(), k.dims());
            let repeated = |x: Tensor<4>| {
                let [_, _, _, width] = x.dims();
                let x = x.unsqueeze_dim::<5>(3).expand([b, s, g, h / g, width]);
                x.reshape([b, s, h, width]).swap_dims(1, 2)
            };
            let product = |a: Tensor<4>, b: Tensor<4>| {
                let [a, b] = [a, b].map(|factor| rounded(factor, precision));
                with_rounded_gradient(a.matmul(b), precision)
            };
            let scores = product(q.swap_dims(1, 2), repeated(k).swap_dims(2, 3)) * scale;
            let hidden = self.hidden([t, s], &scores.device()).reshape([1, 1, t, s]).expand([b, h, t, s]);
            let scores = scores.mask_fill(hidden, f64::NEG_INFINITY);
            let greatest = scores.clone().detach().max_dim(3); // [B, H, T, 1]
            let weights = (scores - greatest.clone()).exp();
            let mut sum = weights.clone().sum_dim(3);
            if let Some(sinks) = sinks {
                sum = sum + (sinks.reshape([1, h, 1, 1]).expand([b, h, t, 1]) - greatest).exp();
            }
            product(weights / sum.expand([b, h, t, s]), repeated(v)).swap_dims(1, 2)
        })
    }
}

/// Every case: of each size through each window, without sinks and with some, in both precisions.
fn cases(device: &Device, dtype: DType) -> impl Iterator<Item = (String, Case)> {
    let sized = SIZES.into_iter().flat_map(|sizes| BOTH.map(|precision| (sizes, precision)));
    sized.flat_map(move |(sizes, precision)| {
        let case = Case::random(sizes, device, dtype, precision);
        WINDOWS.into_iter().flat_map(move |window| {
            let alone = case.clone().through(window);
            let sinks = alone.clone().with_sinks(0.5);
            let what = format!("{sizes:?}, window {window:?}, {precision:?}");
            [(what.clone(), alone), (format!("{what}, with sinks"), sinks)]
        })
    })
}

#[test]
fn blocks_make_what_all_scores_make() {
    for (name, device) in devices() {
        for (what, case) in cases(&device, DType::F64) {
            let defined = case.defined();
            for (how, found) in [("fused", case.fused()), ("composed", case.composed())] {
                for (part, (found, expected)) in PARTS.iter().zip(found.iter().zip(&defined)) {
                    let close = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-10);
                    assert!(close && found.len() == expected.len(), "{part}, {how}, {name}, {what}");
                }
            }
        }
    }
}

/// In f32 as far from the definition in f64 as sums of f32 are.
#[test]
fn f32_is_close_to_the_definition_in_f64() {
    let device = Device::flex();
    for (what, case) in cases(&device, DType::F32).filter(|(_, case)| case.mixing.precision == Precision::F32)
    {
        let (found, defined) = (case.fused(), case.in_f64().defined());
        for (part, (found, expected)) in PARTS.iter().zip(found.iter().zip(&defined)) {
            let largest = expected.iter().fold(0.0f64, |most, value| most.max(value.abs()));
            let error = found.iter().zip(expected).fold(0.0f64, |most, (a, b)| most.max((a - b).abs()));
            assert!(error <= 5e-6 * largest.max(1.0), "{part}, {what}: {error:e} of {largest:e}");
        }
    }
}

#[test]
fn without_a_tape_it_is_the_same() {
    for (_, device) in devices() {
        for (what, case) in cases(&device, DType::F32) {
            let [q, k, v] = case.inputs.clone();
            let [with_a_tape, ..] = case.fused();
            let without = attention(q, k, v, case.sinks.clone(), case.mixing);
            assert_eq!(values(without), with_a_tape, "{what}");
        }
    }
}

fn bits(outcome: Outcome) -> [Vec<u64>; 5] {
    outcome.map(|values| values.into_iter().map(f64::to_bits).collect())
}

#[test]
fn a_window_of_all_keys_is_none() {
    for (name, device) in devices() {
        for (sizes, dtype) in SIZES.into_iter().flat_map(|sizes| [DType::F32, DType::F64].map(|d| (sizes, d)))
        {
            for precision in BOTH {
                let [_, _, keys, ..] = sizes;
                let alone = Case::random(sizes, &device, dtype, precision);
                for case in [alone.clone(), alone.with_sinks(0.0)] {
                    let (fused, composed) = (bits(case.fused()), bits(case.composed()));
                    for window in [keys, keys + 1, usize::MAX] {
                        let case = case.clone().through(Some(window));
                        assert!(bits(case.fused()) == fused, "{sizes:?}, {window}, {dtype:?}, {name}");
                        assert!(bits(case.composed()) == composed, "{sizes:?}, {window}, {dtype:?}, {name}");
                    }
                }
            }
        }
    }
}

/// A query that sees one key is its value, whatever the scores are, and nothing flows back through them.
#[test]
fn a_window_of_one_key_is_its_value() {
    for (name, device) in devices() {
        let case =
            Case::random([2, 9, 13, 3, 3, 4, 5, 4], &device, DType::F32, Precision::F32).through(Some(1));
        let [y, q, k, v, _] = case.fused();
        let row = 3 * 5;
        let own = values(case.inputs[2].clone().narrow(1, 4, 9));
        assert_eq!(y, own, "{name}");
        assert!(q.iter().chain(&k).all(|&value| value == 0.0), "{name}");
        let grad = values(case.grad.clone());
        for (sequence, v) in v.chunks(13 * row).enumerate() {
            assert!(v[..4 * row].iter().all(|&value| value == 0.0), "{name}: keys that nobody sees");
            assert_eq!(v[4 * row..], grad[sequence * 9 * row..][..9 * row], "{name}");
        }
    }
}

/// Keys before the first that is seen: in blocks that do not reach them, and of one query.
#[test]
fn keys_that_nobody_sees_have_no_gradient() {
    for (name, device) in devices() {
        for (queries, window, unseen) in [(20, 6, 75), (1, 7, 93), (33, 50, 18)] {
            let sizes = [2, queries, 100, 4, 2, 5, 3, 8];
            for case in [
                Case::random(sizes, &device, DType::F32, Precision::F32),
                Case::random(sizes, &device, DType::F32, Precision::Bf16).with_sinks(0.0),
            ] {
                let case = case.through(Some(window));
                let [_, _, k, v, _] = case.fused();
                for (what, grad, width) in [("k", k, 5), ("v", v, 3)] {
                    for (i, value) in grad.into_iter().enumerate() {
                        let key = i / (2 * width) % 100;
                        assert_eq!(
                            value == 0.0,
                            key < unseen,
                            "{what} of key {key}, {queries}, {window}, {name}"
                        );
                    }
                }
            }
        }
    }
}

/// A score that no other is far enough below to be heard of.
#[test]
fn a_sink_without_a_score_changes_no_bit() {
    for (name, device) in devices() {
        for (what, case) in cases(&device, DType::F32).filter(|(_, case)| case.sinks.is_none()) {
            let sinks = Tensor::full([case.grad.dims()[2]], f64::NEG_INFINITY, (&device, DType::F32));
            let [alone, sunk] =
                [case.clone(), Case { sinks: Some(sinks), ..case }].map(|case| bits(case.fused()));
            assert!(alone[..4] == sunk[..4], "{what}, {name}");
        }
    }
}

/// One minus the sum of the probabilities would have lost it in f32.
#[test]
fn what_little_goes_to_a_sink_has_its_gradient() {
    for (name, device) in devices() {
        for around in [-40.0, -25.0, 12.0, 30.0] {
            for (sizes, window) in
                [([2, 70, 80, 4, 2, 8, 8, 32], Some(40)), ([3, 1, 40, 6, 1, 9, 7, 4], None)]
            {
                let case = Case::random(sizes, &device, DType::F32, Precision::F32);
                let case = case.through(window).with_sinks(around);
                let (found, expected) = (case.fused(), case.in_f64().defined());
                for (part, (found, expected)) in PARTS.iter().zip(found.iter().zip(&expected)) {
                    let largest = expected.iter().fold(0.0f64, |most, value| most.max(value.abs()));
                    let error =
                        found.iter().zip(expected).fold(0.0f64, |most, (a, b)| most.max((a - b).abs()));
                    assert!(error < 1e-4 * largest, "{part}, {around}, {name}: {error:e} of {largest:e}");
                }
            }
        }
    }
}

/// What has no gradient stands on no tape, and the others do.
#[test]
fn sinks_are_tracked_alone_or_not_at_all() {
    for (name, device) in devices() {
        let tracked = device.clone().autodiff();
        let case =
            Case::random([1, 6, 8, 2, 1, 3, 3, 4], &device, DType::F64, Precision::F32).with_sinks(0.0);
        let [_, whole_q, .., whole] = case.fused();
        let [q, k, v] = case.inputs.each_ref().map(|input| on(&tracked, input));
        let sinks = on(&tracked, case.sinks.as_ref().unwrap());
        let grad = on(&tracked, &case.grad);

        let alone = sinks.clone().require_grad();
        let y = attention(q.clone(), k.clone(), v.clone(), Some(alone.clone()), case.mixing);
        let grads = (y * grad.clone()).sum().backward();
        assert_eq!(values(alone.grad(&grads).unwrap()), whole, "{name}");

        // Constants of the device without a tape.
        let q = q.require_grad();
        let y = attention(q.clone(), k, v, case.sinks.clone(), case.mixing);
        let grads = (y * grad).sum().backward();
        assert_eq!(values(q.grad(&grads).unwrap()), whole_q, "{name}");
    }
}

#[test]
fn threads_change_no_bit() {
    for (name, device) in devices() {
        for precision in BOTH {
            let case = Case::random([2, 200, 230, 4, 2, 24, 20, 50], &device, DType::F32, precision);
            let through = case.clone().through(Some(77)).with_sinks(0.0);
            for case in [case, through] {
                assert_same_bits(&format!("{name}, {precision:?}"), || case.fused().to_vec());
            }
        }
    }
}

#[test]
fn what_is_no_window_and_no_sinks_is_refused() {
    let device = Device::flex();
    let case = Case::random([1, 3, 3, 2, 1, 4, 4, 2], &device, DType::F32, Precision::F32);
    for case in [case.clone().through(Some(0)), Case { sinks: Some(Tensor::zeros([3], &device)), ..case }] {
        let attend = || {
            let [q, k, v] = case.inputs.clone();
            attention(q, k, v, case.sinks.clone(), case.mixing)
        };
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(attend)).is_err());
    }
}
