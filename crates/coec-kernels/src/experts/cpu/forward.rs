//! `y[n] = sum_k gates[n,k] * (W_out[i] act(W_in[i] x[n] + b_in[i]) + b_out[i])`.
//!
//! Inside a block a row is a column: weights are the left factor of each product and are read where they
//! are, the rows of a block are the right one, which is copied for the product anyway.

use rayon::prelude::*;

use super::{
    Inputs,
    activation::activate,
    biases::add,
    routing::{Routing, split},
};
use crate::cpu::{Multiply, Rows, Scratch, View, counted_product, transpose, unwritten};

/// The weighted sum `[N, D]`, and the first product with its bias: for each block of rows, `[G*F, rows]`.
pub(super) fn forward<T: Multiply>(inputs: Inputs<'_, T>) -> (Vec<T>, Vec<T>) {
    let (d, f, wide) = (inputs.sizes.dim, inputs.sizes.hidden, inputs.wide());
    let precision = inputs.precision;
    let routing = Routing::new(inputs.indices, inputs.sizes);
    let blocks = routing.blocks();
    let count = routing.slots.len();
    let mut hidden = unwritten(count * wide);
    let mut sorted = unwritten(count * d); // [N*K, D]

    let parts = blocks.par_iter().zip(split(&mut hidden, &blocks, wide)).zip(split(&mut sorted, &blocks, d));
    parts.with_max_len(1).for_each(|((block, pre), out)| {
        let x = routing.rows_of(inputs.x, d, block);
        let w_in = View::new(inputs.w_in_of(block.expert), wide, d);
        counted_product(&mut Rows::new(pre, wide, block.len), w_in, x.transposed(), false, precision);
        let biases = inputs.biases_of(block.expert);
        if let Some([b_in, _]) = biases {
            add(b_in, pre);
        }
        let mut h = Scratch::new(f * block.len);
        let h = h.as_mut_slice();
        activate(inputs.act, pre, h);
        let mut y = Scratch::new(d * block.len);
        let y = y.as_mut_slice();
        let (w_out, h) = (View::new(inputs.w_out_of(block.expert), d, f), View::new(h, f, block.len));
        counted_product(&mut Rows::new(y, d, block.len), w_out, h, false, precision);
        if let Some([_, b_out]) = biases {
            add(b_out, y);
        }
        transpose(y, out, [d, block.len]);
    });

    (routing.combine(sorted, d, Some(inputs.gates)), hidden)
}
