//! Biases of experts and of MLPs, beside what every product is held to with them.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use super::{ACTS, BOTH, Outcome, Product, devices, on, random, values};
use crate::{Activation, Biases, Precision, mlp};

/// As `composed`, of both backends: what NdArray's own sigmoid lacks in digits is not a matter of these tests.
fn expected(product: &Product) -> Outcome {
    product.on(&Device::flex()).composed()
}

fn assert_close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1e-30f64, |most, value| most.max(value.abs()));
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < tolerance * scale, "{what}: {found} for {expected}");
    }
}

/// Zeros change nothing, forward or backward, but that there are gradients of them.
#[test]
fn biases_of_zero_have_the_bits_of_none() {
    for (name, device) in devices() {
        for (act, precision) in ACTS.into_iter().flat_map(|act| BOTH.map(|precision| (act, precision))) {
            let none = Product::random([300, 13, 5, 2, 7], act, &device, DType::F32).within(precision);
            let mut zero = none.clone().with_biases();
            zero.inputs.biases = zero.inputs.biases.map(|biases| biases.map(|bias| bias.zeros_like()));
            let (found, expected) = (zero.fused(), none.fused());
            assert_eq!(found[..expected.len()], expected, "{act:?}, {precision:?}, {name}");
            assert!(found[expected.len()..].iter().all(|(_, grad)| grad.iter().any(|&value| value != 0.0)));
        }
    }
}

/// f32 is as close to f64 as its digits allow, in sums over many rows too.
#[test]
fn in_f32_they_are_those_of_f64() {
    for (name, device) in devices() {
        for act in ACTS {
            let wide = Product::random([700, 33, 3, 2, 20], act, &device, DType::F64);
            // The same everywhere: none of the hidden units is so near a limit that f32 has it on its other side.
            let wide = wide.with_biases().with_sines();
            let mut narrow = wide.clone();
            let single = |tensor: Tensor<2>| tensor.cast(DType::F32);
            narrow.inputs.x = single(narrow.inputs.x);
            narrow.inputs.gates = single(narrow.inputs.gates);
            narrow.inputs.w_in = narrow.inputs.w_in.cast(DType::F32);
            narrow.inputs.w_out = narrow.inputs.w_out.cast(DType::F32);
            narrow.inputs.biases = narrow.inputs.biases.map(|biases| biases.map(single));
            narrow.grad = single(narrow.grad);
            for ((what, found), (_, expected)) in narrow.fused().iter().zip(expected(&wide)) {
                assert_close(&format!("{what}, {act:?}, {name}"), found, &expected, 1e-4);
            }
        }
    }
}

#[test]
fn an_expert_that_nobody_selects_learns_nothing() {
    for (name, device) in devices() {
        for precision in BOTH {
            let product = Product::random([50, 6, 4, 2, 5], Activation::Clamped, &device, DType::F64);
            let mut product = product.with_biases().within(precision);
            // Experts 1 and 3, each token both, in either order.
            let indices: Vec<i64> = (0..100).map(|slot| 1 + (slot + slot / 2) % 2 * 2).collect();
            product.inputs.indices = Tensor::<2, Int>::from_data(TensorData::new(indices, [50, 2]), &device);
            let (found, expected) = (product.fused(), expected(&product));
            for ((what, found), (_, expected)) in found.iter().zip(&expected) {
                assert_close(&format!("{what}, {precision:?}, {name}"), found, expected, 1e-12);
                if what.starts_with("b_") || what.starts_with("w_") {
                    let of_an_expert = found.chunks(found.len() / 4);
                    let learns = of_an_expert.map(|grad| grad.iter().any(|&value| value != 0.0));
                    assert_eq!(learns.collect::<Vec<_>>(), [false, true, false, true], "{what}, {name}");
                }
            }
        }
    }
}

#[test]
fn without_tokens_there_is_nothing_to_add_to() {
    for (name, device) in devices() {
        for precision in BOTH {
            let product = Product::random([3, 6, 4, 2, 5], Activation::Clamped, &device, DType::F32);
            let mut product = product.with_biases().within(precision);
            let none = |tensor: &Tensor<2>| Tensor::zeros([0, tensor.dims()[1]], (&device, DType::F32));
            product.inputs.x = none(&product.inputs.x);
            product.inputs.gates = none(&product.inputs.gates);
            product.inputs.indices = Tensor::zeros([0, 2], &device);
            product.grad = none(&product.grad);
            for (what, found) in product.fused() {
                let is_weight = what.starts_with("b_") || what.starts_with("w_");
                assert_eq!(found.is_empty(), !is_weight, "{what}, {name}");
                assert!(found.iter().all(|&value| value == 0.0), "{what}, {name}");
            }
        }
    }
}

/// A second bias that is no number spoils its component of the tokens that its expert saw, and the gradients of
/// their gates.
#[test]
fn a_bias_without_a_number_stays_where_it_is_added() {
    const EXPERT: usize = 2;
    const COLUMN: usize = 1;
    for (name, device) in devices() {
        for (dtype, precision) in [DType::F32, DType::F64].into_iter().flat_map(|d| BOTH.map(|p| (d, p))) {
            let product = Product::random([40, 5, 4, 2, 6], Activation::Swiglu, &device, dtype);
            let mut product = product.with_biases().within(precision);
            let indices = product.inputs.indices.to_data().iter::<i64>().collect::<Vec<_>>();
            let mut biases = product.inputs.biases.unwrap();
            let spoilt = Tensor::full([1, 1], f64::NAN, (&device, dtype));
            let at = [EXPERT..EXPERT + 1, COLUMN..COLUMN + 1];
            biases.b_out = biases.b_out.slice_assign(at, spoilt);
            product.inputs.biases = Some(biases);
            let sees = |token: usize| indices[token * 2..][..2].contains(&(EXPERT as i64));
            for (how, outcome) in [("fused", product.fused()), ("composed", product.composed())] {
                for (what, found) in outcome {
                    for (i, value) in found.iter().enumerate() {
                        let is_spoilt = match what {
                            "output" => sees(i / 5) && i % 5 == COLUMN,
                            "gates" => indices[i] == EXPERT as i64,
                            _ => false,
                        };
                        assert_eq!(value.is_nan(), is_spoilt, "{what} {i}, {how}, {dtype:?}, {name}");
                    }
                }
            }
        }
    }
}

/// The output and every gradient of an MLP, by the kernel and as one expert of the composed product.
#[test]
fn an_mlp_has_the_gradients_of_one_expert() {
    for (name, device) in devices() {
        for (act, precision) in ACTS.into_iter().flat_map(|act| BOTH.map(|precision| (act, precision))) {
            let product = Product::random([300, 11, 1, 1, 9], act, &device, DType::F64);
            let mut product = product.with_biases().within(precision);
            product.inputs.gates = product.inputs.gates.ones_like();
            let inputs = product.inputs.clone();
            let expected = expected(&product);

            let tracked = device.clone().autodiff();
            let matrix = |tensor: Tensor<3>| on(&tracked, &tensor.squeeze_dim::<2>(0)).require_grad();
            let x = on(&tracked, &inputs.x).require_grad();
            let (w_in, w_out) = (matrix(inputs.w_in), matrix(inputs.w_out));
            let vector = |bias: Tensor<2>| on(&tracked, &bias.squeeze_dim::<1>(0)).require_grad();
            let biases = inputs.biases.unwrap().map(vector);
            let y = mlp(x.clone(), w_in.clone(), w_out.clone(), Some(biases.clone()), act, precision);
            let grads = (y.clone() * on(&tracked, &product.grad)).sum().backward();
            let of = |weight: Tensor<2>| values(weight.grad(&grads).unwrap());
            let [b_in, b_out] = [biases.b_in, biases.b_out].map(|bias| values(bias.grad(&grads).unwrap()));
            let found = [
                ("output", values(y)),
                ("x", of(x)),
                ("w_in", of(w_in)),
                ("w_out", of(w_out)),
                ("b_in", b_in),
                ("b_out", b_out),
            ];
            let expected: Vec<_> = expected.into_iter().filter(|(what, _)| *what != "gates").collect();
            for ((what, found), (_, expected)) in found.iter().zip(&expected) {
                assert_close(&format!("{what}, {act:?}, {precision:?}, {name}"), found, expected, 1e-12);
            }
        }
    }
}

/// Where only some inputs are sought gradients of, those are the same.
#[test]
fn one_bias_may_stay_as_it_is() {
    let device = Device::flex();
    let product = Product::random([30, 6, 3, 2, 5], Activation::Geglu, &device, DType::F64).with_biases();
    let all = product.fused();
    let on_tape = product.on(&device.autodiff());
    let inputs = on_tape.inputs;
    let Biases { b_in, b_out } = inputs.biases.unwrap();
    let biases = Biases { b_in, b_out: b_out.require_grad() };
    let (x, gates, act) = (inputs.x, inputs.gates, inputs.act);
    let (w_in, w_out) = (inputs.w_in, inputs.w_out);
    let y = crate::experts(x, inputs.indices, gates, w_in, w_out, Some(biases.clone()), act, Precision::F32);
    let grads = (y * on_tape.grad).sum().backward();
    assert!(biases.b_in.grad(&grads).is_none());
    assert_eq!(("b_out", values(biases.b_out.grad(&grads).unwrap())), all[6]);
}

#[test]
#[should_panic(expected = "b_in must be [E, G*F]")]
fn biases_of_another_width_are_refused() {
    let device = Device::flex();
    let mut product = Product::random([3, 4, 2, 1, 5], Activation::Swiglu, &device, DType::F32).with_biases();
    let biases = product.inputs.biases.unwrap();
    product.inputs.biases = Some(Biases { b_in: random([2, 5], &device, DType::F32), ..biases });
    product.fused();
}
