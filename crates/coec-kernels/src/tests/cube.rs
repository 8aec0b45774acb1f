//! The kernels for GPUs against those of the CPU, and products of experts against the slow loop in f64.
//!
//! They run on the first device of wgpu, or of CUDA where wgpu is not compiled in; a software Vulkan device
//! does. A build with one of the two and no device fails.

use burn::tensor::{DType, Device, DeviceType, Int, Tensor, TensorData};

use super::{ACTS, BOTH, Product, on, random, sines, values};
use crate::{
    Activation, AdamWStep, Biases, Mixing, Pairing, Precision, adamw, attention, embed, head_cross_entropy,
    head_losses, linear, mlp, rms_norm, rotate, select_top_k, softmax, sum_of_squares,
};

/// The device under test.
fn gpu() -> Device {
    #[cfg(feature = "wgpu")]
    let kind = DeviceType::Wgpu;
    #[cfg(not(feature = "wgpu"))]
    let kind = DeviceType::Cuda;
    Device::enumerate(kind).into_iter().next().expect("a device to test")
}

/// The greatest difference over the greatest value.
fn error(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(1e-30, |most: f64, value| most.max(value.abs()));
    let differences = found.iter().zip(expected).map(|(a, b)| if a == b { 0.0 } else { (a - b).abs() });
    differences.fold(
        0.0,
        |most: f64, difference| if difference > most || difference.is_nan() { difference } else { most },
    ) / scale
}

fn assert_close(what: &str, found: &[f64], expected: &[f64]) {
    let error = error(found, expected);
    assert!(error < 1e-5, "{what}: {error:e}");
}

/// Outputs and gradients of `f` on a device, for inputs of given values, under random weights of the output.
fn outcome<const D: usize, const O: usize>(
    device: &Device,
    inputs: &[Tensor<D>],
    f: &dyn Fn(&[Tensor<D>]) -> Tensor<O>,
) -> Vec<Vec<f64>> {
    let device = device.clone().autodiff();
    let inputs: Vec<_> = inputs.iter().map(|input| on(&device, input).require_grad()).collect();
    let y = f(&inputs);
    let count = y.shape().num_elements();
    // Any weights, the same everywhere.
    let weights: Vec<f32> = (0..count).map(|i| ((i * 7919 + 13) % 101) as f32 / 50.0 - 1.0).collect();
    let weights = Tensor::<1>::from_data(TensorData::new(weights, [count]), &device).reshape(y.shape());
    let grads = (y.clone() * weights).sum().backward();
    let grads = inputs.iter().map(|input| values(input.grad(&grads).unwrap()));
    std::iter::once(values(y)).chain(grads).collect()
}

/// `f` on the device under test and on the CPU.
fn compare<const D: usize, const O: usize>(
    what: &str,
    inputs: &[Tensor<D>],
    f: impl Fn(&[Tensor<D>]) -> Tensor<O>,
) {
    let expected = outcome(&Device::flex(), inputs, &f);
    let found = outcome(&gpu(), inputs, &f);
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert_close(
            &format!("{what}, {}", if i == 0 { "output".into() } else { format!("input {i}") }),
            found,
            expected,
        );
    }
}

/// The same in a precision: where results are rounded before they enter the next product, neighbours of bf16 may
/// stand for sums that differ in the last digit.
fn compare_in<const D: usize, const O: usize>(
    precision: Precision,
    what: &str,
    inputs: &[Tensor<D>],
    f: impl Fn(&[Tensor<D>]) -> Tensor<O>,
) {
    if precision == Precision::F32 {
        return compare(what, inputs, f);
    }
    let (found, expected) = (outcome(&gpu(), inputs, &f), outcome(&Device::flex(), inputs, &f));
    for (found, expected) in found.iter().zip(&expected) {
        let error = error(found, expected);
        assert!(error < 5e-3, "{what} in bf16: {error:e}");
    }
}

fn normal<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    random(shape, &Device::flex(), DType::F32)
}

#[test]
fn products_of_experts_are_the_slow_loops() {
    // Tokens, width, experts, selected, expert width: sizes that no tile divides, one row an expert, more
    // experts than rows, all experts selected, and enough rows for large tiles.
    let sizes = [
        [1, 3, 1, 1, 2],
        [5, 7, 9, 2, 5],
        [40, 33, 4, 4, 17],
        [70, 20, 3, 1, 40],
        [300, 16, 2, 2, 24],
        [3, 70, 40, 3, 66],
        [600, 9, 2, 1, 5],
    ];
    let gpu = gpu();
    for (sizes, act) in sizes.into_iter().zip(ACTS.into_iter().cycle()) {
        let product = Product::random(sizes, act, &Device::flex(), DType::F32);
        for product in product.with_biases_and_without() {
            // The same in every run where there are limits, which a sum in f32 may be on the other side of.
            let product = if act == Activation::Clamped { product.with_sines() } else { product };
            let expected = product.in_f64().composed();
            for ((what, found), (_, expected)) in product.on(&gpu).fused().into_iter().zip(expected) {
                assert_close(&format!("{what} of {sizes:?}, {act:?}"), &found, &expected);
            }
        }
    }
}

/// Gates of nothing among them, which cannot be undone.
#[test]
fn products_of_experts_in_bf16_are_those_of_the_cpu() {
    let gpu = gpu();
    for sizes in [[70, 20, 5, 2, 17], [600, 9, 2, 1, 36]] {
        let product = Product::random(sizes, Activation::Swiglu, &Device::flex(), DType::F32);
        let mut product = product.with_biases();
        let gates = product.inputs.gates.clone();
        product.inputs.gates = gates.clone().mask_fill(gates.lower_elem(-0.5), 0.0);
        let product = product.within(Precision::Bf16);
        for ((what, found), (_, expected)) in product.on(&gpu).fused().into_iter().zip(product.fused()) {
            let error = error(&found, &expected);
            assert!(error < 5e-3, "{what} of {sizes:?}: {error:e}");
        }
    }
}

#[test]
fn experts_without_rows_and_with_all_of_them() {
    let gpu = gpu();
    let product = Product::random([150, 10, 6, 2, 8], Activation::Swiglu, &Device::flex(), DType::F32);
    let product = product.with_biases();
    // Every token to the last two experts; then one token elsewhere.
    for odd in [None, Some(77)] {
        let mut indices: Vec<i64> = (0..300).map(|slot| 5 - slot % 2).collect();
        if let Some(token) = odd {
            indices[2 * token] = 1;
        }
        let mut product = product.clone();
        product.inputs.indices =
            Tensor::<2, Int>::from_data(TensorData::new(indices, [150, 2]), &Device::flex());
        let expected = product.in_f64().composed();
        for ((what, found), (_, expected)) in product.on(&gpu).fused().into_iter().zip(expected) {
            assert_close(&format!("{what}, odd token {odd:?}"), &found, &expected);
        }
    }
}

#[test]
fn equal_runs_have_equal_bits() {
    let product = Product::random([90, 12, 5, 3, 11], Activation::Geglu, &Device::flex(), DType::F32);
    let product = product.with_biases().on(&gpu());
    let first = product.fused();
    for _ in 0..3 {
        assert_eq!(product.fused(), first);
    }
}

#[test]
fn mlps_and_linear_maps() {
    for [n, d, f] in [[1, 1, 1], [130, 37, 70], [65, 64, 3]] {
        for precision in BOTH {
            compare_in(precision, "linear", &[normal([n, d]), normal([f, d])], |x| {
                linear(x[0].clone(), x[1].clone(), precision)
            });
        }
        for act in ACTS {
            // The same in every run: a limit may have a sum on its other side, and the slope of swish has a zero,
            // next to which the gradient of a single number has few digits left.
            let inputs = [normal([n, d]), normal([act.inputs() * f, d]), normal([d, f])];
            let inputs = [0, 1, 2].map(|at| sines(at + 1, &inputs[at]));
            for precision in BOTH {
                compare_in(precision, "mlp", &inputs, |x| {
                    mlp(x[0].clone(), x[1].clone(), x[2].clone(), None, act, precision)
                });
                let [x, w_in, w_out] = inputs.clone();
                let (b_in, b_out) = (normal([1, act.inputs() * f]), normal([1, d]));
                let inputs = [x, w_in, w_out, sines(4, &b_in), sines(5, &b_out)];
                compare_in(precision, "mlp with biases", &inputs, |x| {
                    let [b_in, b_out] = [3, 4].map(|at| x[at].clone().squeeze_dim::<1>(0));
                    let biases = Some(Biases { b_in, b_out });
                    mlp(x[0].clone(), x[1].clone(), x[2].clone(), biases, act, precision)
                });
            }
        }
    }
    let wide = [normal([513, 40]), normal([520, 40])];
    compare("linear by large tiles", &wide, |x| linear(x[0].clone(), x[1].clone(), Precision::F32));
}

#[test]
fn attention_of_every_shape() {
    // Sequences, queries, keys, heads, key-value heads, width, width of values.
    for [b, t, s, h, g, d, e] in
        [[2, 5, 5, 3, 3, 4, 6], [1, 70, 70, 4, 2, 8, 5], [2, 3, 9, 6, 1, 7, 7], [1, 1, 300, 2, 2, 4, 4]]
    {
        let inputs = [normal([b, t, h, d]), normal([b, s, g, d]), normal([b, s, g, e])];
        for precision in BOTH {
            compare_in(precision, "attention", &inputs, |x| {
                let mixing = Mixing { scale: 0.3, window: None, block: 16, precision };
                attention(x[0].clone(), x[1].clone(), x[2].clone(), None, mixing)
            });
        }
    }
}

/// Windows of one key, of a few, and of more than there are; sinks among the scores, below and above them.
#[test]
fn attention_through_windows_and_with_sinks() {
    for [b, t, s, h, g, d, e] in [[2, 5, 5, 3, 3, 4, 6], [1, 70, 90, 4, 2, 8, 5], [1, 1, 300, 2, 2, 4, 4]] {
        let sinks = normal([1, 1, 1, h]) * 4.0;
        let inputs = [normal([b, t, h, d]), normal([b, s, g, d]), normal([b, s, g, e]), sinks];
        for window in [None, Some(1), Some(4), Some(37), Some(1000)] {
            for precision in BOTH {
                let mixing = Mixing { scale: 0.3, window, block: 16, precision };
                compare_in(precision, &format!("attention, window {window:?}, sinks"), &inputs, |x| {
                    let sinks = x[3].clone().reshape([h]);
                    attention(x[0].clone(), x[1].clone(), x[2].clone(), Some(sinks), mixing)
                });
                compare_in(precision, &format!("attention, window {window:?}"), &inputs[..3], |x| {
                    attention(x[0].clone(), x[1].clone(), x[2].clone(), None, mixing)
                });
            }
        }
    }
}

#[test]
fn look_ups() {
    let tokens: Vec<i64> = (0..700).map(|place| (place * place + 3) % 41).collect();
    for dim in [1, 300] {
        compare("embed", &[normal([50, dim])], |table| {
            let tokens = TensorData::new(tokens.clone(), [700]);
            embed(table[0].clone(), Tensor::<1, Int>::from_data(tokens, &table[0].device()))
        });
    }
}

#[test]
fn rows() {
    for [n, d] in [[1, 1], [70, 300], [150, 37]] {
        compare("softmax", &[normal([n, d])], |x| softmax(x[0].clone()));
        let weight = normal([1, d]);
        compare("rms_norm", &[normal([n, d]), weight], |x| {
            rms_norm(x[0].clone(), x[1].clone().reshape([d]), 1e-5)
        });
    }
    for pairs in [Pairing::HalfSplit, Pairing::Neighbours] {
        for width in [6, 7, 70] {
            let angles = normal([9, 3]);
            let (cos, sin) = (angles.clone().cos(), angles.sin());
            compare("rotate", &[normal([2, 9, 4, width])], |x| {
                let device = x[0].device();
                rotate(x[0].clone(), on(&device, &cos), on(&device, &sin), pairs)
            });
        }
    }
}

#[test]
fn the_loss_of_a_head() {
    for [n, d, v, block] in [[1, 2, 3, 4], [90, 20, 300, 32], [64, 33, 70, 64]] {
        let targets: Vec<i64> = (0..n as i64).map(|row| (row * 31 + 2) % v as i64).collect();
        let weights: Vec<f32> = (0..n).map(|row| (row % 3) as f32 / 100.0).collect();
        let targets =
            |device: &Device| Tensor::<1, Int>::from_data(TensorData::new(targets.clone(), [n]), device);
        compare("cross_entropy", &[normal([n, d]), normal([v, d])], |x| {
            let device = x[0].device();
            let weights = Tensor::from_data(TensorData::new(weights.clone(), [n]), &device);
            head_cross_entropy(
                x[0].clone(),
                x[1].clone(),
                targets(&device),
                weights,
                block,
                Precision::F32,
                1.5,
            )
        });
        let (x, weight) = (normal([n, d]), normal([v, d]));
        let losses = |device: &Device| {
            values(head_losses(
                on(device, &x),
                on(device, &weight),
                targets(device),
                block,
                Precision::F32,
                1.5,
            ))
        };
        assert_close("losses", &losses(&gpu()), &losses(&Device::flex()));
    }
}

#[test]
fn selections_are_those_of_the_cpu() {
    for [n, e, k] in [[1, 1, 1], [40, 7, 7], [33, 130, 6]] {
        // Many ties, zeros of both signs, infinities and NaN.
        let scores: Vec<f32> = (0..n * e)
            .map(|i| match (i * 7919) % 23 {
                0 => f32::NAN,
                1 => f32::INFINITY,
                2 => f32::NEG_INFINITY,
                3 => -0.0,
                4 => 0.0,
                other => (other as f32 - 12.0) / 3.0,
            })
            .collect();
        let selected = |device: &Device| {
            let scores = Tensor::<2>::from_data(TensorData::new(scores.clone(), [n, e]), device);
            select_top_k(scores, k).into_data().iter::<i64>().collect::<Vec<_>>()
        };
        assert_eq!(selected(&gpu()), selected(&Device::flex()), "{k} of {e}");
    }
}

#[test]
fn updates_and_norms() {
    let step = AdamWStep {
        lr: 0.01,
        betas: [0.9, 0.95],
        eps: 1e-8,
        weight_decay: 0.1,
        corrections: [0.19, 0.0975],
        scale: 0.7,
    };
    for n in [1, 5000, 70_000] {
        let inputs = [normal([n]), normal([n]), normal([n]), normal([n]).square()];
        let updated = |device: &Device| {
            let [param, grad, first, second] = inputs.clone().map(|input| on(device, &input));
            let sum = sum_of_squares(grad.clone());
            let (param, first, second) = adamw(param, grad, first, second, step);
            [values(param), values(first), values(second), values(sum)]
        };
        for (found, expected) in updated(&gpu()).iter().zip(&updated(&Device::flex())) {
            assert_close("adamw", found, expected);
        }
    }
}
