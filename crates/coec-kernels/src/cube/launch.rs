//! Launches and buffers.

use burn::tensor::{DType, Shape};
use burn_cubecl::{kernel::into_contiguous, ops::numeric::empty_device_contiguous_dtype, tensor::CubeTensor};
use cubecl::prelude::*;

/// Cubes on a side of a launch, at most; what every device can do.
const MOST_CUBES: usize = 65_535;

/// A launch of `count` cubes, numbered by `CUBE_POS`. There may be more: kernels ask.
pub(crate) fn cubes(count: usize) -> CubeCount {
    let wide = count.clamp(1, MOST_CUBES);
    CubeCount::Static(wide as u32, count.div_ceil(wide).max(1) as u32, 1)
}

/// A launch of one unit for each of `count` elements, in cubes of `UNITS`.
pub(crate) fn cubes_of_units(count: usize) -> CubeCount {
    cubes(count.div_ceil(UNITS as usize))
}

/// Units of a cube, at most, in kernels that go through rows or elements.
pub(crate) const UNITS: u32 = 256;

/// Units of a cube that goes through a row of this width: a power of two.
pub(crate) fn units(width: usize) -> u32 {
    (width.next_power_of_two() as u32).clamp(32, UNITS)
}

/// Asks that an operation's tensors are of the one type that the kernels compute in.
///
/// # Panics
///
/// When they are not.
pub(crate) fn ask_for_f32(operation: &str, dtype: DType) {
    assert!(dtype == DType::F32, "{operation} on a GPU computes in F32, not in {dtype:?}");
}

/// A contiguous tensor with nothing in it yet, on the device of another.
pub(crate) fn empty(beside: &CubeTensor, shape: impl Into<Shape>, dtype: DType) -> CubeTensor {
    empty_device_contiguous_dtype(beside.client.clone(), beside.device.clone(), shape.into(), dtype)
}

/// The tensor as a buffer of its elements in row-major order.
pub(crate) fn buffer(tensor: &CubeTensor) -> BufferArg {
    into_contiguous(tensor.clone()).into_buffer_arg()
}
