//! Linear maps and the cross-entropy of a head, fused and composed, against Burn's own operations.

use std::panic::catch_unwind;

use burn::tensor::{DType, Device, Int, Tensor, TensorData, activation};

use super::slow_cross_entropy as composed;
use super::{devices, on, random, threads::assert_same_bits, values};
use crate::{Precision, head_cross_entropy, head_losses, linear, sum_of_squares};

/// The linear map in f32.
fn in_f32(x: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    linear(x, weight, Precision::F32)
}

/// The output of `f` and the gradients of its inputs.
pub(super) fn outcome<const R: usize>(
    [x, weight]: [&Tensor<2>; 2],
    grad: &Tensor<R>,
    f: impl Fn(Tensor<2>, Tensor<2>) -> Tensor<R>,
) -> Vec<Vec<f64>> {
    let device = x.device().autodiff();
    let (x, weight) = (on(&device, x).require_grad(), on(&device, weight).require_grad());
    let y = f(x.clone(), weight.clone());
    let grads = (y.clone() * on(&device, grad)).sum().backward();
    vec![values(y), values(x.grad(&grads).unwrap()), values(weight.grad(&grads).unwrap())]
}

pub(super) fn assert_close(what: &str, found: &[Vec<f64>], expected: &[Vec<f64>]) {
    for (part, (found, expected)) in found.iter().zip(expected).enumerate() {
        let close = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-10);
        assert!(close && found.len() == expected.len(), "{what}, part {part}: {found:?}, not {expected:?}");
    }
}

#[test]
fn linear_maps_are_products() {
    for (name, device) in devices() {
        // A row, a few, more than are few, and enough for several tasks.
        for [rows, width, out] in [[1, 5, 7], [4, 30, 70], [33, 65, 40], [300, 140, 150]] {
            let (x, weight) =
                (random([rows, width], &device, DType::F64), random([out, width], &device, DType::F64));
            let grad = random([rows, out], &device, DType::F64);
            let found = outcome([&x, &weight], &grad, in_f32);
            let expected = outcome([&x, &weight], &grad, |x, weight| x.matmul(weight.transpose()));
            assert_close(&format!("{rows} x {width} x {out}, {name}"), &found, &expected);
            let (dx, dw) = crate::linear::composed::backward(x, weight, grad, Precision::F32);
            assert_close("composed", &[values(dx), values(dw)], &expected[1..]);
        }
    }
}

/// A head, targets, and what each token weighs.
pub(super) struct Head {
    pub x: Tensor<2>,
    pub weight: Tensor<2>,
    targets: Vec<i64>,
    pub weights: Tensor<1>,
}

impl Head {
    pub fn random([rows, width, classes]: [usize; 3], device: &Device, dtype: DType) -> Self {
        Self {
            x: random([rows, width], device, dtype),
            weight: random([classes, width], device, dtype),
            targets: (0..rows).map(|row| (row * 7 % classes) as i64).collect(),
            weights: random([rows], device, dtype),
        }
    }

    pub fn targets(&self, device: &Device) -> Tensor<1, Int> {
        Tensor::from_data(TensorData::new(self.targets.clone(), [self.targets.len()]), device)
    }

    /// The loss and its gradients, for an upstream gradient of `grad`.
    pub fn outcome(
        &self,
        grad: f64,
        f: impl Fn(Tensor<2>, Tensor<2>, Tensor<1, Int>, Tensor<1>) -> Tensor<1>,
    ) -> Vec<Vec<f64>> {
        let grad = Tensor::<1>::full([1], grad, (&self.x.device(), self.x.dtype()));
        outcome([&self.x, &self.weight], &grad, |x, weight| {
            let device = x.device();
            f(x, weight, self.targets(&device), on(&device, &self.weights))
        })
    }
}

/// Of logits.
const SCALE: f64 = 0.7;

fn defined(x: Tensor<2>, weight: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    -activation::log_softmax(x.matmul(weight.transpose()) * SCALE, 1)
        .gather(1, targets.unsqueeze_dim(1))
        .squeeze_dim(1)
}

#[test]
fn the_cross_entropy_of_blocks_is_that_of_all_logits() {
    for (name, device) in devices() {
        for (sizes, block) in [([50, 12, 40], 16), ([7, 3, 5], 256), ([1, 4, 9], 1), ([64, 8, 100], 64)] {
            let head = Head::random(sizes, &device, DType::F64);
            let what = format!("{sizes:?}, {name}");
            let expected = head
                .outcome(1.5, |x, weight, targets, weights| (defined(x, weight, targets) * weights).sum());
            let found = head.outcome(1.5, |x, weight, targets, weights| {
                head_cross_entropy(x, weight, targets, weights, block, Precision::F32, SCALE)
            });
            assert_close(&what, &found, &expected);
            let (x, weight, targets) = (head.x.clone(), head.weight.clone(), head.targets(&device));
            let losses = [values(head_losses(
                x.clone(),
                weight.clone(),
                targets.clone(),
                block,
                Precision::F32,
                SCALE,
            ))];
            assert_close(&what, &losses, &[values(defined(x.clone(), weight.clone(), targets.clone()))]);
            let losses = [values(composed::losses(
                x.clone() * SCALE,
                weight.clone(),
                targets.clone(),
                block,
                Precision::F32,
            ))];
            assert_close(&what, &losses, &[values(defined(x.clone(), weight.clone(), targets.clone()))]);
            let (loss, dx, dw) =
                composed::forward(x * SCALE, weight, targets, head.weights.clone(), block, Precision::F32);
            let found = [values(loss), values(dx * 1.5 * SCALE), values(dw * 1.5)];
            assert_close(&format!("composed, {what}"), &found, &expected);
        }
    }
}

#[test]
fn a_target_that_is_no_class_is_refused() {
    for (_, device) in devices() {
        for target in [-1, 5] {
            let mut head = Head::random([3, 2, 5], &device, DType::F32);
            head.targets[1] = target;
            let (x, weight, targets) = (head.x.clone(), head.weight.clone(), head.targets(&device));
            let refused = catch_unwind(|| values(head_losses(x, weight, targets, 2, Precision::F32, SCALE)))
                .unwrap_err();
            assert!(
                refused.downcast_ref::<String>().unwrap().contains(&format!("target {target} of 5 classes"))
            );
        }
    }
}

#[test]
fn threads_change_no_bit() {
    for (name, device) in devices() {
        let head = Head::random([600, 130, 300], &device, DType::F32);
        assert_same_bits(&format!("cross_entropy, {name}"), || {
            head.outcome(1.5, |x, weight, targets, weights| {
                head_cross_entropy(x, weight, targets, weights, 256, Precision::F32, SCALE)
            })
        });
        let grad = random([600, 300], &device, DType::F32);
        assert_same_bits(&format!("linear, {name}"), || outcome([&head.x, &head.weight], &grad, in_f32));
        let many = random([100_000], &device, DType::F32);
        assert_same_bits(&format!("sum_of_squares, {name}"), || vec![values(sum_of_squares(many.clone()))]);
    }
}

#[test]
fn the_sum_of_squares_is_one() {
    for (name, device) in devices() {
        for count in [1, 33, 70_000] {
            let x = random([count], &device, DType::F64);
            let expected: f64 = values(x.clone()).iter().map(|value| value * value).sum();
            let found = values(sum_of_squares(x))[0];
            assert!((found / expected - 1.0).abs() < 1e-12, "{found}, not {expected}: {name}");
        }
    }
}
