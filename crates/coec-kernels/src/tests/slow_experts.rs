//! The product composed from Burn's own operations, expert by expert.
//!
//! The selected indices are read on the host to know how many rows each expert
//! has, which costs one synchronisation per call.

use burn::tensor::{Int, Tensor, TensorData, s};

use crate::experts::{
    pieces::{activate, differentiate},
    tensors::{Gradients, Tensors},
};
use crate::{Biases, Precision, flops, rounded};

/// Sorted rows: which token and which gate each has, and where each expert's begin.
struct Sorted {
    tokens: Tensor<1, Int>,
    /// The sorted row of each (token, k) pair.
    rows: Tensor<1, Int>,
    slots: Tensor<1, Int>,
    starts: Vec<usize>,
}

fn sort(indices: Tensor<2, Int>, experts: usize) -> Sorted {
    let [_, k] = indices.dims();
    let device = indices.device();
    let indices: Vec<i64> = indices.into_data().iter::<i64>().collect();
    let mut slots: Vec<i64> = (0..indices.len() as i64).collect();
    slots.sort_by_key(|&slot| indices[slot as usize]); // stable: by token within an expert
    let mut rows = vec![0i64; slots.len()];
    for (row, &slot) in slots.iter().enumerate() {
        rows[slot as usize] = row as i64;
    }
    let mut starts = vec![0; experts + 1];
    for &expert in &indices {
        starts[expert as usize + 1] += 1;
    }
    for expert in 0..experts {
        starts[expert + 1] += starts[expert];
    }
    let int = |values: Vec<i64>| {
        let count = values.len();
        Tensor::<1, Int>::from_data(TensorData::new(values, [count]), &device)
    };
    let tokens = slots.iter().map(|slot| slot / k as i64).collect();
    Sorted { tokens: int(tokens), rows: int(rows), slots: int(slots), starts }
}

/// For each expert with rows, `f(expert, its rows)`, stacked again.
fn per_expert(starts: &[usize], mut f: impl FnMut(usize, std::ops::Range<usize>) -> Tensor<2>) -> Tensor<2> {
    let parts = starts.windows(2).enumerate().filter(|(_, bounds)| bounds[0] < bounds[1]);
    Tensor::cat(parts.map(|(expert, bounds)| f(expert, bounds[0]..bounds[1])).collect(), 0)
}

fn weight_of(weights: &Tensor<3>, expert: usize) -> Tensor<2> {
    weights.clone().slice(s![expert..expert + 1, .., ..]).squeeze_dim(0)
}

/// A row for an expert.
fn row_of(rows: &Tensor<2>, expert: usize) -> Tensor<2> {
    rows.clone().slice(s![expert..expert + 1, ..])
}

/// `left right` of factors in `precision`, counted.
fn product(left: Tensor<2>, right: Tensor<2>, precision: Precision) -> Tensor<2> {
    let ([m, k], [_, n]) = (left.dims(), right.dims());
    flops::count([m, k, n]);
    rounded(left, precision).matmul(rounded(right, precision))
}

/// The weighted sum `[N, D]`, and the first product `[N*K, G*F]` in sorted order.
pub(crate) fn forward(inputs: Tensors, precision: Precision) -> (Tensor<2>, Tensor<2>) {
    let ([n, d], [_, k]) = (inputs.x.dims(), inputs.indices.dims());
    let sorted = sort(inputs.indices, inputs.w_in.dims()[0]);
    let product = |left, right| product(left, right, precision);
    let x = inputs.x.select(0, sorted.tokens); // [N*K, D]
    let hidden = per_expert(&sorted.starts, |expert, rows| {
        let hidden = product(x.clone().slice(s![rows, ..]), weight_of(&inputs.w_in, expert).transpose());
        match &inputs.biases {
            Some(biases) => hidden + row_of(&biases.b_in, expert),
            None => hidden,
        }
    }); // [N*K, G*F]
    let h = activate(hidden.clone(), inputs.act);
    let y = per_expert(&sorted.starts, |expert, rows| {
        let y = product(h.clone().slice(s![rows, ..]), weight_of(&inputs.w_out, expert).transpose());
        match &inputs.biases {
            Some(biases) => y + row_of(&biases.b_out, expert),
            None => y,
        }
    }); // [N*K, D]
    let y = y.select(0, sorted.rows).reshape([n, k, d]) * inputs.gates.unsqueeze_dim(2);
    (y.sum_dim(1).reshape([n, d]), hidden)
}

/// The gradients, given the first product and the output's gradient.
pub(crate) fn backward(
    inputs: Tensors,
    hidden: Tensor<2>,
    output_grad: Tensor<2>,
    precision: Precision,
) -> Gradients {
    let ([n, d], [_, k], [e, wide, _]) = (inputs.x.dims(), inputs.indices.dims(), inputs.w_in.dims());
    let f = wide / inputs.act.inputs();
    let sorted = sort(inputs.indices, e);
    let dy = output_grad.select(0, sorted.tokens.clone()); // [N*K, D]
    let x = inputs.x.select(0, sorted.tokens); // [N*K, D]
    let gates = inputs.gates.reshape([n * k, 1]).select(0, sorted.slots); // [N*K, 1]
    // Of biases nothing is rounded, and gates weigh what they weigh.
    let beside = inputs.biases.map(|Biases { b_out, .. }| {
        let to_gates = per_expert(&sorted.starts, |expert, rows| {
            (dy.clone().slice(s![rows, ..]) * row_of(&b_out, expert)).sum_dim(1)
        }); // [N*K, 1]
        (to_gates, sums(&sorted.starts, dy.clone() * gates.clone()))
    });

    // In bf16 gates weigh what enters the products, but for those that nothing can be divided by.
    let (dy, gates, before) = match precision {
        Precision::F32 => (dy, gates, None),
        Precision::Bf16 => {
            let divides =
                gates.clone().equal_elem(0.0).bool_or(gates.clone().is_finite().bool_not()).bool_not();
            let before = gates.ones_like().mask_where(divides.clone(), gates.clone());
            (dy * before.clone(), gates.mask_fill(divides, 1.0), Some(before))
        }
    };
    let product = |left, right| product(left, right, precision);
    let t = per_expert(&sorted.starts, |expert, rows| {
        product(dy.clone().slice(s![rows, ..]), weight_of(&inputs.w_out, expert))
    }); // [N*K, F], not yet weighted by `gates`
    let (h, derivative) = differentiate(hidden, t.clone() * gates.clone(), inputs.act);
    let gate_grad = (t * rounded(h.clone(), precision)).sum_dim(1);
    let gate_grad = match before {
        Some(before) => gate_grad / before,
        None => gate_grad,
    };
    let (gate_grad, biases) = match beside {
        None => (gate_grad, None),
        Some((to_gates, b_out)) => {
            let b_in = sums(&sorted.starts, derivative.clone());
            (gate_grad + to_gates, Some(Biases { b_in, b_out }))
        }
    };
    let gate_grad = gate_grad.select(0, sorted.rows.clone()).reshape([n, k]);
    let x_grad = per_expert(&sorted.starts, |expert, rows| {
        product(derivative.clone().slice(s![rows, ..]), weight_of(&inputs.w_in, expert))
    });
    let x_grad = x_grad.select(0, sorted.rows).reshape([n, k, d]).sum_dim(1).reshape([n, d]);

    let weighted = h * gates;
    let w_in_grad = weight_grad(&sorted.starts, derivative, x, [wide, d], product);
    let w_out_grad = weight_grad(&sorted.starts, dy, weighted, [d, f], product);
    Gradients { x: x_grad, gates: gate_grad, w_in: w_in_grad, w_out: w_out_grad, biases }
}

/// Per expert, the sum of its rows; zero for an expert without rows.
fn sums(starts: &[usize], rows: Tensor<2>) -> Tensor<2> {
    let width = rows.dims()[1];
    let sums = starts.windows(2).map(|bounds| match bounds[0] == bounds[1] {
        true => Tensor::<2>::zeros([1, width], (&rows.device(), rows.dtype())),
        false => rows.clone().slice(s![bounds[0]..bounds[1], ..]).sum_dim(0),
    });
    Tensor::cat(sums.collect(), 0)
}

/// Per expert, `left^T right` over its rows; zero for an expert without rows.
fn weight_grad(
    starts: &[usize],
    left: Tensor<2>,
    right: Tensor<2>,
    size: [usize; 2],
    product: impl Fn(Tensor<2>, Tensor<2>) -> Tensor<2>,
) -> Tensor<3> {
    let (device, dtype) = (left.device(), left.dtype());
    let grads = starts.windows(2).map(|bounds| {
        if bounds[0] == bounds[1] {
            return Tensor::<3>::zeros([1, size[0], size[1]], (&device, dtype));
        }
        let rows = bounds[0]..bounds[1];
        let left = left.clone().slice(s![rows.clone(), ..]);
        product(left.transpose(), right.clone().slice(s![rows, ..])).unsqueeze()
    });
    Tensor::cat(grads.collect(), 0)
}
