//! The fused kernels against the composed ones, which are Burn's own operations.

use burn::tensor::{DType, Device, Distribution, Int, Tensor, TensorData};

use super::composed;
use crate::{Act, experts, mlp, select_top_k};

const ACTS: [Act; 4] = [Act::Swiglu, Act::Geglu, Act::Gelu, Act::Relu2];

struct Case {
    x: Tensor<2>,
    indices: Tensor<2, Int>,
    gates: Tensor<2>,
    w_in: Tensor<3>,
    w_out: Tensor<3>,
    grad: Tensor<2>,
}

/// Random inputs in f64; experts beyond `used` get no token.
fn case(device: &Device, [n, d, e, used, k, f]: [usize; 6], act: Act) -> Case {
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
    let scale = slow.clone().abs().max().into_scalar::<f64>().max(1e-9);
    let error = (fast - slow).abs().max().into_scalar::<f64>() / scale;
    assert!(error < 1e-12, "{what}: relative error {error:e}");
}

fn fused_matches_composed(device: Device) {
    for act in ACTS {
        // More rows than one block, an expert without rows, sizes that are no multiple of anything.
        for sizes in [[700, 13, 5, 4, 2, 7], [3, 4, 6, 6, 1, 5], [1, 3, 2, 2, 2, 3]] {
            let case = case(&device, sizes, act);
            let track = |t: Tensor<2>| {
                Tensor::<2>::from_data(t.into_data(), (&device.clone().autodiff(), DType::F64)).require_grad()
            };
            let track3 = |t: Tensor<3>| {
                Tensor::<3>::from_data(t.into_data(), (&device.clone().autodiff(), DType::F64)).require_grad()
            };
            let (x, gates) = (track(case.x.clone()), track(case.gates.clone()));
            let (w_in, w_out) = (track3(case.w_in.clone()), track3(case.w_out.clone()));
            let y = experts(x.clone(), case.indices.clone(), gates.clone(), w_in.clone(), w_out.clone(), act);
            let (expected, hidden) = composed::forward(
                case.x.clone(),
                case.indices.clone(),
                case.gates.clone(),
                case.w_in.clone(),
                case.w_out.clone(),
                act,
            );
            assert_close("output", y.clone().inner(), expected);

            let grads = (y * Tensor::from_inner(case.grad.clone())).sum().backward();
            let (dx, dgates, dw_in, dw_out) = composed::backward(
                case.grad,
                case.x,
                case.indices,
                case.gates,
                case.w_in,
                case.w_out,
                hidden,
                act,
            );
            assert_close("x", x.grad(&grads).unwrap(), dx);
            assert_close("gates", gates.grad(&grads).unwrap(), dgates);
            assert_close("w_in", w_in.grad(&grads).unwrap(), dw_in);
            assert_close("w_out", w_out.grad(&grads).unwrap(), dw_out);
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
        Act::Swiglu,
    );
    let dense = mlp(x, w_in, w_out, Act::Swiglu);
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
