//! The gradients of the product.
//!
//! With `t = W_out^T dy` (not yet weighted), the gate's gradient is `t . h` and
//! the hidden gradient `g t`, so the expert's output need not be kept; and
//! `dW_out = dy (g h)^T` scales the narrower side.
//!
//! As in the forward pass, rows of a block are columns.

use rayon::prelude::*;

use super::{
    Inputs, Sizes,
    activation::differentiate,
    routing::{Routing, Tile, split},
    weighing::weigh,
    weights::WeightGrad,
};
use crate::cpu::{Multiply, Rows, Scratch, View, counted_product, unwritten};

/// The gradients of the inputs, and what those of the weights are made of.
pub(super) struct Gradients<'a, T> {
    inputs: Inputs<'a, T>,
    /// Of the output, `[N, D]`.
    output: &'a [T],
    routing: Routing,
    blocks: Vec<Tile>,
    /// Of the first product, of each block `[G*F, rows]`.
    hidden: Vec<T>,
    /// `g h`, of each block `[F, rows]`.
    weighted: Vec<T>,
    /// `[N, D]`.
    pub x: Vec<T>,
    /// `[N, K]`.
    pub gates: Vec<T>,
}

impl<'a, T: Multiply> Gradients<'a, T> {
    /// The backward pass, given the forward pass's first product and the output's gradient `[N, D]`.
    pub fn new(inputs: Inputs<'a, T>, hidden: &[T], output: &'a [T]) -> Self {
        let (d, f, wide) = (inputs.sizes.dim, inputs.sizes.hidden, inputs.wide());
        let routing = Routing::new(inputs.indices, inputs.sizes);
        let blocks = routing.blocks();
        let count = routing.slots.len();

        let mut hidden_grad = unwritten(count * wide);
        let mut weighted = unwritten(count * f);
        let mut gate_grad = vec![T::ZERO; count]; // sorted
        let mut x_grad = unwritten(count * d); // sorted, [N*K, D]
        blocks
            .par_iter()
            .zip(split(&mut hidden_grad, &blocks, wide))
            .zip(split(&mut weighted, &blocks, f))
            .zip(split(&mut gate_grad, &blocks, 1))
            .zip(split(&mut x_grad, &blocks, d))
            .with_max_len(1)
            .for_each(|((((block, hidden_grad), weighted), gate_grad), x_grad)| {
                let rows = block.len;
                let dy = routing.rows_of(output, d, block);
                let mut t = Scratch::new(f * rows);
                let t = t.as_mut_slice();
                let w_out = View::new(inputs.w_out_of(block.expert), d, f);
                counted_product(&mut Rows::new(t, f, rows), w_out.transposed(), dy.transposed(), false);
                let pre = &hidden[block.start * wide..][..rows * wide];
                differentiate(inputs.act, pre, t, weighted, hidden_grad);
                let gates: Vec<T> = routing.slots[block.start..][..rows]
                    .iter()
                    .map(|&slot| inputs.gates[slot as usize])
                    .collect();
                weigh(&gates, t, weighted, hidden_grad, gate_grad);
                let w_in = View::new(inputs.w_in_of(block.expert), wide, d);
                let hidden_grad = View::new(hidden_grad, wide, rows).transposed();
                counted_product(&mut Rows::new(x_grad, rows, d), hidden_grad, w_in, false);
            });

        let gates = routing.rows.iter().map(|&row| gate_grad[row as usize]).collect();
        let x = routing.combine(x_grad, d, None);
        Self { inputs, output, routing, blocks, hidden: hidden_grad, weighted, x, gates }
    }

    /// Of `W_in`: (hidden gradient)^T x, over the rows of each expert.
    pub fn w_in(&self) -> WeightGrad<'_, T> {
        let (d, wide) = (self.inputs.sizes.dim, self.inputs.wide());
        WeightGrad::new(&self.routing, &self.blocks, [wide, d], move |block, to, rows, adds| {
            let x = self.routing.rows_of(self.inputs.x, d, block);
            let left = View::new(&self.hidden[block.start * wide..][..block.len * wide], wide, block.len);
            counted_product(to, left.row_range(rows), x, adds);
        })
    }

    /// Of `W_out`: dy^T (g h).
    pub fn w_out(&self) -> WeightGrad<'_, T> {
        let Sizes { dim: d, hidden: f, .. } = self.inputs.sizes;
        WeightGrad::new(&self.routing, &self.blocks, [d, f], move |block, to, rows, adds| {
            let mut gathered = Scratch::default();
            let dy = self.routing.rows_together(self.output, d, block, &mut gathered);
            let right = View::new(&self.weighted[block.start * f..][..block.len * f], f, block.len);
            counted_product(to, dy.transposed().row_range(rows), right.transposed(), adds);
        })
    }
}
