//! Numbers taken apart into bits.

use cubecl::prelude::*;

/// A gate that something can be divided by, or 1 in its place.
#[cube]
pub(crate) fn divisible(gate: f32) -> f32 {
    let bits = u32::reinterpret(gate) & 0x7FFF_FFFFu32;
    select(bits == 0u32 || bits >= 0x7F80_0000u32, 1.0f32, gate)
}

/// The nearest bf16, ties to even, as f32. NaN stays NaN.
#[cube]
pub(crate) fn nearest_bf16(value: f32) -> f32 {
    let bits = u32::reinterpret(value);
    let even = (bits >> 16u32) & 1u32;
    let near = (bits + 0x7FFFu32 + even) & 0xFFFF_0000u32;
    let is_nan = (bits & 0x7FFF_FFFFu32) > 0x7F80_0000u32;
    f32::reinterpret(select(is_nan, bits | 0x0040_0000u32, near))
}
