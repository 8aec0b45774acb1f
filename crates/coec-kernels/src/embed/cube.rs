//! Looking rows up on GPUs. A row's gradient is made by the first place that looked it up, which goes
//! through all later ones: nothing is added atomically, and sums have the order of the places.

use burn::backend::{
    Cube, TensorMetadata,
    cubecl::dtype_to_storage_type,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::DType;
use burn_cubecl::ops::numeric::zeros;
use cubecl::prelude::*;

use super::{EmbedKernel, Saved};
use crate::cube::{UNITS, ask_for_f32, buffer, cube_sum, cubes, cubes_of_units, empty};

impl EmbedKernel for Cube {
    fn rows(table: FloatTensor<Self>, tokens: IntTensor<Self>) -> FloatTensor<Self> {
        ask_for_f32("embed", table.dtype());
        let ([count], [_, dim]) = (tokens.shape().dims(), table.shape().dims());
        let rows = empty(&table, [count, dim], DType::F32);
        look_up::launch(
            &table.client,
            cubes_of_units(count * dim),
            CubeDim::new_1d(UNITS),
            buffer(&table),
            buffer(&tokens),
            buffer(&rows),
            count * dim,
            dim,
            dtype_to_storage_type(tokens.dtype),
        );
        rows
    }

    fn table_grad(saved: Saved<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        ask_for_f32("the backward pass of embed", grad.dtype());
        let [count, dim] = grad.shape().dims();
        let table = zeros(grad.device.clone(), saved.table, DType::F32);
        sum_up::launch(
            &grad.client,
            cubes(count),
            CubeDim::new_1d(UNITS),
            buffer(&grad),
            buffer(&saved.tokens),
            buffer(&table),
            count,
            dim,
            dtype_to_storage_type(saved.tokens.dtype),
        );
        table
    }
}

#[cube(launch)]
fn look_up<I: Int>(
    table: &[f32],
    tokens: &[I],
    rows: &mut [f32],
    elements: usize,
    dim: usize,
    #[define(I)] _int: ElemType,
) {
    let at = ABSOLUTE_POS;
    if at >= elements {
        terminate!();
    }
    rows[at] = table[usize::cast_from(tokens[at / dim]) * dim + at % dim];
}

/// A cube a place.
#[cube(launch)]
fn sum_up<I: Int>(
    grad: &[f32],
    tokens: &[I],
    table: &mut [f32],
    count: usize,
    dim: usize,
    #[define(I)] _int: ElemType,
) {
    let place = CUBE_POS;
    if place >= count {
        terminate!();
    }
    let token = tokens[place];
    // Is it the first of its token?
    let mut earlier = 0.0f32;
    let mut other = UNIT_POS as usize;
    while other < place {
        if tokens[other] == token {
            earlier += 1.0;
        }
        other += UNITS as usize;
    }
    let earlier = cube_sum(earlier, UNITS);
    if earlier > 0.0 {
        terminate!();
    }
    let row = usize::cast_from(token) * dim;
    let mut looked_up = Shared::<[u32]>::new_slice(UNITS as usize);
    let mut first = place;
    while first < count {
        sync_cube();
        let here = first + UNIT_POS as usize;
        let mut is_same = 0u32.runtime();
        if here < count {
            is_same = u32::cast_from(tokens[here] == token);
        }
        looked_up[UNIT_POS as usize] = is_same;
        sync_cube();
        for local in 0..UNITS as usize {
            if looked_up[local] == 1u32 {
                let mut column = UNIT_POS as usize;
                while column < dim {
                    table[row + column] += grad[(first + local) * dim + column];
                    column += UNITS as usize;
                }
            }
        }
        first += UNITS as usize;
    }
}
