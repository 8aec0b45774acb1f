//! Sums and softmaxes, fused and composed, against Burn's own operations on a tape.

use burn::tensor::{DType, Device, Tensor, activation};

use super::{devices, on, random, threads::assert_same_bits, values};
use crate::{add, softmax, softmax::composed};

/// Rows and columns: around what a task takes, and around what a vector holds.
const SIZES: [[usize; 2]; 5] = [[1, 1], [3, 16], [64, 40], [65, 33], [200, 100]];

/// The output of `f` and the gradients of both inputs, for a gradient `grad` of the output.
fn outcome<const N: usize>(
    inputs: [&Tensor<2>; N],
    grad: &Tensor<2>,
    f: impl Fn([Tensor<2>; N]) -> Tensor<2>,
) -> Vec<Vec<f64>> {
    let device = grad.device().autodiff();
    let inputs = inputs.map(|input| on(&device, input).require_grad());
    let y = f(inputs.clone());
    let grads = (y.clone() * on(&device, grad)).sum().backward();
    let gradients = inputs.into_iter().map(|input| values(input.grad(&grads).unwrap()));
    std::iter::once(values(y)).chain(gradients).collect()
}

fn assert_close(what: &str, found: &[Vec<f64>], expected: &[Vec<f64>]) {
    for (found, expected) in found.iter().zip(expected) {
        let close = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12 * (1.0 + b.abs()));
        assert!(close && found.len() == expected.len(), "{what}");
    }
}

#[test]
fn a_softmax_is_that_of_the_definition() {
    for (name, device) in devices() {
        for size in SIZES {
            let (x, grad) = (random(size, &device, DType::F64) * 3.0, random(size, &device, DType::F64));
            let expected = outcome([&x], &grad, |[x]| activation::softmax(x, 1));
            let what = format!("{name}, {size:?}");
            assert_close(&what, &outcome([&x], &grad, |[x]| softmax(x)), &expected);
            let y = composed::forward(x);
            let composed = [values(y.clone()), values(composed::backward(y, grad))];
            assert_close(&format!("{what}, composed"), &composed, &expected);
        }
    }
}

#[test]
fn a_sum_has_the_bits_of_the_backends_and_hands_its_gradient_to_both() {
    for (name, device) in devices() {
        for size in SIZES {
            let of = |device: &Device| random(size, device, DType::F32);
            let (a, b, grad) = (of(&device), of(&device), of(&device));
            let found = outcome([&a, &b], &grad, |[a, b]| add(a, b));
            assert_eq!(found, outcome([&a, &b], &grad, |[a, b]| a + b), "{name}, {size:?}");
            // One tensor twice: its gradient is twice the output's.
            let twice = outcome([&a], &grad, |[a]| add(a.clone(), a));
            assert_eq!(twice[1], values(grad * 2.0), "{name}, {size:?}");
        }
    }
}

#[test]
fn a_row_without_a_number_stays_alone_in_a_softmax() {
    for (name, device) in devices() {
        let mut rows = values(random([70, 20], &device, DType::F64));
        rows[65 * 20 + 3] = f64::NAN;
        let x = Tensor::<1>::from_data(rows.as_slice(), (&device, DType::F64)).reshape([70, 20]);
        let y = values(softmax(x));
        for (row, y) in y.chunks(20).enumerate() {
            assert_eq!(y.iter().all(|y| y.is_nan()), row == 65, "{name}: row {row}");
        }
    }
}

#[test]
fn threads_change_no_bit() {
    for (name, device) in devices() {
        let (x, grad) = (random([500, 70], &device, DType::F32), random([500, 70], &device, DType::F32));
        assert_same_bits(name, || outcome([&x], &grad, |[x]| softmax(x)));
        assert_same_bits(name, || outcome([&x, &grad], &grad, |[a, b]| add(a, b)));
    }
}
