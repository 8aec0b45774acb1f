//! The softmax of a row on GPUs: a cube a row.

use burn::backend::{Cube, TensorMetadata, tensor::FloatTensor};
use burn::tensor::DType;
use cubecl::prelude::*;

use super::SoftmaxKernel;
use crate::cube::{ask_for_f32, buffer, cube_sum, cubes, empty, greatest_of_row, product_of_rows, units};

impl SoftmaxKernel for Cube {
    fn forward(x: FloatTensor<Self>) -> FloatTensor<Self> {
        ask_for_f32("softmax", x.dtype());
        let [rows, width] = x.shape().dims();
        let y = empty(&x, [rows, width], DType::F32);
        normalise::launch(
            &x.client,
            cubes(rows),
            CubeDim::new_1d(units(width)),
            buffer(&x),
            buffer(&y),
            rows,
            width,
            units(width),
        );
        y
    }

    fn backward(y: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        ask_for_f32("the backward pass of softmax", grad.dtype());
        let [rows, width] = y.shape().dims();
        let x_grad = empty(&y, [rows, width], DType::F32);
        differentiate::launch(
            &y.client,
            cubes(rows),
            CubeDim::new_1d(units(width)),
            buffer(&y),
            buffer(&grad),
            buffer(&x_grad),
            rows,
            width,
            units(width),
        );
        x_grad
    }
}

#[cube(launch)]
fn normalise(x: &[f32], y: &mut [f32], rows: usize, width: usize, #[comptime] units: u32) {
    let row = CUBE_POS;
    if row >= rows {
        terminate!();
    }
    let base = row * width;
    let greatest = greatest_of_row(x, base, width, 1.0, units);
    let mut sum = 0.0f32;
    let mut column = UNIT_POS as usize;
    while column < width {
        let value = f32::exp(x[base + column] - greatest);
        y[base + column] = value;
        sum += value;
        column += units as usize;
    }
    let sum = cube_sum(sum, units);
    let mut column = UNIT_POS as usize;
    while column < width {
        y[base + column] /= sum;
        column += units as usize;
    }
}

/// `dx = y (dy - sum of y dy)`.
#[cube(launch)]
fn differentiate(
    y: &[f32],
    grad: &[f32],
    x_grad: &mut [f32],
    rows: usize,
    width: usize,
    #[comptime] units: u32,
) {
    let row = CUBE_POS;
    if row >= rows {
        terminate!();
    }
    let base = row * width;
    let sum = product_of_rows(y, grad, base, width, units);
    let mut column = UNIT_POS as usize;
    while column < width {
        x_grad[base + column] = y[base + column] * (grad[base + column] - sum);
        column += units as usize;
    }
}
