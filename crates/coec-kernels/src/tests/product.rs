//! The fused kernels against the composed ones, which are Burn's own operations.

use burn::tensor::{DType, Device, Distribution, Tensor, TensorData};

use super::{ACTS, BOTH, Product, random};
use crate::{Activation, Biases, Precision, experts, experts::tensors::Tensors, mlp, select_top_k};

/// Random inputs in f64; experts beyond `used` get no token.
fn case(device: &Device, [n, d, e, used, k, f]: [usize; 6], act: Activation) -> Product {
    let mut product = Product::random([n, d, e, k, f], act, device, DType::F64);
    product.inputs.indices = select_top_k(random([n, used], device, DType::F64), k);
    product
}

fn assert_close(what: &str, fast: &[f64], slow: &[f64]) {
    let scale = slow.iter().fold(1e-9f64, |max, v| max.max(v.abs()));
    let error = fast.iter().zip(slow).fold(0.0f64, |max, (a, b)| max.max((a - b).abs())) / scale;
    assert!(fast.len() == slow.len() && error < 1e-12, "{what}: relative error {error:e}");
}

/// The fused kernels of `device` against the composed ones on Flex.
fn fused_matches_composed(device: Device) {
    for act in ACTS {
        // More rows than one block, an expert without rows, sizes that are no multiple of anything.
        for sizes in [[700, 13, 5, 4, 2, 7], [3, 4, 6, 6, 1, 5], [1, 3, 2, 2, 2, 3]] {
            let cases = case(&Device::flex(), sizes, act).with_biases_and_without();
            for (product, precision) in cases.into_iter().flat_map(|case| BOTH.map(|p| (case.clone(), p))) {
                let product = product.within(precision);
                let (fast, slow) = (product.on(&device).fused(), product.composed());
                assert_eq!(fast.len(), slow.len());
                for ((what, fast), (_, slow)) in fast.iter().zip(&slow) {
                    assert_close(&format!("{what}, {precision:?}"), fast, slow);
                }
            }
        }
    }
}

#[cfg(feature = "flex")]
#[test]
fn fused_matches_composed_on_flex() {
    fused_matches_composed(Device::flex());
}

#[cfg(feature = "ndarray")]
#[test]
#[allow(deprecated)] // NdArray stays until upstream removes it
fn fused_matches_composed_on_ndarray() {
    fused_matches_composed(Device::ndarray());
}

/// The gradient of every input, against differences of the function itself.
#[test]
fn gradients_match_finite_differences() {
    let device = Device::flex();
    for act in ACTS {
        let Product {
            inputs: Tensors { x, indices, gates, w_in, w_out, biases, .. }, grad: upstream, ..
        } = case(&device, [4, 3, 3, 3, 2, 3], act).with_biases();
        let Biases { b_in, b_out } = biases.unwrap();
        let inputs = [
            x.reshape([12]),
            gates.reshape([8]),
            w_in.reshape([3 * act.inputs() * 3 * 3]),
            w_out.reshape([27]),
            b_in.reshape([3 * act.inputs() * 3]),
            b_out.reshape([9]),
        ];
        let run = |inputs: &[Tensor<1>; 6]| {
            let [x, gates, w_in, w_out, b_in, b_out] = inputs.clone();
            let (b_in, b_out) = (b_in.reshape([3, act.inputs() * 3]), b_out.reshape([3, 3]));
            experts(
                x.reshape([4, 3]),
                indices.clone(),
                gates.reshape([4, 2]),
                w_in.reshape([3, act.inputs() * 3, 3]),
                w_out.reshape([3, 3, 3]),
                Some(Biases { b_in, b_out }),
                act,
                Precision::F32,
            )
        };
        let tracked = inputs.clone().map(|t| {
            Tensor::<1>::from_data(t.into_data(), (&device.clone().autodiff(), DType::F64)).require_grad()
        });
        let y = run(&tracked);
        let grads = (y * Tensor::from_inner(upstream.clone())).sum().backward();
        for (which, input) in inputs.iter().enumerate() {
            let grad: Vec<f64> = tracked[which].grad(&grads).unwrap().into_data().iter::<f64>().collect();
            let values: Vec<f64> = input.to_data().iter::<f64>().collect();
            for i in 0..values.len() {
                let at = |shift: f64| {
                    let mut moved = values.clone();
                    moved[i] += shift;
                    let mut inputs = inputs.clone();
                    let count = moved.len();
                    inputs[which] = Tensor::from_data(TensorData::new(moved, [count]), (&device, DType::F64));
                    (run(&inputs) * upstream.clone()).sum().into_scalar::<f64>()
                };
                let slope = (at(1e-6) - at(-1e-6)) / 2e-6;
                assert!(
                    (slope - grad[i]).abs() < 1e-6 * (1.0 + slope.abs()),
                    "{act:?} input {which} element {i}: {slope} by differences, {} by the kernel",
                    grad[i]
                );
            }
        }
    }
}

/// Dense is the same kernel with one expert: bit for bit.
#[test]
fn one_expert_is_the_mlp_bitwise() {
    let device = Device::flex();
    let random = |shape: [usize; 2]| Tensor::<2>::random(shape, Distribution::Normal(0.0, 1.0), &device);
    let (x, w_in, w_out) = (random([300, 16]), random([48, 16]), random([16, 24]));
    let biases = Biases { b_in: random([1, 48]), b_out: random([1, 16]) };
    for (precision, biases) in BOTH.into_iter().flat_map(|p| [(p, None), (p, Some(biases.clone()))]) {
        let routed = experts(
            x.clone(),
            Tensor::zeros([300, 1], &device),
            Tensor::ones([300, 1], &device),
            w_in.clone().unsqueeze(),
            w_out.clone().unsqueeze(),
            biases.clone(),
            Activation::Swiglu,
            precision,
        );
        let biases = biases.map(|biases| biases.map(|bias| bias.squeeze_dim::<1>(0)));
        let dense = mlp(x.clone(), w_in.clone(), w_out.clone(), biases, Activation::Swiglu, precision);
        assert_eq!(routed.into_data(), dense.into_data());
    }
}

#[test]
fn selection_agrees_with_the_composed_one_with_ties_and_nan() {
    let device = Device::flex();
    let mut values: Vec<f32> = (0..600).map(|i| ((i * 7919) % 13) as f32).collect();
    values[5] = f32::NAN;
    values[77] = f32::NEG_INFINITY;
    let scores = Tensor::<2>::from_data(TensorData::new(values, [60, 10]), &device);
    let fast = select_top_k(scores.clone(), 4).into_data();
    assert_eq!(fast, select_top_k::composed::select_top_k(scores, 4).into_data());
}
