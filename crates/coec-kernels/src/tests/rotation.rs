//! Rotations of part of the width.

use burn::tensor::{DType, Device, Tensor};

use super::{devices, on, random, values};
use crate::{Pairing, rotate};

const PAIRS: [Pairing; 2] = [Pairing::HalfSplit, Pairing::Neighbours];

/// The output and the gradient of x, for a gradient of the output.
fn outcome(x: &Tensor<4>, [cos, sin]: &[Tensor<2>; 2], pairs: Pairing, grad: &Tensor<4>) -> [Vec<f64>; 2] {
    let device = x.device().autodiff();
    let x = on(&device, x).require_grad();
    let y = rotate(x.clone(), on(&device, cos), on(&device, sin), pairs);
    let grads = (y.clone() * on(&device, grad)).sum().backward();
    [values(y), values(x.grad(&grads).unwrap())]
}

/// The first dimensions have the bits that they have alone, the others those that they had.
#[test]
fn part_of_the_width_is_rotated_as_if_it_were_alone() {
    for (name, device) in devices() {
        for (dtype, pairs) in [DType::F32, DType::F64].into_iter().flat_map(|d| PAIRS.map(|p| (d, p))) {
            for [width, half] in [[8, 1], [40, 7], [7, 3], [33, 16]] {
                let of = |width: usize| random([2, 70, 3, width], &device, dtype);
                let (x, grad) = (of(width), of(width));
                let angles = [random([70, half], &device, dtype), random([70, half], &device, dtype)];
                let part = |tensor: &Tensor<4>| tensor.clone().narrow(3, 0, 2 * half);
                let found = outcome(&x, &angles, pairs, &grad);
                let first = outcome(&part(&x), &angles, pairs, &part(&grad));
                for ((found, first), kept) in found.iter().zip(&first).zip([&x, &grad]) {
                    let kept = values(kept.clone());
                    let rows = found.chunks(width).zip(first.chunks(2 * half)).zip(kept.chunks(width));
                    for ((found, first), kept) in rows {
                        let expected = [first, &kept[2 * half..]].concat();
                        assert_eq!(found, expected, "{half} {pairs:?} of {width}, {dtype:?}, {name}");
                    }
                }
            }
        }
    }
}

#[test]
fn without_pairs_or_tokens_nothing_is_rotated() {
    for (name, device) in devices() {
        let tables = |shape: [usize; 2]| (Tensor::ones(shape, &device), Tensor::ones(shape, &device));
        for pairs in PAIRS {
            let x = random([2, 3, 2, 5], &device, DType::F32);
            let (cos, sin) = tables([3, 0]);
            assert_eq!(values(rotate(x.clone(), cos, sin, pairs)), values(x), "{name}");
            for shape in [[0, 3, 2, 6], [2, 0, 2, 6]] {
                let (cos, sin) = tables([shape[1], 2]);
                let y = rotate(Tensor::zeros(shape, &device), cos, sin, pairs);
                assert_eq!(y.dims(), shape, "{name}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "3 pairs are more than a width of 5 has")]
fn more_pairs_than_a_head_has_are_refused() {
    let device = Device::flex();
    let table = || Tensor::<2>::ones([4, 3], &device);
    rotate(Tensor::ones([1, 4, 2, 5], &device), table(), table(), Pairing::HalfSplit);
}
