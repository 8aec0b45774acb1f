//! Sums of squares on GPUs: a part a cube, and one cube for the parts.

use burn::backend::{Cube, TensorMetadata, tensor::FloatTensor};
use burn::tensor::DType;
use cubecl::prelude::*;

use super::SumOfSquaresKernel;
use crate::cube::{UNITS, ask_for_f32, buffer, cube_sum, cubes, empty};

/// Elements of a part.
const PART: usize = 16 * 1024;

impl SumOfSquaresKernel for Cube {
    fn sum_of_squares(x: FloatTensor<Self>) -> FloatTensor<Self> {
        ask_for_f32("sum_of_squares", x.dtype());
        let count = x.shape().num_elements();
        let parts = count.div_ceil(PART).max(1);
        let (partial, units) = (empty(&x, [parts], DType::F32), CubeDim::new_1d(UNITS));
        add_up::launch(
            &x.client,
            cubes(parts),
            units,
            buffer(&x),
            buffer(&partial),
            count,
            parts,
            PART,
            true,
        );
        if parts == 1 {
            return partial;
        }
        let sum = empty(&x, [1], DType::F32);
        add_up::launch(&x.client, cubes(1), units, buffer(&partial), buffer(&sum), parts, 1, parts, false);
        sum
    }
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
