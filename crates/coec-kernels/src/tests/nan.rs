//! A NaN in a row of the input is a NaN in that row of the output and of the gradient, and in no
//! other: what is not a number is neither dropped nor spread. Fused and composed alike.

use burn::tensor::{DType, Device, Tensor, TensorData};

use super::{ACTS, BOTH, Product, devices, on, random, values};
use crate::{Activation, AdamWStep, Mixing, Pairing, Precision, adamw, attention, rms_norm, rotate};

/// `tensor` with a NaN at `index`, row-major.
fn with_nan<const D: usize>(tensor: &Tensor<D>, index: usize) -> Tensor<D> {
    let mut values: Vec<f64> = tensor.to_data().iter::<f64>().collect();
    values[index] = f64::NAN;
    let data = TensorData::new(values, tensor.shape()).convert_dtype(tensor.dtype());
    Tensor::from_data(data, (&tensor.device(), tensor.dtype()))
}

/// Exactly the elements that `expected` names are NaN, and the others are finite.
fn assert_nan(what: &str, values: &[f64], expected: impl Fn(usize) -> bool) {
    for (i, value) in values.iter().enumerate() {
        let right = if expected(i) { value.is_nan() } else { value.is_finite() };
        assert!(right, "{what}: element {i} is {value}");
    }
}

/// Every backend of the CPU in both of its element types.
fn settings() -> impl Iterator<Item = (String, Device, DType)> {
    devices().into_iter().flat_map(|(name, device)| {
        [DType::F32, DType::F64].map(|dtype| (format!("{name} {dtype:?}"), device.clone(), dtype))
    })
}

const N: usize = 9;
const D: usize = 5;
const E: usize = 4;
const K: usize = 2;
const F: usize = 6;
/// The token that something is wrong with.
const TOKEN: usize = 3;

/// `spoil` makes something of a product NaN; `check` sees the name of a result, its values, and the
/// experts of [`TOKEN`].
fn product(spoil: impl Fn(&mut Product), check: impl Fn(&str, &str, &[f64], &[usize], Activation)) {
    for (setting, device, dtype) in settings() {
        for (act, precision) in ACTS.into_iter().flat_map(|act| BOTH.map(|precision| (act, precision))) {
            let product = Product::random([N, D, E, K, F], act, &device, dtype);
            let mut product = product.with_biases().within(precision);
            let indices: Vec<usize> =
                product.inputs.indices.to_data().iter::<i64>().map(|index| index as usize).collect();
            let chosen = &indices[TOKEN * K..][..K];
            spoil(&mut product);
            for (how, outcome) in [("fused", product.fused()), ("composed", product.composed())] {
                for (name, values) in outcome {
                    check(
                        name,
                        &format!("{name}, {act:?}, {precision:?}, {how}, {setting}"),
                        &values,
                        chosen,
                        act,
                    );
                }
            }
        }
    }
}

#[test]
fn a_token_without_a_number_stays_alone_in_the_experts() {
    let spoil = |product: &mut Product| product.inputs.x = with_nan(&product.inputs.x, TOKEN * D + 2);
    product(spoil, |name, what, values, chosen, act| {
        let of_token = |width: usize| move |i: usize| i / width == TOKEN;
        match name {
            "output" | "x" => assert_nan(what, values, of_token(D)),
            "gates" => assert_nan(what, values, of_token(K)),
            // The weights of the experts that saw it learn from all their rows at once.
            "w_in" => assert_nan(what, values, |i| chosen.contains(&(i / (act.inputs() * F * D)))),
            "b_in" => assert_nan(what, values, |i| chosen.contains(&(i / (act.inputs() * F)))),
            // What is added to an output learns from what flows back to it, and from nothing else.
            "b_out" => assert_nan(what, values, |_| false),
            _ => assert_nan(what, values, |i| chosen.contains(&(i / (D * F)))),
        }
    });
}

#[test]
fn a_gate_without_a_number_stays_with_its_token_and_its_expert() {
    let spoil = |product: &mut Product| product.inputs.gates = with_nan(&product.inputs.gates, TOKEN * K);
    product(spoil, |name, what, values, chosen, act| match name {
        "output" | "x" => assert_nan(what, values, |i| i / D == TOKEN),
        // The gradient of a gate does not depend on the gate.
        "gates" => assert_nan(what, values, |_| false),
        "w_in" => assert_nan(what, values, |i| i / (act.inputs() * F * D) == chosen[0]),
        "b_in" => assert_nan(what, values, |i| i / (act.inputs() * F) == chosen[0]),
        "b_out" => assert_nan(what, values, |i| i / D == chosen[0]),
        _ => assert_nan(what, values, |i| i / (D * F) == chosen[0]),
    });
}

#[test]
fn a_gradient_without_a_number_stays_with_its_token() {
    const COLUMN: usize = 1;
    let spoil = |product: &mut Product| product.grad = with_nan(&product.grad, TOKEN * D + COLUMN);
    product(spoil, |name, what, values, chosen, act| match name {
        "output" => assert_nan(what, values, |_| false),
        "x" => assert_nan(what, values, |i| i / D == TOKEN),
        "gates" => assert_nan(what, values, |i| i / K == TOKEN),
        "w_in" => assert_nan(what, values, |i| chosen.contains(&(i / (act.inputs() * F * D)))),
        "b_in" => assert_nan(what, values, |i| chosen.contains(&(i / (act.inputs() * F)))),
        "b_out" => assert_nan(what, values, |i| chosen.contains(&(i / D)) && i % D == COLUMN),
        // Of W_out [D, F] only the row of the component.
        _ => assert_nan(what, values, |i| chosen.contains(&(i / (D * F))) && i / F % D == COLUMN),
    });
}

/// `f` and its gradient under the upstream gradient `grad`.
fn with_gradient<const R: usize>(
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

/// A query that is no number spoils its own output, and keys and values that are none those that see them;
/// of the queries before and after, only those that went through in one block with one that does.
#[test]
fn a_token_without_a_number_spoils_those_that_see_it_in_attention() {
    let [tokens, heads, width, block, spoilt] = [12, 2, 3, 4, 6];
    for ((setting, device, dtype), window) in settings().flat_map(|s| [None, Some(3)].map(|w| (s.clone(), w)))
    {
        let shape = [1, tokens, heads, width];
        let of = || random(shape, &device, dtype);
        let row = |token: usize| (token * heads) * width..(token * heads + 1) * width;
        let sees = |token: usize| (token + 1).saturating_sub(window.unwrap_or(tokens))..=token;
        for place in 0..3 {
            let mut inputs = [of(), of(), of()];
            inputs[place] = with_nan(&inputs[place], spoilt * heads * width);
            let [q, k, v] = inputs;
            let mixing = Mixing { scale: 0.4, window, block, precision: Precision::F32 };
            for sinks in [None, Some(random([heads], &device, dtype))] {
                let found = values(attention(q.clone(), k.clone(), v.clone(), sinks, mixing));
                for token in 0..tokens {
                    let first = token / block * block;
                    let is_spoilt = match place {
                        0 => token == spoilt,
                        1 => sees(token).contains(&spoilt),
                        _ => (first..first + block).any(|token| sees(token).contains(&spoilt)),
                    };
                    let own = &found[row(token)];
                    let what = format!("input {place}, token {token}, window {window:?}, {setting}");
                    assert_eq!(own.iter().any(|value| value.is_nan()), is_spoilt, "{what}");
                    // The other head has nothing to do with it.
                    let other = &found[row(token).end..row(token).end + width];
                    assert_nan(&what, other, |_| false);
                }
            }
        }
    }
}

/// A sink that is no number spoils what its head makes, and no other.
#[test]
fn a_sink_without_a_number_stays_with_its_head() {
    let [tokens, heads, width] = [9, 3, 2];
    for (setting, device, dtype) in settings() {
        let tracked = device.clone().autodiff();
        let of = || on(&tracked, &random([1, tokens, heads, width], &device, dtype)).require_grad();
        let (q, k, v) = (of(), of(), of());
        let sinks = on(&tracked, &with_nan(&random([heads], &device, dtype), 1)).require_grad();
        let mixing = Mixing { scale: 0.4, window: Some(4), block: 4, precision: Precision::F32 };
        let y = attention(q.clone(), k.clone(), v.clone(), Some(sinks.clone()), mixing);
        let grads = y.clone().sum().backward();
        for (what, found) in [
            ("output", values(y)),
            ("q", values(q.grad(&grads).unwrap())),
            ("k", values(k.grad(&grads).unwrap())),
            ("v", values(v.grad(&grads).unwrap())),
        ] {
            assert_nan(&format!("{what}, {setting}"), &found, |i| i / width % heads == 1);
        }
        assert_nan(&format!("sinks, {setting}"), &values(sinks.grad(&grads).unwrap()), |head| head == 1);
    }
}

#[test]
fn a_row_without_a_number_stays_alone_in_rms_norm() {
    let (rows, width, row) = (6, 5, 2);
    for (setting, device, dtype) in settings() {
        let (x, weight) = (random([rows, width], &device, dtype), random([width], &device, dtype));
        let grad = random([rows, width], &device, dtype);
        let x = with_nan(&x, row * width + 3);
        let tracked = device.clone().autodiff();
        let (a, w) = (on(&tracked, &x).require_grad(), on(&tracked, &weight).require_grad());
        let y = rms_norm(a.clone(), w.clone(), 1e-6);
        let grads = (y.clone() * on(&tracked, &grad)).sum().backward();
        let fused = [y.inner(), a.grad(&grads).unwrap(), w.grad(&grads).unwrap().unsqueeze()];
        let (y, scales) = rms_norm::composed::forward(x.clone(), weight.clone(), 1e-6);
        let (dx, dw) = rms_norm::composed::backward(grad, x, weight, scales);
        for (how, [y, dx, dw]) in [("fused", fused), ("composed", [y, dx, dw.unsqueeze()])] {
            assert_nan(&format!("output, {how}, {setting}"), &values(y), |i| i / width == row);
            assert_nan(&format!("gradient, {how}, {setting}"), &values(dx), |i| i / width == row);
            // The weight learns from all rows at once.
            assert_nan(&format!("weight, {how}, {setting}"), &values(dw), |_| true);
        }
    }
}

#[test]
fn a_rotation_keeps_nan_within_its_pair() {
    let (tokens, width) = (3, 6);
    for (setting, device, dtype) in settings() {
        // All of the width is rotated, or four dimensions of it.
        for (half, place) in [(3, 1), (2, 1), (2, 5)] {
            let angles = random([tokens, half], &device, dtype);
            let (cos, sin) = (angles.clone().cos(), angles.sin());
            let x = random([1, tokens, 2, width], &device, dtype);
            let head = 3 * width; // the second token's second
            for (pairs, partner) in [(Pairing::HalfSplit, place + half), (Pairing::Neighbours, place - 1)] {
                // What is not rotated has no partner.
                let partner = if place < 2 * half { partner } else { place };
                let expected = |i: usize| i == head + place || i == head + partner;
                let spoilt = with_nan(&x, head + place);
                let table = |tensor: &Tensor<2>| on(&device.clone().autodiff(), tensor);
                let fused = |x| rotate(x, table(&cos), table(&sin), pairs);
                let what = format!("{place} of {half} {pairs:?}, {setting}");
                let [y, _] = with_gradient(&spoilt, &x, fused);
                assert_nan(&format!("{what}, fused"), &y, expected);
                let [_, back] = with_gradient(&x, &spoilt, fused);
                assert_nan(&format!("gradient, {what}, fused"), &back, expected);
                for (way, inverse) in [("output", false), ("gradient", true)] {
                    let (x, cos, sin) = (spoilt.clone(), cos.clone(), sin.clone());
                    let y = rotate::composed::rotated(x, cos, sin, pairs, inverse);
                    assert_nan(&format!("{way}, {what}, composed"), &values(y), expected);
                }
            }
        }
    }
}

#[test]
fn an_update_keeps_nan_within_its_element() {
    let step = AdamWStep {
        lr: 0.01,
        betas: [0.9, 0.95],
        eps: 1e-8,
        weight_decay: 0.1,
        corrections: [0.1, 0.05],
        scale: 0.7,
    };
    for (setting, device, dtype) in settings() {
        let tensor = || random([40], &device, dtype);
        let (param, grad, first, second) = (tensor(), with_nan(&tensor(), 17), tensor(), tensor().square());
        let fused = adamw(param.clone(), grad.clone(), first.clone(), second.clone(), step);
        let composed = adamw::composed::updated(param, grad, first, second, step);
        for (how, (param, first, second)) in [("fused", fused), ("composed", composed)] {
            for (what, tensor) in [("parameter", param), ("first", first), ("second", second)] {
                assert_nan(&format!("{what}, {how}, {setting}"), &values(tensor), |i| i == 17);
            }
        }
    }
}
