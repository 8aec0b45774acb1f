//! Sums over many elements, part by part.

use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::{
    launch::{UNITS, buffer, cubes},
    rows::cube_sum,
};

/// Writes the sum of each part of `count` elements into `sums`, or of their squares.
pub(crate) fn sum_parts(x: &CubeTensor, sums: &CubeTensor, count: usize, part: usize, squared: bool) {
    let parts = count.div_ceil(part).max(1);
    let units = CubeDim::new_1d(UNITS);
    add_up::launch(&x.client, cubes(parts), units, buffer(x), buffer(sums), count, parts, part, squared);
}

/// The sum of each part's elements, or of their squares.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn add_up(x: &[f32], sums: &mut [f32], count: usize, parts: usize, part: usize, #[comptime] squared: bool) {
    if CUBE_POS >= parts {
        terminate!();
    }
    let end = min((CUBE_POS + 1) * part, count);
    let mut at = CUBE_POS * part + UNIT_POS as usize;
    let mut sum = 0.0f32;
    while at < end {
        let value = x[at];
        if comptime!(squared) {
            sum += value * value;
        } else {
            sum += value;
        }
        at += UNITS as usize;
    }
    let sum = cube_sum(sum, UNITS);
    if UNIT_POS == 0 {
        sums[CUBE_POS] = sum;
    }
}
