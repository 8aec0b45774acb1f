//! Operations in bf16 against the definition: both factors of every product rounded, forward and backward, and
//! nothing else. In f64, so that what is left of a difference is not of the sums.

use burn::tensor::{DType, Device, Tensor, TensorData, activation};

use super::{
    ACTS, Outcome, Product, devices,
    linear::{Head, assert_close, outcome},
    on, random, values,
};
use crate::{
    Activation, Precision, experts, experts::tensors::Tensors, head_cross_entropy, head_losses, linear,
    rounded, with_rounded_gradient,
};

const BF16: Precision = Precision::Bf16;

/// The product by its definition, from Burn's own operations on a tape.
fn product(a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    with_rounded_gradient(rounded(a, BF16).matmul(rounded(b, BF16)), BF16)
}

#[test]
fn rounding_is_that_of_a_loop_and_gradients_pass() {
    for (name, device) in devices() {
        let device = device.autodiff();
        let (x, grad) = (random([300, 70], &device, DType::F32), random([300, 70], &device, DType::F32));
        let x = x.require_grad();
        let bf16 = |values: Vec<f64>| -> Vec<f64> {
            let upper = |value: f64| {
                let bits = (value as f32).to_bits();
                let (kept, rest) = (bits >> 16, bits & 0xFFFF);
                let up = rest > 0x8000 || rest == 0x8000 && kept % 2 == 1;
                f64::from(f32::from_bits((kept + u32::from(up)) << 16))
            };
            values.into_iter().map(upper).collect()
        };
        let y = rounded(x.clone(), BF16);
        let grads = (y.clone() * grad.clone()).sum().backward();
        assert_eq!(values(y), bf16(values(x.clone())), "{name}");
        assert_eq!(values(x.grad(&grads).unwrap()), values(grad.clone()), "{name}");

        let y = with_rounded_gradient(x.clone(), BF16);
        let grads = (y.clone() * grad.clone()).sum().backward();
        assert_eq!(values(y), values(x.clone()), "{name}");
        assert_eq!(values(x.grad(&grads).unwrap()), bf16(values(grad)), "{name}");

        // What others hold stays what it is.
        let kept = x.clone();
        drop(rounded(x.clone(), BF16));
        assert_eq!(values(kept), values(x), "{name}");
    }
}

#[test]
fn linear_maps_are_products_of_rounded_factors() {
    for (name, device) in devices() {
        for [rows, width, out] in [[1, 5, 7], [4, 30, 70], [33, 65, 40], [300, 140, 150]] {
            let (x, weight) =
                (random([rows, width], &device, DType::F64), random([out, width], &device, DType::F64));
            let grad = random([rows, out], &device, DType::F64);
            let found = outcome([&x, &weight], &grad, |x, weight| linear(x, weight, BF16));
            let expected = outcome([&x, &weight], &grad, |x, weight| product(x, weight.transpose()));
            assert_close(&format!("{rows} x {width} x {out}, {name}"), &found, &expected);
            let (dx, dw) = crate::linear::composed::backward(x, weight, grad, BF16);
            assert_close("composed", &[values(dx), values(dw)], &expected[1..]);
        }
    }
}

/// What is rounded already is multiplied as in f32, bit for bit.
#[test]
fn factors_that_bf16_holds_make_no_difference() {
    for (name, device) in devices() {
        let of = |shape| rounded(random(shape, &device, DType::F32), BF16);
        for rows in [1, 7, 300] {
            let (x, weight, grad) = (of([rows, 65]), of([40, 65]), of([rows, 40]));
            let [found, expected] = [BF16, Precision::F32]
                .map(|precision| outcome([&x, &weight], &grad, |x, weight| linear(x, weight, precision)));
            assert_eq!(found, expected, "{name}");
        }
    }
}

#[test]
fn the_cross_entropy_is_that_of_rounded_factors() {
    for (name, device) in devices() {
        for (sizes, block) in [([50, 12, 40], 16), ([7, 3, 5], 256), ([1, 4, 9], 1), ([64, 8, 100], 64)] {
            let head = Head::random(sizes, &device, DType::F64);
            let what = format!("{sizes:?}, {name}");
            let losses = |x: Tensor<2>, weight: Tensor<2>, targets: Tensor<1, burn::tensor::Int>| {
                -activation::log_softmax(product(x, weight.transpose()), 1)
                    .gather(1, targets.unsqueeze_dim(1))
                    .squeeze_dim::<1>(1)
            };
            // The gradient of the loss is a power of two, which changes no rounding.
            let expected =
                head.outcome(2.0, |x, weight, targets, weights| (losses(x, weight, targets) * weights).sum());
            let found = head.outcome(2.0, |x, weight, targets, weights| {
                head_cross_entropy(x, weight, targets, weights, block, BF16, 1.0)
            });
            assert_close(&what, &found, &expected);
            let (x, weight, targets) = (head.x.clone(), head.weight.clone(), head.targets(&device));
            let found = values(head_losses(x.clone(), weight.clone(), targets.clone(), block, BF16, 1.0));
            assert_close(&what, &[found], &[values(losses(x.clone(), weight.clone(), targets.clone()))]);
            let composed = super::slow_cross_entropy::forward;
            let (loss, dx, dw) = composed(x, weight, targets, head.weights.clone(), block, BF16);
            let found = [values(loss), values(dx * 2.0), values(dw * 2.0)];
            assert_close(&format!("composed, {what}"), &found, &expected);
        }
    }
}

/// Each token through each of its experts by the definition, the gradient of a gate being `y . dy`.
fn defined(case: &Product) -> Outcome {
    let device = case.inputs.x.device().autodiff();
    let Product { inputs, grad, .. } = case.on(&device).tracked();
    let Tensors { x, indices, gates, w_in, w_out, biases, act } = inputs.clone();
    let ([n, _], [_, k], [e, wide, _]) = (x.dims(), indices.dims(), w_in.dims());
    let f = wide / act.inputs();
    let mut y = x.zeros_like();
    for expert in 0..e {
        let of = |w: &Tensor<3>| w.clone().narrow(0, expert, 1).squeeze_dim::<2>(0).transpose();
        let with = |y: Tensor<2>, bias: Option<&Tensor<2>>| match bias {
            Some(bias) => y + bias.clone().narrow(0, expert, 1),
            None => y,
        };
        let hidden = with(product(x.clone(), of(&w_in)), biases.as_ref().map(|biases| &biases.b_in)); // [N, G*F]
        let (gate, up) = (hidden.clone().narrow(1, 0, f), hidden.narrow(1, wide - f, f));
        let h = match act {
            Activation::Swiglu => activation::silu(gate) * up,
            Activation::Geglu => activation::gelu(gate) * up,
            Activation::Clamped => {
                let gate = gate.clamp_max(7.0);
                gate.clone() * activation::sigmoid(gate * 1.702) * (up.clamp(-7.0, 7.0) + 1.0)
            }
            Activation::Gelu => activation::gelu(up),
            Activation::Relu2 => activation::relu(up).square(),
        };
        let out = with(product(h, of(&w_out)), biases.as_ref().map(|biases| &biases.b_out)); // [N, D]
        let chosen = indices.clone().equal_elem(expert as i64).float().cast(gates.dtype()); // [N, K]
        // One of the K at most: the sum is the gate, or 0.
        y = y + out * (gates.clone() * chosen).reshape([n, k]).sum_dim(1);
    }
    let grads = (y.clone() * grad).sum().backward();
    inputs.outcome(y, &grads)
}

fn relative(found: &[f64], expected: &[f64]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    norm(&mut found.iter().zip(expected).map(|(a, b)| a - b)) / norm(&mut expected.iter().copied())
}

/// The output and three gradients are those of the definition; that of the gates is as far from it as rounding a
/// factor takes it, 2^-9 an element at most, and closer where many are summed.
#[test]
fn experts_are_products_of_rounded_factors() {
    let device = Device::flex();
    for act in ACTS {
        for sizes in [[40, 13, 5, 2, 7], [60, 64, 4, 3, 48]] {
            let case = Product::random(sizes, act, &device, DType::F64);
            for case in case.with_biases_and_without() {
                let case = case.with_sines().within(BF16);
                let (found, expected) = (case.fused(), defined(&case));
                assert_eq!(found.len(), expected.len());
                for ((what, found), (_, expected)) in found.iter().zip(&expected) {
                    let (error, allowed) =
                        (relative(found, expected), if *what == "gates" { 4e-3 } else { 1e-12 });
                    assert!(error < allowed, "{what}, {act:?}, {sizes:?}: {error:e}");
                    assert!(*what != "gates" || error > 1e-6, "{what}: {error:e}, rounded nowhere?");
                }
            }
        }
    }
}

/// A gate of 0 lets nothing through, and has the gradient that it would have as any other.
#[test]
fn a_gate_of_zero_has_a_gradient() {
    for (name, device) in devices() {
        let case = Product::random([9, 6, 3, 2, 5], Activation::Swiglu, &device, DType::F64).with_biases();
        let mut case = case.with_sines().within(BF16);
        let of_gates = &defined(&case.on(&Device::flex()))[2].1;
        // The largest gradient: one that cancels to nearly nothing says nothing.
        let size = |at: &usize| of_gates[*at].abs();
        let zero = (0..of_gates.len()).max_by(|a, b| size(a).total_cmp(&size(b))).unwrap();
        let mut gates = values(case.inputs.gates.clone());
        gates[zero] = 0.0;
        case.inputs.gates = Tensor::from_data(TensorData::new(gates, [9, 2]), (&device, DType::F64));
        let composed = case.on(&Device::flex()).composed();
        let expected = defined(&case.on(&Device::flex()));
        for (((what, found), (_, expected)), (_, composed)) in
            case.fused().iter().zip(&expected).zip(&composed)
        {
            assert!(relative(found, composed) < 1e-12, "{what}, {name}");
            assert!(relative(found, expected) < 4e-3, "{what}, {name}");
            if *what == "gates" {
                let (found, expected) = (found[zero], expected[zero]);
                assert!((found / expected - 1.0).abs() < 2e-2, "{found} for {expected}, {name}");
            }
        }
    }
}

/// The gradient of what two operations share is rounded for neither of them.
#[test]
fn sums_of_gradients_are_not_rounded() {
    let device = Device::flex().autodiff();
    let of = |shape| random(shape, &device, DType::F32);
    let x = of([20, 8]).require_grad();
    let (a, b) = (of([5, 8]), of([5, 8]));
    let alone = |weight: &Tensor<2>| {
        let grads = linear(x.clone(), weight.clone(), BF16).sum().backward();
        values(x.grad(&grads).unwrap())
    };
    let together = (linear(x.clone(), a.clone(), BF16) + linear(x.clone(), b.clone(), BF16)).sum().backward();
    let sums: Vec<f64> =
        alone(&a).iter().zip(alone(&b)).map(|(a, b)| f64::from(*a as f32 + b as f32)).collect();
    assert_eq!(values(x.grad(&together).unwrap()), sums);
}

/// The operation is handed its precision, and nothing else decides.
#[test]
fn other_precisions_have_other_results() {
    let device = Device::flex();
    let case = Product::random([30, 16, 4, 2, 12], Activation::Swiglu, &device, DType::F32);
    let outcomes = [case.clone().fused(), case.clone().within(BF16).fused()];
    for ((what, f32), (_, bf16)) in outcomes[0].iter().zip(&outcomes[1]) {
        let difference = relative(bf16, f32);
        assert!((1e-4..2e-2).contains(&difference), "{what}: {difference:e}");
    }
    let [x, w] = [[5, 16], [3, 16]].map(|shape| random(shape, &device, DType::F32));
    let alone = linear(on(&device, &x), on(&device, &w), Precision::F32);
    assert_ne!(values(linear(x, w, BF16)), values(alone));
    let Tensors { x, indices, gates, w_in, w_out, biases, act } = case.inputs;
    let direct = experts(x, indices, gates, w_in, w_out, biases, act, BF16);
    assert_eq!(values(direct), outcomes[1][0].1);
}
