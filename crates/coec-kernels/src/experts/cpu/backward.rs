//! The gradients of the product.
//!
//! With `t = W_out^T dy` (not yet weighted), the gate's gradient is `t . h` and
//! the hidden gradient `g t`, so the expert's output need not be kept; and
//! `dW_out = dy (g h)^T` scales the narrower side.

use rayon::prelude::*;

use super::{
    BLOCK, Inputs,
    activation::differentiate_row,
    routing::{Routing, split},
};
use crate::cpu::{Real, View, matmul};

/// The gradients of every input that has one.
pub(super) struct Gradients<T> {
    /// `[N, D]`.
    pub x: Vec<T>,
    /// `[N, K]`.
    pub gates: Vec<T>,
    /// `[E, G*F, D]`.
    pub w_in: Vec<T>,
    /// `[E, D, F]`.
    pub w_out: Vec<T>,
}

/// The gradients of the forward pass, given its first product and the output's gradient `[N, D]`.
pub(super) fn backward<T: Real>(inputs: Inputs<'_, T>, hidden: &[T], output_grad: &[T]) -> Gradients<T> {
    let (d, f, wide) = (inputs.sizes.dim, inputs.sizes.hidden, inputs.wide());
    let routing = Routing::new(inputs.indices, inputs.sizes);
    let blocks = routing.blocks();
    let count = routing.slots.len();
    let dy = routing.gather(output_grad, d); // [N*K, D]

    let mut hidden_grad = vec![T::ZERO; count * wide]; // [N*K, G*F]
    let mut weighted = vec![T::ZERO; count * f]; // g h, [N*K, F]
    let mut gate_grad = vec![T::ZERO; count]; // sorted
    let mut x_grad = vec![T::ZERO; count * d]; // sorted, [N*K, D]
    blocks
        .par_iter()
        .zip(split(&mut hidden_grad, &blocks, wide))
        .zip(split(&mut weighted, &blocks, f))
        .zip(split(&mut gate_grad, &blocks, 1))
        .zip(split(&mut x_grad, &blocks, d))
        .for_each(|((((block, hidden_grad), weighted), gate_grad), x_grad)| {
            let dy = View::new(&dy[block.start * d..][..block.len * d], block.len, d);
            let mut t = vec![T::ZERO; block.len * f];
            matmul(&mut t, dy, View::new(inputs.w_out_of(block.expert), d, f));
            let mut h = vec![T::ZERO; f];
            for row in 0..block.len {
                let slot = routing.slots[block.start + row] as usize;
                let gate = inputs.gates[slot];
                let pre = &hidden[(block.start + row) * wide..][..wide];
                let t = &mut t[row * f..][..f];
                let pre_grad = &mut hidden_grad[row * wide..][..wide];
                differentiate_row(inputs.act, pre, t, &mut h, pre_grad);
                // Without the gate so far; the derivative is linear in what flows back.
                for value in pre_grad.iter_mut() {
                    *value = *value * gate;
                }
                let mut dot = T::ZERO;
                for ((&h, &t), weighted) in h.iter().zip(t.iter()).zip(&mut weighted[row * f..][..f]) {
                    dot += h * t;
                    *weighted = gate * h;
                }
                gate_grad[row] = dot;
            }
            matmul(
                x_grad,
                View::new(hidden_grad, block.len, wide),
                View::new(inputs.w_in_of(block.expert), wide, d),
            );
        });

    let x = routing.gather(inputs.x, d);
    let w_in = weight_grad(&routing, &hidden_grad, wide, &x, d);
    drop((x, hidden_grad));
    let w_out = weight_grad(&routing, &dy, d, &weighted, f);
    let gates = routing.rows.iter().map(|&row| gate_grad[row as usize]).collect();
    Gradients { x: routing.combine(x_grad, d, None), gates, w_in, w_out }
}

/// Per expert, `left^T right` over its rows: `[E, left_width, right_width]`.
fn weight_grad<T: Real>(
    routing: &Routing,
    left: &[T],
    left_width: usize,
    right: &[T],
    right_width: usize,
) -> Vec<T> {
    let experts = routing.starts.len() - 1;
    let mut grad = vec![T::ZERO; experts * left_width * right_width];
    let per_expert = grad.par_chunks_exact_mut(left_width * right_width).zip(routing.starts.par_windows(2));
    per_expert.for_each(|(grad, bounds)| {
        let rows = bounds[1] - bounds[0];
        if rows == 0 {
            return;
        }
        let left = View::new(&left[bounds[0] * left_width..][..rows * left_width], rows, left_width);
        let right = View::new(&right[bounds[0] * right_width..][..rows * right_width], rows, right_width);
        grad.par_chunks_mut(BLOCK * right_width).enumerate().for_each(|(chunk, grad)| {
            let columns = left.columns(chunk * BLOCK, grad.len() / right_width);
            matmul(grad, columns.transposed(), right);
        });
    });
    grad
}
