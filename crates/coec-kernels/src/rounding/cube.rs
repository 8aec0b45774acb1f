//! Rounding on GPUs: in whole numbers, so that it needs no bf16 of the device.

use burn::backend::{Cube, TensorMetadata, tensor::FloatTensor};
use burn::tensor::DType;
use cubecl::prelude::*;

use super::RoundKernel;
use crate::cube::{UNITS, ask_for_f32, buffer, cubes_of_units, empty, nearest_bf16};

impl RoundKernel for Cube {
    fn bf16(x: FloatTensor<Self>) -> FloatTensor<Self> {
        ask_for_f32("rounded", x.dtype());
        let (out, count) = (empty(&x, x.shape(), DType::F32), x.shape().num_elements());
        let units = CubeDim::new_1d(UNITS);
        round::launch(&x.client, cubes_of_units(count), units, buffer(&x), buffer(&out), count);
        out
    }
}

#[cube(launch)]
fn round(x: &[f32], out: &mut [f32], count: usize) {
    let at = ABSOLUTE_POS;
    if at >= count {
        terminate!();
    }
    out[at] = nearest_bf16(x[at]);
}
