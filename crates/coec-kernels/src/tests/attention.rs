//! Attention in blocks, fused and composed, against the definition.

use burn::tensor::{Bool, DType, Device, Tensor, activation};

use super::{BOTH, devices, on, random, threads::assert_same_bits, values};
use crate::{
    Precision, attention,
    attention::composed::{self, Tensors},
    rounded, with_rounded_gradient,
};

/// Queries, keys, values, and the gradient of the output.
struct Case {
    inputs: [Tensor<4>; 3],
    grad: Tensor<4>,
    scale: f64,
    block: usize,
    precision: Precision,
}

/// Sequences, queries, keys, heads, key-value heads, widths of keys and values, queries of a block.
const SIZES: [[usize; 8]; 8] = [
    [2, 70, 70, 3, 3, 8, 8, 32],
    [1, 300, 310, 4, 2, 20, 12, 64],
    [2, 3, 21, 4, 1, 6, 10, 3],
    [1, 1, 5, 2, 2, 4, 4, 16],
    [1, 1, 1, 1, 1, 2, 2, 1],
    [3, 10, 10, 2, 1, 4, 6, 4],
    [2, 1, 37, 8, 2, 12, 10, 16],
    [3, 1, 40, 6, 1, 9, 7, 4],
];

impl Case {
    fn random(
        [b, t, s, h, g, d, e, block]: [usize; 8],
        device: &Device,
        dtype: DType,
        precision: Precision,
    ) -> Self {
        let of = |shape| random(shape, device, dtype);
        let inputs = [of([b, t, h, d]), of([b, s, g, d]), of([b, s, g, e])];
        Self { inputs, grad: of([b, t, h, e]), scale: 0.37, block, precision }
    }

    /// The output of `f` and the gradients of its three inputs.
    fn outcome(&self, f: impl Fn([Tensor<4>; 3]) -> Tensor<4>) -> [Vec<f64>; 4] {
        let device = self.grad.device().autodiff();
        let inputs = self.inputs.each_ref().map(|input| on(&device, input).require_grad());
        let y = f(inputs.clone());
        let grads = (y.clone() * on(&device, &self.grad)).sum().backward();
        let [q, k, v] = inputs.map(|input| values(input.grad(&grads).unwrap()));
        [values(y), q, k, v]
    }

    fn fused(&self) -> [Vec<f64>; 4] {
        self.outcome(|[q, k, v]| attention(q, k, v, self.scale, self.block, self.precision))
    }

    fn composed(&self) -> [Vec<f64>; 4] {
        let [q, k, v] = self.inputs.clone();
        let inputs = Tensors::new(q, k, v, self.scale, self.block, self.precision);
        let (y, probs) = composed::forward(inputs.clone());
        let [q, k, v] = composed::backward(inputs, probs, self.grad.clone());
        [y, q, k, v].map(values)
    }

    /// All scores at once, on a tape. A product is what [`Precision`] says, forward and backward.
    fn defined(&self) -> [Vec<f64>; 4] {
        self.outcome(|[q, k, v]| {
            let ([b, t, h, _], [_, s, g, _]) = (q.dims(), k.dims());
            let repeated = |x: Tensor<4>| {
                let [_, _, _, width] = x.dims();
                let x = x.unsqueeze_dim::<5>(3).expand([b, s, g, h / g, width]);
                x.reshape([b, s, h, width]).swap_dims(1, 2)
            };
            let product = |a: Tensor<4>, b: Tensor<4>| {
                let [a, b] = [a, b].map(|factor| rounded(factor, self.precision));
                with_rounded_gradient(a.matmul(b), self.precision)
            };
            let scores = product(q.swap_dims(1, 2), repeated(k).swap_dims(2, 3)) * self.scale;
            let hidden = Tensor::<2, Bool>::tril_mask([t, s], (s - t) as i64, &scores.device());
            let hidden = hidden.reshape([1, 1, t, s]).expand([b, h, t, s]);
            let probs = activation::softmax(scores.mask_fill(hidden, f64::NEG_INFINITY), 3);
            product(probs, repeated(v)).swap_dims(1, 2)
        })
    }
}

#[test]
fn blocks_make_what_all_scores_make() {
    for (name, device) in devices() {
        for (sizes, precision) in SIZES.into_iter().flat_map(|sizes| BOTH.map(|precision| (sizes, precision)))
        {
            let case = Case::random(sizes, &device, DType::F64, precision);
            let defined = case.defined();
            for (how, found) in [("fused", case.fused()), ("composed", case.composed())] {
                for (what, (found, expected)) in
                    ["output", "q", "k", "v"].iter().zip(found.iter().zip(&defined))
                {
                    let close = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-10);
                    assert!(
                        close && found.len() == expected.len(),
                        "{what}, {how}, {name}, {sizes:?}, {precision:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn without_a_tape_it_is_the_same() {
    for (_, device) in devices() {
        for (sizes, precision) in SIZES.into_iter().flat_map(|sizes| BOTH.map(|precision| (sizes, precision)))
        {
            let case = Case::random(sizes, &device, DType::F32, precision);
            let [q, k, v] = case.inputs.clone();
            let [with_a_tape, ..] = case.fused();
            assert_eq!(values(attention(q, k, v, case.scale, case.block, precision)), with_a_tape);
        }
    }
}

#[test]
fn threads_change_no_bit() {
    for (name, device) in devices() {
        for precision in BOTH {
            let case = Case::random([2, 200, 230, 4, 2, 24, 20, 50], &device, DType::F32, precision);
            assert_same_bits(&format!("{name}, {precision:?}"), || case.fused().to_vec());
        }
    }
}
