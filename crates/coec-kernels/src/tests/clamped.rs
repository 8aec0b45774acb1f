//! The SwiGLU of gpt-oss at its limits, against its definition in f64.

use burn::tensor::{DType, Device, Tensor, TensorData};

use super::{Product, devices, on, slow_experts, values};
use crate::{Activation, Precision, experts::pieces, mlp};

/// Within the limits, at them, next to them and far beyond.
const VALUES: [f64; 13] = [
    f64::NEG_INFINITY,
    -200.0,
    -7.000_000_000_1,
    -7.0,
    -6.999_999_999_9,
    -1.0,
    -0.25,
    0.0,
    0.5,
    6.999_999_999_9,
    7.0,
    7.000_000_000_1,
    f64::INFINITY,
];

/// What is activated, and its derivatives by the gate and by what goes up: `torch.clamp` passes gradients on
/// within its limits and at them.
fn defined(gate: f64, up: f64) -> [f64; 3] {
    let (gate_passes, up_passes) = (gate <= 7.0, (-7.0..=7.0).contains(&up));
    let (gate, up) = (gate.min(7.0), up.clamp(-7.0, 7.0) + 1.0);
    let sigmoid = 1.0 / (1.0 + (-1.702 * gate).exp());
    let slope = sigmoid + 1.702 * gate * sigmoid * (1.0 - sigmoid);
    [
        gate * sigmoid * up,
        if gate_passes { up * slope } else { 0.0 },
        if up_passes { gate * sigmoid } else { 0.0 },
    ]
}

/// Gates that are negative and infinite have no product with what they open.
fn pairs() -> Vec<[f64; 2]> {
    VALUES[1..].iter().flat_map(|&gate| VALUES.map(|up| [gate, up])).collect()
}

fn assert_defined(what: &str, found: [Vec<f64>; 3]) {
    let [y, gate_grad, up_grad] = found;
    let pairs = pairs();
    assert_eq!(y.len(), pairs.len(), "{what}");
    for (i, &[gate, up]) in pairs.iter().enumerate() {
        for (found, expected) in [y[i], gate_grad[i], up_grad[i]].into_iter().zip(defined(gate, up)) {
            let is_close = (found - expected).abs() <= 1e-12 * (1.0 + expected.abs());
            assert!(is_close, "{what}, gate {gate}, up {up}: {found} for {expected}");
        }
    }
}

#[test]
fn limits_have_the_gradients_of_torch() {
    let pairs = pairs();
    let count = pairs.len();
    for (name, device) in devices() {
        let tensor = |values: Vec<f64>, shape: [usize; 2]| {
            Tensor::<2>::from_data(TensorData::new(values, shape), (&device, DType::F64))
        };
        // Each row alone: infinities would be no numbers in another's products.
        let [mut y, mut gate_grad, mut up_grad] = [const { Vec::new() }; 3];
        let tracked = device.clone().autodiff();
        for &[gate, up] in &pairs {
            // The weights are the pair, for an input of 1: the first product is the pair to the bit.
            let w_in = on(&tracked, &tensor(vec![gate, up], [2, 1])).require_grad();
            let (x, w_out) = (tensor(vec![1.0], [1, 1]), tensor(vec![1.0], [1, 1]));
            let (x, w_out) = (on(&tracked, &x), on(&tracked, &w_out));
            let output = mlp(x, w_in.clone(), w_out, None, Activation::Clamped, Precision::F32);
            let grads = output.clone().sum().backward();
            y.extend(values(output));
            let grads = values(w_in.grad(&grads).unwrap());
            gate_grad.push(grads[0]);
            up_grad.push(grads[1]);
        }
        assert_defined(&format!("fused, {name}"), [y, gate_grad, up_grad]);

        // NdArray's own sigmoid is one of f32.
        if name == "flex" {
            let hidden = tensor(pairs.concat(), [count, 2]);
            let ones = hidden.ones_like().narrow(1, 0, 1);
            let (y, grads) = pieces::differentiate(hidden.clone(), ones, Activation::Clamped);
            let forward = values(pieces::activate(hidden, Activation::Clamped));
            assert_eq!(forward, values(y.clone()), "one of the two ways");
            let grads = [0, 1].map(|at| values(grads.clone().narrow(1, at, 1)));
            let [gate_grad, up_grad] = grads;
            assert_defined("composed", [values(y), gate_grad, up_grad]);
        }
    }
}

/// What other tests multiply is within the limits and beyond each of them.
#[test]
fn products_of_tests_go_beyond_the_limits() {
    for sizes in [[700, 13, 5, 2, 7], [3, 4, 6, 1, 50], [300, 520, 2, 2, 28]] {
        let product = Product::random(sizes, Activation::Clamped, &Device::flex(), DType::F32);
        for product in product.with_biases_and_without() {
            let (_, hidden) = slow_experts::forward(product.inputs.clone(), Precision::F32);
            let hidden = values(hidden);
            let share = |is: fn(f64) -> bool| {
                hidden.iter().filter(|&&value| is(value)).count() as f64 / hidden.len() as f64
            };
            for part in [share(|x| x > 7.0), share(|x| x < -7.0), share(|x| x.abs() < 7.0)] {
                assert!(part > 0.05, "{sizes:?}: {part}");
            }
        }
    }
}

/// What is no number is neither within the limits nor beyond them.
#[test]
fn no_number_stays_none() {
    for (name, device) in devices() {
        for (dtype, spoilt) in [DType::F32, DType::F64].into_iter().flat_map(|d| [(d, 0), (d, 1)]) {
            let mut pair = [9.0, -9.0];
            pair[spoilt] = f64::NAN;
            let data =
                |values: Vec<f64>, shape: [usize; 2]| TensorData::new(values, shape).convert_dtype(dtype);
            let of = |values: Vec<f64>, shape| Tensor::<2>::from_data(data(values, shape), (&device, dtype));
            let hidden = of(pair.to_vec(), [1, 2]);
            let y = mlp(
                of(vec![1.0], [1, 1]),
                hidden.clone().reshape([2, 1]),
                of(vec![1.0], [1, 1]),
                None,
                Activation::Clamped,
                Precision::F32,
            );
            assert!(values(y)[0].is_nan(), "{spoilt}, {dtype:?}, {name}");
            let ones = hidden.ones_like().narrow(1, 0, 1);
            let (y, _) = pieces::differentiate(hidden, ones, Activation::Clamped);
            assert!(values(y)[0].is_nan(), "composed, {spoilt}, {dtype:?}, {name}");
        }
    }
}
