//! The fused kernels against the composed ones, which are Burn's own operations.

use burn::tensor::{DType, Device, Distribution, Int, Tensor, TensorData};

use super::composed;
use crate::{Activation, experts, mlp, select_top_k};

const ACTS: [Activation; 4] = [Activation::Swiglu, Activation::Geglu, Activation::Gelu, Activation::Relu2];

struct Case {
    x: Tensor<2>,
    indices: Tensor<2, Int>,
    gates: Tensor<2>,
    w_in: Tensor<3>,
    w_out: Tensor<3>,
    grad: Tensor<2>,
}

/// Random inputs in f64; experts beyond `used` get no token.
fn case(device: &Device, [n, d, e, used, k, f]: [usize; 6], act: Activation) -> Case {
    let random =
        |shape: [usize; 3]| Tensor::<3>::random(shape, Distribution::Normal(0.0, 1.0), (device, DType::F64));
    let scores = random([1, n, used]).squeeze_dim::<2>(0);
    Case {
        x: random([1, n, d]).squeeze_dim(0),
        indices: select_top_k(scores, k),
        gates: random([1, n, k]).squeeze_dim(0),
        w_in: random([e, act.inputs() * f, d]),
        w_out: random([e, d, f]),
        grad: random([1, n, d]).squeeze_dim(0),
    }
}

fn assert_close<const D: usize>(what: &str, fast: Tensor<D>, slow: Tensor<D>) {
    let values = |t: Tensor<D>| t.into_data().iter::<f64>().collect::<Vec<_>>();
    let (fast, slow) = (values(fast), values(slow));
    let scale = slow.iter().fold(1e-9f64, |max, v| max.max(v.abs()));
    let error = fast.iter().zip(&slow).fold(0.0f64, |max, (a, b)| max.max((a - b).abs())) / scale;
    assert!(fast.len() == slow.len() && error < 1e-12, "{what}: relative error {error:e}");
}

/// The fused kernels of `device` against the composed ones on Flex.
fn fused_matches_composed(device: Device) {
    let tracked = device.clone().autodiff();
    for act in ACTS {
        // More rows than one block, an expert without rows, sizes that are no multiple of anything.
        for sizes in [[700, 13, 5, 4, 2, 7], [3, 4, 6, 6, 1, 5], [1, 3, 2, 2, 2, 3]] {
            let Case { x, indices, gates, w_in, w_out, grad } = case(&Device::flex(), sizes, act);
            let on =
                |t: Tensor<2>| Tensor::<2>::from_data(t.into_data(), (&tracked, DType::F64)).require_grad();
            let (fast_x, fast_gates) = (on(x.clone()), on(gates.clone()));
            let on =
                |t: Tensor<3>| Tensor::<3>::from_data(t.into_data(), (&tracked, DType::F64)).require_grad();
            let (fast_in, fast_out) = (on(w_in.clone()), on(w_out.clone()));
            let fast_indices = Tensor::from_data(indices.to_data(), &tracked);
            let y = experts(
                fast_x.clone(),
                fast_indices,
                fast_gates.clone(),
                fast_in.clone(),
                fast_out.clone(),
                act,
            );
            let fast_grad = Tensor::<2>::from_data(grad.to_data(), (&tracked, DType::F64));
            let grads = (y.clone() * fast_grad).sum().backward();

            let (expected, hidden) = composed::forward(
                x.clone(),
                indices.clone(),
                gates.clone(),
                w_in.clone(),
                w_out.clone(),
                act,
            );
            assert_close("output", y.inner(), expected);
            let (dx, dgates, dw_in, dw_out) =
                composed::backward(grad, x, indices, gates, w_in, w_out, hidden, act);
            assert_close("x", fast_x.grad(&grads).unwrap(), dx);
            assert_close("gates", fast_gates.grad(&grads).unwrap(), dgates);
            assert_close("w_in", fast_in.grad(&grads).unwrap(), dw_in);
            assert_close("w_out", fast_out.grad(&grads).unwrap(), dw_out);
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
        let case = case(&device, [4, 3, 3, 3, 2, 3], act);
        let inputs = [
            case.x.clone().reshape([12]),
            case.gates.clone().reshape([8]),
            case.w_in.clone().reshape([3 * act.inputs() * 3 * 3]),
            case.w_out.clone().reshape([27]),
        ];
        let run = |inputs: &[Tensor<1>; 4]| {
            let [x, gates, w_in, w_out] = inputs.clone();
            experts(
                x.reshape([4, 3]),
                case.indices.clone(),
                gates.reshape([4, 2]),
                w_in.reshape([3, act.inputs() * 3, 3]),
                w_out.reshape([3, 3, 3]),
                act,
            )
        };
        let tracked = inputs.clone().map(|t| {
            Tensor::<1>::from_data(t.into_data(), (&device.clone().autodiff(), DType::F64)).require_grad()
        });
        let y = run(&tracked);
        let grads = (y * Tensor::from_inner(case.grad.clone())).sum().backward();
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
                    (run(&inputs) * case.grad.clone()).sum().into_scalar::<f64>()
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
    let routed = experts(
        x.clone(),
        Tensor::zeros([300, 1], &device),
        Tensor::ones([300, 1], &device),
        w_in.clone().unsqueeze(),
        w_out.clone().unsqueeze(),
        Activation::Swiglu,
    );
    let dense = mlp(x, w_in, w_out, Activation::Swiglu);
    assert_eq!(routed.into_data(), dense.into_data());
}

#[test]
fn selection_agrees_with_the_composed_one_with_ties_and_nan() {
    let device = Device::flex();
    let mut values: Vec<f32> = (0..600).map(|i| ((i * 7919) % 13) as f32).collect();
    values[5] = f32::NAN;
    values[77] = f32::NEG_INFINITY;
    let scores = Tensor::<2>::from_data(TensorData::new(values, [60, 10]), &device);
    let fast = select_top_k(scores.clone(), 4).into_data();
    assert_eq!(fast, composed::select_top_k(scores, 4).into_data());
}
