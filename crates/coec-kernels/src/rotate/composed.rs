//! The rotary embedding composed of Burn's own operations.

use burn::tensor::Tensor;

use super::Pairing;

/// Rotated, backwards for `inverse`.
pub(crate) fn rotated(
    x: Tensor<4>,
    cos: Tensor<2>,
    sin: Tensor<2>,
    pairs: Pairing,
    inverse: bool,
) -> Tensor<4> {
    let ([b, t, h, width], [_, half]) = (x.dims(), cos.dims());
    if 2 * half < width {
        let (first, rest) = (x.clone().narrow(3, 0, 2 * half), x.narrow(3, 2 * half, width - 2 * half));
        return Tensor::cat(vec![rotated(first, cos, sin, pairs, inverse), rest], 3);
    }
    let sin = if inverse { -sin } else { sin };
    match pairs {
        Pairing::HalfSplit => {
            let (cos, sin) = (cos.reshape([1, t, 1, half]), sin.reshape([1, t, 1, half]));
            let (first, second) = (x.clone().narrow(3, 0, half), x.narrow(3, half, half));
            let a = first.clone() * cos.clone() - second.clone() * sin.clone();
            Tensor::cat(vec![a, second * cos + first * sin], 3)
        }
        Pairing::Neighbours => {
            let (cos, sin) = (cos.reshape([1, t, 1, half, 1]), sin.reshape([1, t, 1, half, 1]));
            let x = x.reshape([b, t, h, half, 2]);
            let (even, odd) = (x.clone().narrow(4, 0, 1), x.narrow(4, 1, 1));
            let a = even.clone() * cos.clone() - odd.clone() * sin.clone();
            Tensor::cat(vec![a, odd * cos + even * sin], 4).reshape([b, t, h, width])
        }
    }
}
