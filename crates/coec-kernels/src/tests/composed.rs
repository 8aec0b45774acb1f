//! The fused loops against the composed operations and Burn's own tape over them.

use burn::tensor::{DType, Device, Distribution, Tensor};

use crate::{AdamWStep, Pairing, adamw, rms_norm, rotate};

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), (device, DType::F64))
}

fn assert_close<const D: usize>(what: &str, found: Tensor<D>, expected: Tensor<D>) {
    let error = (found - expected).abs().max().into_scalar::<f64>();
    assert!(error < 1e-11, "{what}: {error:e}");
}

/// `fused` and `composed` of the same tensor, and their gradients under the same weights.
fn compare<const D: usize>(
    what: &str,
    x: Tensor<D>,
    fused: impl Fn(Tensor<D>) -> Tensor<D>,
    composed: impl Fn(Tensor<D>) -> Tensor<D>,
) {
    let weights = Tensor::<D>::random(x.shape(), Distribution::Normal(0.0, 1.0), (&x.device(), DType::F64));
    let run = |f: &dyn Fn(Tensor<D>) -> Tensor<D>| {
        let x = Tensor::<D>::from_inner(x.clone()).require_grad();
        let y = f(x.clone());
        let grads = (y.clone() * Tensor::from_inner(weights.clone())).sum().backward();
        (y.inner(), x.grad(&grads).unwrap())
    };
    let ((y, dx), (other, other_dx)) = (run(&fused), run(&composed));
    assert_close(what, y, other);
    assert_close(&format!("gradient of {what}"), dx, other_dx);
}

#[test]
fn rotation_matches_its_composition() {
    let device = Device::flex();
    // All of the width, part of it, and of an odd one.
    for (width, half) in [(6, 3), (10, 3), (7, 1)] {
        for pairs in [Pairing::HalfSplit, Pairing::Neighbours] {
            let (angles, x) = (random([9, half], &device), random([2, 9, 4, width], &device));
            let (cos, sin) = (angles.clone().cos(), angles.sin());
            let inner = (Tensor::from_inner(cos.clone()), Tensor::from_inner(sin.clone()));
            compare(
                "rotate",
                x,
                |x| rotate(x, inner.0.clone(), inner.1.clone(), pairs),
                |x| rotate::composed::rotated(x, inner.0.clone(), inner.1.clone(), pairs, false),
            );
        }
    }
}

#[test]
fn rms_norm_matches_its_composition() {
    let device = Device::flex();
    let (x, weight) = (random([150, 37], &device), random([37], &device));
    let upstream = random([150, 37], &device);
    let run = |f: &dyn Fn(Tensor<2>, Tensor<1>) -> Tensor<2>| {
        let x = Tensor::<2>::from_inner(x.clone()).require_grad();
        let weight = Tensor::<1>::from_inner(weight.clone()).require_grad();
        let y = f(x.clone(), weight.clone());
        let grads = (y.clone() * Tensor::from_inner(upstream.clone())).sum().backward();
        (y.inner(), x.grad(&grads).unwrap(), weight.grad(&grads).unwrap())
    };
    let fused = run(&|x, w| rms_norm(x, w, 1e-5));
    let composed = run(&|x, w| rms_norm::composed::forward(x, w, 1e-5).0);
    assert_close("y", fused.0, composed.0);
    assert_close("x", fused.1, composed.1.clone());
    assert_close("weight", fused.2, composed.2.clone());
    // The backward passes of the backends that compose them.
    let (_, scales) = rms_norm::composed::forward(x.clone(), weight.clone(), 1e-5);
    let (dx, dw) = rms_norm::composed::backward(upstream, x, weight, scales);
    assert_close("composed x", dx, composed.1);
    assert_close("composed weight", dw, composed.2);
}

#[test]
fn in_place_and_composed_updates_agree() {
    let device = Device::flex();
    let random = || Tensor::<1>::random([5000], Distribution::Normal(0.0, 1.0), &device);
    let (param, grad, first, second) = (random(), random(), random(), random().square());
    let step = AdamWStep {
        lr: 0.01,
        betas: [0.9, 0.95],
        eps: 1e-8,
        weight_decay: 0.1,
        corrections: [0.19, 0.0975],
        scale: 0.7,
    };
    let slow = adamw::composed::updated(param.clone(), grad.clone(), first.clone(), second.clone(), step);
    let fast = adamw(param.clone(), grad, first, second, step);
    let close = |a: Tensor<1>, b: Tensor<1>| (a - b).abs().max().into_scalar::<f32>() < 1e-5;
    assert!(close(fast.0.clone(), slow.0) && close(fast.1, slow.1) && close(fast.2, slow.2));
    assert!(!close(fast.0, param), "the parameter moved");
}
