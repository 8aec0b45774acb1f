//! Every kernel gives the same bits on any number of threads, forward and backward.

use burn::tensor::{DType, Tensor};

use super::{ACTS, BOTH, Product, devices, on, random, values};
use crate::{AdamWStep, Pairing, adamw, rms_norm, rotate, select_top_k};

/// `run` on 1, 2, 3 and 7 threads gives the same numbers, bit for bit.
pub(super) fn assert_same_bits(what: &str, run: impl Fn() -> Vec<Vec<f64>> + Send + Sync) {
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let results = pool.install(&run);
        results.into_iter().map(|values| values.into_iter().map(f64::to_bits).collect()).collect()
    };
    let one: Vec<Vec<u64>> = on(1);
    for threads in [2, 3, 7] {
        assert!(on(threads) == one, "{what}: {threads} threads give other bits than one");
    }
}

/// The values and the gradient of `f`.
fn outcome<const R: usize>(
    x: &Tensor<R>,
    grad: &Tensor<R>,
    f: impl Fn(Tensor<R>) -> Tensor<R>,
) -> Vec<Vec<f64>> {
    let device = x.device().autodiff();
    let x = on(&device, x).require_grad();
    let y = f(x.clone());
    let grads = (y.clone() * on(&device, grad)).sum().backward();
    vec![values(y), values(x.grad(&grads).unwrap())]
}

#[test]
fn of_the_experts() {
    for (name, device) in devices() {
        for (act, precision) in ACTS.into_iter().flat_map(|act| BOTH.map(|precision| (act, precision))) {
            let product = Product::random([600, 264, 3, 2, 140], act, &device, DType::F32);
            let product = product.with_biases().within(precision);
            assert_same_bits(&format!("{act:?}, {precision:?}, {name}"), || {
                product.fused().into_iter().map(|(_, values)| values).collect()
            });
        }
    }
}

#[test]
fn of_the_selection() {
    for (name, device) in devices() {
        let scores = random([500, 40], &device, DType::F32);
        assert_same_bits(name, || {
            vec![select_top_k(scores.clone(), 5).into_data().iter::<i64>().map(|i| i as f64).collect()]
        });
    }
}

#[test]
fn of_rms_norm() {
    for (name, device) in devices() {
        let (x, weight) = (random([300, 200], &device, DType::F32), random([200], &device, DType::F32));
        let grad = random([300, 200], &device, DType::F32);
        assert_same_bits(name, || {
            let tracked = device.clone().autodiff();
            let (x, weight) = (on(&tracked, &x).require_grad(), on(&tracked, &weight).require_grad());
            let y = rms_norm(x.clone(), weight.clone(), 1e-5);
            let grads = (y.clone() * on(&tracked, &grad)).sum().backward();
            vec![values(y), values(x.grad(&grads).unwrap()), values(weight.grad(&grads).unwrap())]
        });
    }
}

#[test]
fn of_the_rotation() {
    for (name, device) in devices() {
        let (x, grad) =
            (random([2, 70, 5, 40], &device, DType::F32), random([2, 70, 5, 40], &device, DType::F32));
        for (pairs, half) in
            [Pairing::HalfSplit, Pairing::Neighbours].into_iter().flat_map(|p| [(p, 20), (p, 7)])
        {
            let angles = random([70, half], &device, DType::F32);
            let (cos, sin) = (angles.clone().cos(), angles.sin());
            assert_same_bits(&format!("{half} {pairs:?}, {name}"), || {
                let table = |tensor: &Tensor<2>| on(&device.clone().autodiff(), tensor);
                outcome(&x, &grad, |x| rotate(x, table(&cos), table(&sin), pairs))
            });
        }
    }
}

#[test]
fn of_adamw() {
    let step = AdamWStep {
        lr: 0.01,
        betas: [0.9, 0.95],
        eps: 1e-8,
        weight_decay: 0.1,
        corrections: [0.1, 0.05],
        scale: 0.7,
    };
    for (name, device) in devices() {
        let tensor = || random([100_000], &device, DType::F32);
        let (param, grad, first, second) = (tensor(), tensor(), tensor(), tensor().square());
        assert_same_bits(name, || {
            let (a, b, c) = adamw(param.clone(), grad.clone(), first.clone(), second.clone(), step);
            vec![values(a), values(b), values(c)]
        });
    }
}
