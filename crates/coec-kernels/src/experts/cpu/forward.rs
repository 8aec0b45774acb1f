//! `y[n] = sum_k gates[n,k] * W_out[i] act(W_in[i] x[n])`.

use rayon::prelude::*;

use super::{
    Inputs,
    activation::activate_rows,
    routing::{Routing, split},
};
use crate::cpu::{Real, View, matmul};

/// The weighted sum `[N, D]`, and the first product `[N*K, G*F]` in sorted order.
pub(super) fn forward<T: Real>(inputs: Inputs<'_, T>) -> (Vec<T>, Vec<T>) {
    let (d, f, wide) = (inputs.sizes.dim, inputs.sizes.hidden, inputs.wide());
    let routing = Routing::new(inputs.indices, inputs.sizes);
    let blocks = routing.blocks();
    let x = routing.gather(inputs.x, d); // [N*K, D]
    let mut hidden = vec![T::ZERO; routing.slots.len() * wide];
    let mut sorted = vec![T::ZERO; routing.slots.len() * d];

    blocks.par_iter().zip(split(&mut hidden, &blocks, wide)).zip(split(&mut sorted, &blocks, d)).for_each(
        |((block, pre), out)| {
            let x = View::new(&x[block.start * d..][..block.len * d], block.len, d);
            matmul(pre, x, View::new(inputs.w_in_of(block.expert), wide, d).transposed());
            let mut h = vec![T::ZERO; block.len * f];
            activate_rows(inputs.act, pre, &mut h, f);
            let w_out = View::new(inputs.w_out_of(block.expert), d, f);
            matmul(out, View::new(&h, block.len, f), w_out.transposed());
        },
    );

    (routing.combine(sorted, d, Some(inputs.gates)), hidden)
}
