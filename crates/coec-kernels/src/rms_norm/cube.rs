//! RMSNorm on GPUs: a cube a row, and for the weight's gradient a cube for a few columns.

use burn::backend::{Cube, TensorMetadata, tensor::FloatTensor};
use burn::tensor::DType;
use cubecl::prelude::*;

use super::{RmsNormKernel, Saved};
use crate::cube::{UNITS, ask_for_f32, buffer, cube_sum, cubes, empty, units};

impl RmsNormKernel for Cube {
    fn forward(x: FloatTensor<Self>, weight: FloatTensor<Self>, eps: f64) -> [FloatTensor<Self>; 2] {
        ask_for_f32("rms_norm", x.dtype());
        let [rows, dim] = x.shape().dims();
        let (y, scales) = (empty(&x, [rows, dim], DType::F32), empty(&x, [rows], DType::F32));
        normalise::launch(
            &x.client,
            cubes(rows),
            CubeDim::new_1d(units(dim)),
            buffer(&x),
            buffer(&weight),
            buffer(&y),
            buffer(&scales),
            rows,
            dim,
            eps as f32,
            units(dim),
        );
        [y, scales]
    }

    fn backward(saved: Saved<Self>, grad: FloatTensor<Self>) -> [FloatTensor<Self>; 2] {
        ask_for_f32("the backward pass of rms_norm", grad.dtype());
        let Saved { x, weight, scales } = saved;
        let [rows, dim] = x.shape().dims();
        let parts = rows.div_ceil(PART).max(1);
        let x_grad = empty(&x, [rows, dim], DType::F32);
        let (partial, weight_grad) = (empty(&x, [parts, dim], DType::F32), empty(&x, [dim], DType::F32));
        let columns = CubeDim::new_1d(UNITS);
        let [grad, x] = [grad, x].map(burn_cubecl::kernel::into_contiguous);
        differentiate::launch(
            &x.client,
            cubes(rows),
            CubeDim::new_1d(units(dim)),
            buffer(&grad),
            buffer(&x),
            buffer(&weight),
            buffer(&scales),
            buffer(&x_grad),
            rows,
            dim,
            units(dim),
        );
        sum_parts::launch(
            &x.client,
            CubeCount::Static(dim.div_ceil(UNITS as usize) as u32, parts as u32, 1),
            columns,
            buffer(&grad),
            buffer(&x),
            buffer(&scales),
            buffer(&partial),
            rows,
            dim,
        );
        sum_columns::launch(
            &x.client,
            cubes(dim.div_ceil(UNITS as usize)),
            columns,
            buffer(&partial),
            buffer(&weight_grad),
            parts,
            dim,
        );
        [x_grad, weight_grad]
    }
}

/// Rows whose parts of the weight's gradient are summed up together.
const PART: usize = 64;

/// `y = x * rsqrt(mean(x^2) + eps) * w`, and the factor of each row.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn normalise(
    x: &[f32],
    weight: &[f32],
    y: &mut [f32],
    scales: &mut [f32],
    rows: usize,
    dim: usize,
    eps: f32,
    #[comptime] units: u32,
) {
    let row = CUBE_POS;
    if row >= rows {
        terminate!();
    }
    let mut sum = 0.0f32;
    let mut column = UNIT_POS as usize;
    while column < dim {
        let value = x[row * dim + column];
        sum += value * value;
        column += units as usize;
    }
    let scale = 1.0 / f32::sqrt(cube_sum(sum, units) / f32::cast_from(dim) + eps);
    if UNIT_POS == 0 {
        scales[row] = scale;
    }
    let mut column = UNIT_POS as usize;
    while column < dim {
        y[row * dim + column] = x[row * dim + column] * scale * weight[column];
        column += units as usize;
    }
}

/// With `s` the row's factor and `g = dy * w`: `dx = s g - x s^3 mean(g x)`.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn differentiate(
    grad: &[f32],
    x: &[f32],
    weight: &[f32],
    scales: &[f32],
    x_grad: &mut [f32],
    rows: usize,
    dim: usize,
    #[comptime] units: u32,
) {
    let row = CUBE_POS;
    if row >= rows {
        terminate!();
    }
    let mut sum = 0.0f32;
    let mut column = UNIT_POS as usize;
    while column < dim {
        let at = row * dim + column;
        sum += grad[at] * weight[column] * x[at];
        column += units as usize;
    }
    let scale = scales[row];
    let pull = scale * scale * scale * cube_sum(sum, units) / f32::cast_from(dim);
    let mut column = UNIT_POS as usize;
    while column < dim {
        let at = row * dim + column;
        x_grad[at] = grad[at] * weight[column] * scale - x[at] * pull;
        column += units as usize;
    }
}

/// `dw = sum of dy x s`, over a part of the rows.
#[cube(launch)]
fn sum_parts(grad: &[f32], x: &[f32], scales: &[f32], partial: &mut [f32], rows: usize, dim: usize) {
    let column = CUBE_POS_X as usize * UNITS as usize + UNIT_POS as usize;
    let part = CUBE_POS_Y as usize;
    if column >= dim {
        terminate!();
    }
    let mut sum = 0.0f32;
    for row in part * PART..min((part + 1) * PART, rows) {
        sum += grad[row * dim + column] * x[row * dim + column] * scales[row];
    }
    partial[part * dim + column] = sum;
}

/// The sum of all parts.
#[cube(launch)]
fn sum_columns(partial: &[f32], sums: &mut [f32], parts: usize, dim: usize) {
    let column = ABSOLUTE_POS;
    if column >= dim {
        terminate!();
    }
    let mut sum = 0.0f32;
    for part in 0..parts {
        sum += partial[part * dim + column];
    }
    sums[column] = sum;
}
