//! The gradients of the product.
//!
//! With `t = W_out^T dy` (not yet weighted), the gate's gradient is `t . h` and
//! the hidden gradient `g t`, so the expert's output need not be kept; and
//! `dW_out = dy (g h)^T` scales the narrower side. In bf16, where what enters a product is rounded, it is the
//! gradient `g dy` of an expert's output that enters: then gates weigh [before](Weights).
//!
//! Biases are beside the products: `db_in` is the sum of the hidden gradients of an expert's rows, `db_out` that of
//! `g dy`, and the gate has `b_out . dy` more.
//!
//! As in the forward pass, rows of a block are columns.

use rayon::prelude::*;

use super::{
    Inputs,
    activation::differentiate,
    biases::{flow_back, of_experts, sum_rows},
    routing::{Routing, Tile, split},
    weighing::{Weights, weigh},
};
use crate::{
    Precision,
    cpu::{Multiply, Rows, Scratch, View, counted_product, round_to_bf16, unwritten},
};

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
    /// `[E, G*F]` and `[E, D]`.
    pub biases: Option<[Vec<T>; 2]>,
}

/// The gradients of the forward pass, given its first product and the output's gradient `[N, D]`.
pub(super) fn backward<T: Multiply>(inputs: Inputs<'_, T>, hidden: &[T], output_grad: &[T]) -> Gradients<T> {
    let (d, f, wide) = (inputs.sizes.dim, inputs.sizes.hidden, inputs.wide());
    let precision = inputs.precision;
    let routing = Routing::new(inputs.indices, inputs.sizes);
    let blocks = routing.blocks();
    let count = routing.slots.len();
    let gates = routing.slots.iter().map(|&slot| inputs.gates[slot as usize]).collect();
    let weights = Weights::of(gates, precision);

    let mut hidden_grad = unwritten(count * wide); // of each block, [G*F, rows]
    let mut weighted = unwritten(count * f); // g h, of each block [F, rows]
    let mut gate_grad = vec![T::ZERO; count]; // sorted
    let mut x_grad = unwritten(count * d); // sorted, [N*K, D]
    // Beside the products, what each block has for the gradients of biases.
    let (b_in, b_out): (Vec<_>, Vec<_>) = blocks
        .par_iter()
        .zip(split(&mut hidden_grad, &blocks, wide))
        .zip(split(&mut weighted, &blocks, f))
        .zip(split(&mut gate_grad, &blocks, 1))
        .zip(split(&mut x_grad, &blocks, d))
        .with_max_len(1)
        .map(|((((block, hidden_grad), weighted), gate_grad), x_grad)| {
            let rows = block.len;
            let mut gathered = Scratch::default();
            let dy = match &weights.before {
                Some(before) => routing.weighted_rows(output_grad, d, block, before, &mut gathered),
                None => routing.rows_of(output_grad, d, block),
            };
            let mut t = Scratch::new(f * rows);
            let t = t.as_mut_slice();
            let w_out = View::new(inputs.w_out_of(block.expert), d, f);
            counted_product(
                &mut Rows::new(t, f, rows),
                w_out.transposed(),
                dy.transposed(),
                false,
                precision,
            );
            let pre = &hidden[block.start * wide..][..rows * wide];
            differentiate(inputs.act, pre, t, weighted, hidden_grad);
            if precision == Precision::Bf16 {
                round_to_bf16(weighted); // as it was in the forward pass: what the gate weighed was made of that
            }
            weigh(&weights.after[block.start..][..rows], t, weighted, hidden_grad, gate_grad);
            if let Some(before) = &weights.before {
                for (grad, &weight) in gate_grad.iter_mut().zip(&before[block.start..]) {
                    *grad = *grad / weight;
                }
            }
            let w_in = View::new(inputs.w_in_of(block.expert), wide, d);
            let flown = View::new(hidden_grad, wide, rows).transposed();
            counted_product(&mut Rows::new(x_grad, rows, d), flown, w_in, false, precision);

            let Some([_, b_out]) = inputs.biases_of(block.expert) else { return (Vec::new(), Vec::new()) };
            let (mut b_in_grad, mut b_out_grad) = (vec![T::ZERO; wide], vec![T::ZERO; d]);
            sum_rows(hidden_grad, &mut b_in_grad);
            for (row, gate_grad) in (block.start..).zip(gate_grad) {
                let gate = inputs.gates[routing.slots[row] as usize];
                flow_back(gate, routing.row_of(output_grad, d, row), b_out, &mut b_out_grad, gate_grad);
            }
            (b_in_grad, b_out_grad)
        })
        .unzip();

    let gates = routing.rows.iter().map(|&row| gate_grad[row as usize]).collect();
    let x = routing.combine(x_grad, d, None);
    let of = |values: &'_ [T], width: usize, block: &Tile| -> std::ops::Range<usize> {
        debug_assert!((block.start + block.len) * width <= values.len());
        block.start * width..(block.start + block.len) * width
    };
    // dW_in = (hidden gradient)^T x, dW_out = dy^T (g h): over the rows of each expert.
    let w_in = weight_grad(&routing, &blocks, [wide, d], |block, to, rows, adds| {
        let x = routing.rows_of(inputs.x, d, block);
        let left = View::new(&hidden_grad[of(&hidden_grad, wide, block)], wide, block.len);
        counted_product(to, left.row_range(rows), x, adds, precision);
    });
    let w_out = weight_grad(&routing, &blocks, [d, f], |block, to, rows, adds| {
        let mut gathered = Scratch::default();
        let dy = match &weights.before {
            Some(before) => routing.weighted_rows(output_grad, d, block, before, &mut gathered),
            None => routing.rows_together(output_grad, d, block, &mut gathered),
        };
        let right = View::new(&weighted[of(&weighted, f, block)], f, block.len).transposed();
        counted_product(to, dy.transposed().row_range(rows), right, adds, precision);
    });
    let experts = inputs.sizes.experts;
    let biases = inputs
        .biases
        .map(|_| [of_experts(&b_in, &blocks, [experts, wide]), of_experts(&b_out, &blocks, [experts, d])]);
    Gradients { x, gates, w_in, w_out, biases }
}

/// Rows of a weight's gradient that one task makes.
const TASK: usize = 512;

/// The gradients of the experts' weights, each `[rows, cols]`: for each block of an expert's rows `add` adds
/// its part, or sets it where it is the first.
fn weight_grad<T: Multiply>(
    routing: &Routing,
    blocks: &[Tile],
    [rows, cols]: [usize; 2],
    add: impl Fn(&Tile, &mut Rows<'_, T>, std::ops::Range<usize>, bool) + Sync,
) -> Vec<T> {
    let experts = routing.starts.len() - 1;
    let mut grad = unwritten(experts * rows * cols);
    // Few experts: their rows are shared among the threads, with few copies of what they are multiplied with.
    let task = (experts * rows).div_ceil(4 * rayon::current_num_threads()).next_multiple_of(64).min(TASK);
    grad.par_chunks_exact_mut(rows * cols).enumerate().with_max_len(1).for_each(|(expert, grad)| {
        let first = blocks.partition_point(|block| block.expert < expert);
        let own = blocks[first..].iter().take_while(|block| block.expert == expert);
        Rows::new(grad, rows, cols).parts([task, cols]).into_par_iter().with_max_len(1).for_each(
            |mut part| {
                let range = part.row..part.row + part.to.size()[0];
                let mut adds = false;
                for block in own.clone() {
                    add(block, &mut part.to, range.clone(), adds);
                    adds = true;
                }
                if !adds {
                    part.to.fill(T::ZERO);
                }
            },
        );
    });
    grad
}
