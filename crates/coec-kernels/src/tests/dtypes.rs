//! Tensors of different element types, and of types that are not computed in, are refused by name.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::backend::{
    Flex, NdArray,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use crate::{
    Activation, AdamWStep, Biases, Mixing, Pairing, Precision, adamw, attention,
    attention::{Attended, AttentionKernel, Sinks},
    biases::Added,
    cross_entropy,
    cross_entropy::CrossEntropyKernel,
    experts,
    experts::{Experts, ExpertsKernel},
    head_cross_entropy, linear,
    linear::LinearKernel,
    mlp, rms_norm,
    rms_norm::RmsNormKernel,
    rotate,
    rotate::{Angles, RotateKernel},
    select_top_k,
};

const F32: Precision = Precision::F32;

const MIXING: Mixing = Mixing { scale: 1.0, window: None, block: 3, precision: F32 };

/// What `f` panics with.
fn refusal<R>(what: &str, f: impl FnOnce() -> R) -> String {
    let Err(message) = catch_unwind(AssertUnwindSafe(f)) else { panic!("{what} is not refused") };
    let message = message.downcast::<String>().expect("panics carry a text");
    *message
}

/// `f` refuses, naming the operation and both element types.
fn assert_refuses<R>(operation: &str, odd: &str, f: impl FnOnce() -> R) {
    let message = refusal(&format!("{operation} with another {odd}"), f);
    for part in [operation, odd, "F32", "F64"] {
        assert!(message.contains(part), "{operation} with another {odd}: {message}");
    }
}

/// With a tape and without.
fn devices() -> [Device; 4] {
    [Device::flex(), Device::flex().autodiff(), Device::ndarray(), Device::ndarray().autodiff()]
}

const STEP: AdamWStep = AdamWStep {
    lr: 0.1,
    betas: [0.9, 0.9],
    eps: 1e-8,
    weight_decay: 0.0,
    corrections: [0.1, 0.1],
    scale: 1.0,
};

/// The element type of the tensor `name` where `odd` names the one that differs.
fn dtype(name: &str, odd: &str) -> DType {
    if name == odd { DType::F64 } else { DType::F32 }
}

#[test]
fn operations_refuse_mixed_types() {
    for device in devices() {
        for odd in ["x", "gates", "w_in", "w_out", "b_in", "b_out"] {
            let of = |name: &str| (&device, dtype(name, odd));
            let w_in = Tensor::<3>::ones([2, 6, 4], of("w_in"));
            let w_out = Tensor::<3>::ones([2, 4, 3], of("w_out"));
            let (x, gates) = (Tensor::<2>::ones([5, 4], of("x")), Tensor::<2>::ones([5, 1], of("gates")));
            let indices = Tensor::<2, Int>::zeros([5, 1], &device);
            let biases = Biases {
                b_in: Tensor::<2>::ones([2, 6], of("b_in")),
                b_out: Tensor::<2>::ones([2, 4], of("b_out")),
            };
            assert_refuses("experts", odd, || {
                experts(x, indices, gates, w_in, w_out, Some(biases), Activation::Swiglu, F32)
            });
        }
        for odd in ["x", "w_in", "w_out", "b_in", "b_out"] {
            let of = |name: &str| (&device, dtype(name, odd));
            let (w_in, w_out) =
                (Tensor::<2>::ones([3, 4], of("w_in")), Tensor::<2>::ones([4, 3], of("w_out")));
            let x = Tensor::<2>::ones([5, 4], of("x"));
            let biases = Biases {
                b_in: Tensor::<1>::ones([3], of("b_in")),
                b_out: Tensor::<1>::ones([4], of("b_out")),
            };
            assert_refuses("mlp", odd, || mlp(x, w_in, w_out, Some(biases), Activation::Gelu, F32));
        }
        for odd in ["x", "weight"] {
            let of = |name: &str| (&device, dtype(name, odd));
            let (x, weight) = (Tensor::<2>::ones([5, 4], of("x")), Tensor::<1>::ones([4], of("weight")));
            assert_refuses("rms_norm", odd, || rms_norm(x, weight, 1e-6));
        }
        for odd in ["x", "weight"] {
            let of = |name: &str| (&device, dtype(name, odd));
            let (x, weight) = (Tensor::<2>::ones([5, 4], of("x")), Tensor::<2>::ones([3, 4], of("weight")));
            assert_refuses("linear", odd, || linear(x.clone(), weight.clone(), F32));
            let targets = Tensor::<1, Int>::zeros([5], &device);
            let weights = Tensor::<1>::ones([5], of("weights"));
            assert_refuses("cross_entropy", odd, || {
                head_cross_entropy(x, weight, targets, weights, 2, F32, 1.0)
            });
        }
        for odd in ["q", "k", "v", "sinks"] {
            let of = |name: &str| Tensor::<4>::ones([1, 3, 1, 4], (&device, dtype(name, odd)));
            let sinks = Tensor::<1>::ones([1], (&device, dtype("sinks", odd)));
            assert_refuses("attention", odd, || attention(of("q"), of("k"), of("v"), Some(sinks), MIXING));
        }
        for odd in ["x", "cos", "sin"] {
            let of = |name: &str| (&device, dtype(name, odd));
            let (cos, sin) = (Tensor::<2>::ones([5, 2], of("cos")), Tensor::<2>::ones([5, 2], of("sin")));
            let x = Tensor::<4>::ones([1, 5, 2, 4], of("x"));
            assert_refuses("rotate", odd, || rotate(x, cos, sin, Pairing::HalfSplit));
        }
    }
}

#[test]
fn the_update_refuses_mixed_types() {
    for device in [Device::flex(), Device::ndarray()] {
        for odd in ["param", "grad", "first", "second"] {
            let [param, grad, first, second] = ["param", "grad", "first", "second"]
                .map(|name| Tensor::<1>::ones([6], (&device, dtype(name, odd))));
            assert_refuses("adamw", odd, || adamw(param, grad, first, second, STEP));
        }
    }
}

/// The backward passes, which read what the forward pass saved and the gradient that flows back.
fn backward_passes_refuse<B>()
where
    B: AttentionKernel + CrossEntropyKernel + ExpertsKernel + LinearKernel + RmsNormKernel + RotateKernel,
{
    let device = B::Device::default();
    let float = |name: &str, odd: &str, shape: &[usize]| -> FloatTensor<B> {
        let ones = TensorData::new(vec![1.0f32; shape.iter().product()], shape.to_vec());
        B::float_from_data(ones.convert_dtype(dtype(name, odd)), &device)
    };
    let indices = || -> IntTensor<B> { B::int_from_data(TensorData::new(vec![0i64; 5], [5, 1]), &device) };
    for odd in ["output_grad", "x", "gates", "w_in", "w_out", "b_in", "b_out", "hidden"] {
        let of = |name: &str, shape: &[usize]| float(name, odd, shape);
        assert_refuses("the backward pass of experts", odd, || {
            let inputs = Experts::<B> {
                x: of("x", &[5, 4]),
                indices: indices(),
                gates: of("gates", &[5, 1]),
                w_in: of("w_in", &[2, 3, 4]),
                w_out: of("w_out", &[2, 4, 3]),
                biases: Added::Biases { b_in: of("b_in", &[2, 3]), b_out: of("b_out", &[2, 4]) },
                act: Activation::Relu2,
                precision: F32,
            };
            let saved = experts::Saved { route: Default::default(), inputs, hidden: of("hidden", &[5, 3]) };
            saved.backward(of("output_grad", &[5, 4]))
        });
    }
    for odd in ["grad", "x", "weight", "scales"] {
        let of = |name: &str, shape: &[usize]| float(name, odd, shape);
        assert_refuses("the backward pass of rms_norm", odd, || {
            let (x, weight, scales) = (of("x", &[5, 4]), of("weight", &[4]), of("scales", &[5]));
            rms_norm::Saved::<B> { x, weight, scales }.backward(of("grad", &[5, 4]))
        });
    }
    for odd in ["grad", "q", "k", "v", "sinks", "probs", "sunk"] {
        let of = |name: &str, shape: &[usize]| float(name, odd, shape);
        assert_refuses("the backward pass of attention", odd, || {
            let [q, k, v] = ["q", "k", "v"].map(|name| of(name, &[1, 3, 1, 4]));
            let sinks = Sinks::Each(of("sinks", &[1]));
            let inputs = Attended::<B> { q, k, v, sinks, mixing: MIXING };
            let (probs, sunk) = (of("probs", &[9]), Some(of("sunk", &[1, 1, 3])));
            attention::Saved { inputs, probs, sunk }.backward(of("grad", &[1, 3, 1, 4]))
        });
    }
    for odd in ["grad", "x", "weight"] {
        let of = |name: &str, shape: &[usize]| float(name, odd, shape);
        assert_refuses("the backward pass of linear", odd, || {
            let (x, weight) = (of("x", &[5, 4]), of("weight", &[3, 4]));
            linear::Saved::<B> { x, weight, precision: F32 }.backward(of("grad", &[5, 3]))
        });
        assert_refuses("the backward pass of cross_entropy", odd, || {
            let (x, weight) = (of("x", &[5, 4]), of("weight", &[3, 4]));
            cross_entropy::Saved::<B> { x, weight }.backward(of("grad", &[1]))
        });
    }
    for odd in ["x", "cos", "sin"] {
        let of = |name: &str, shape: &[usize]| float(name, odd, shape);
        assert_refuses("rotate", odd, || {
            let (cos, sin) = (of("cos", &[5, 2]), of("sin", &[5, 2]));
            let by = Angles::<B> { cos, sin, pairs: Pairing::Neighbours };
            by.rotated(of("x", &[1, 5, 2, 4]), true)
        });
    }
}

#[test]
fn backward_passes_refuse_mixed_types_on_flex() {
    backward_passes_refuse::<Flex>();
}

#[test]
fn backward_passes_refuse_mixed_types_on_ndarray() {
    backward_passes_refuse::<NdArray>();
}

/// f16 and bf16 have storage on Flex, and no arithmetic in these kernels.
#[test]
fn halves_are_refused_by_name() {
    for (dtype, name) in [(DType::F16, "F16"), (DType::BF16, "BF16")] {
        let device = Device::flex();
        let ones = |shape: [usize; 2]| Tensor::<2>::ones(shape, (&device, dtype));
        let (row, cube) =
            (|| Tensor::<1>::ones([4], (&device, dtype)), || ones([5, 5]).reshape([1, 1, 5, 5]));
        let refused = [
            (
                "experts",
                refusal("mlp", || mlp(ones([5, 4]), ones([3, 4]), ones([4, 3]), None, Activation::Gelu, F32)),
            ),
            ("rms_norm", refusal("rms_norm", || rms_norm(ones([5, 4]), row(), 1e-6))),
            ("attention", refusal("attention", || attention(cube(), cube(), cube(), None, MIXING))),
            ("linear", refusal("linear", || linear(ones([5, 4]), ones([3, 4]), F32))),
            (
                "cross_entropy",
                refusal("cross_entropy", || {
                    let targets = Tensor::<1, Int>::zeros([4], &device);
                    head_cross_entropy(ones([4, 4]), ones([3, 4]), targets, row(), 2, F32, 1.0)
                }),
            ),
            (
                "rotate",
                refusal("rotate", || {
                    let x = ones([5, 4]).reshape([1, 5, 1, 4]);
                    rotate(x, ones([5, 2]), ones([5, 2]), Pairing::HalfSplit)
                }),
            ),
            ("select_top_k", refusal("select_top_k", || select_top_k(ones([5, 4]), 2))),
            ("adamw", refusal("adamw", || adamw(row(), row(), row(), row(), STEP))),
        ];
        for (operation, message) in refused {
            assert!(message.contains(operation) && message.contains(name), "{operation}: {message}");
        }
    }
}
