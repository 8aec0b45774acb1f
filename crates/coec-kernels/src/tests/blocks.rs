//! Kernels above the size of their blocks, where a second block, chunk or task begins.

use burn::tensor::{DType, Device, Tensor};

use super::{ACTS, Product, devices, on, random, values};
use crate::{AdamWStep, Pairing, adamw, rms_norm, rotate, select_top_k};

/// Within `tolerance` of the largest value.
fn assert_close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0f64, |max, v| max.max(v.abs()));
    let error = found.iter().zip(expected).fold(0.0f64, |max, (a, b)| max.max((a - b).abs())) / largest;
    assert!(error < tolerance, "{what}: {error:e} of the largest value, allowed {tolerance:e}");
}

/// 256 rows are a block, and 256 rows of a weight's gradient: here are three of each, the last ragged.
#[test]
fn the_third_block_of_the_experts_is_right() {
    for (name, device) in devices() {
        for act in ACTS {
            // 700 tokens, each to 2 of 2 experts; W_in has 560 or 280 rows, W_out 520.
            let product = Product::random([700, 520, 2, 2, 280], act, &device, DType::F64).with_biases();
            // Composed on Flex: NdArray's own sigmoid is one of f32.
            let expected = product.on(&Device::flex()).composed();
            for ((what, found), (_, expected)) in product.fused().into_iter().zip(expected) {
                assert_close(&format!("{what}, {act:?}, {name}"), &found, &expected, 1e-12);
            }
        }
    }
}

/// 64 rows are a task.
#[test]
fn the_fourth_task_of_a_selection_is_right() {
    for (name, device) in devices() {
        let scores = random([200, 300], &device, DType::F32);
        let found = select_top_k(scores.clone(), 9).into_data();
        assert_eq!(found, select_top_k::composed::select_top_k(scores, 9).into_data(), "{name}");
    }
}

/// The values of `f` and its gradients under fixed upstream values.
fn outcome<const R: usize>(
    x: &Tensor<R>,
    grad: &Tensor<R>,
    f: impl Fn(Tensor<R>) -> Tensor<R>,
) -> [Vec<f64>; 2] {
    let device = x.device().autodiff();
    let x = on(&device, x).require_grad();
    let y = f(x.clone());
    let grads = (y.clone() * on(&device, grad)).sum().backward();
    [values(y), values(x.grad(&grads).unwrap())]
}

/// 64 tokens are a task.
#[test]
fn later_heads_of_a_rotation_are_right() {
    for (name, device) in devices() {
        for (pairs, half) in
            [Pairing::HalfSplit, Pairing::Neighbours].into_iter().flat_map(|p| [(p, 40), (p, 13)])
        {
            let angles = random([130, half], &device, DType::F64);
            let (cos, sin) = (angles.clone().cos(), angles.sin());
            let shape = [3, 130, 5, 80];
            let (x, grad) = (random(shape, &device, DType::F64), random(shape, &device, DType::F64));
            let table = |tensor: &Tensor<2>| on(&device.clone().autodiff(), tensor);
            let fused = outcome(&x, &grad, |x| rotate(x, table(&cos), table(&sin), pairs));
            let slow =
                outcome(&x, &grad, |x| rotate::composed::rotated(x, table(&cos), table(&sin), pairs, false));
            for (what, (found, expected)) in ["output", "gradient"].iter().zip(fused.iter().zip(&slow)) {
                assert_close(&format!("{what}, {half} {pairs:?}, {name}"), found, expected, 1e-13);
            }
        }
    }
}

/// 64 rows are a task, and a partial sum of the weight's gradient.
#[test]
fn later_tasks_of_rms_norm_are_right() {
    for (name, device) in devices() {
        let (x, weight) = (random([300, 700], &device, DType::F64), random([700], &device, DType::F64));
        let grad = random([300, 700], &device, DType::F64);
        let tracked = device.clone().autodiff();
        let run = |f: &dyn Fn(Tensor<2>, Tensor<1>) -> Tensor<2>| {
            let (x, weight) = (on(&tracked, &x).require_grad(), on(&tracked, &weight).require_grad());
            let y = f(x.clone(), weight.clone());
            let grads = (y.clone() * on(&tracked, &grad)).sum().backward();
            let [dx, dw] = [values(x.grad(&grads).unwrap()), values(weight.grad(&grads).unwrap())];
            [("output", values(y)), ("x", dx), ("weight", dw)]
        };
        let fused = run(&|x, weight| rms_norm(x, weight, 1e-5));
        let slow = run(&|x, weight| rms_norm::composed::forward(x, weight, 1e-5).0);
        for ((what, found), (_, expected)) in fused.into_iter().zip(slow) {
            assert_close(&format!("{what}, {name}"), &found, &expected, 1e-12);
        }
    }
}

/// One step of AdamW as it is written down, in f64.
fn definition(step: &AdamWStep, param: &mut f64, grad: f64, first: &mut f64, second: &mut f64) {
    let [b1, b2] = step.betas;
    *param *= 1.0 - step.lr * step.weight_decay;
    *first = b1 * *first + (1.0 - b1) * grad;
    *second = b2 * *second + (1.0 - b2) * grad.powi(2);
    *param -= step.lr * (*first / step.corrections[0]) / ((*second / step.corrections[1]).sqrt() + step.eps);
}

/// 32768 elements are a chunk: here are two and a ragged third, over three steps.
#[test]
fn the_third_chunk_of_adamw_is_the_definition() {
    const COUNT: usize = 2 * (1 << 15) + 12_345;
    for (name, device) in devices() {
        for (dtype, tolerance) in [(DType::F32, 3e-7), (DType::F64, 1e-14)] {
            let tensor = || random([COUNT], &device, dtype);
            let mut state = [tensor(), tensor(), tensor().square()];
            let mut expected = state.clone().map(values);
            for t in 1..=3 {
                let betas = [0.9, 0.95];
                let corrections = betas.map(|beta: f64| 1.0 - beta.powi(t));
                let step =
                    AdamWStep { lr: 0.01, betas, eps: 1e-8, weight_decay: 0.1, corrections, scale: 1.0 };
                let grad = tensor();
                let [param, first, second] = &mut expected;
                for (i, grad) in values(grad.clone()).into_iter().enumerate() {
                    definition(&step, &mut param[i], grad, &mut first[i], &mut second[i]);
                }
                let [param, first, second] = state;
                let (param, first, second) = adamw(param, grad, first, second, step);
                state = [param, first, second];
            }
            for (what, (found, expected)) in
                ["parameter", "first", "second"].iter().zip(state.into_iter().zip(&expected))
            {
                assert_close(&format!("{what}, {dtype:?}, {name}"), &values(found), expected, tolerance);
            }
        }
    }
}
