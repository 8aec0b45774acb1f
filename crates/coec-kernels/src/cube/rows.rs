//! Sums and maxima over the units of a cube.

use cubecl::prelude::*;

/// The sum of every unit's `value`, in a fixed order. Each unit of the cube must call it.
#[cube]
pub(crate) fn cube_sum(value: f32, #[comptime] units: u32) -> f32 {
    let mut shared = Shared::<[f32]>::new_slice(units as usize);
    shared[UNIT_POS as usize] = value;
    sync_cube();
    let mut half = comptime!(units / 2).runtime();
    while half > 0 {
        if UNIT_POS < half {
            let other = shared[(UNIT_POS + half) as usize];
            shared[UNIT_POS as usize] += other;
        }
        sync_cube();
        half /= 2;
    }
    let sum = shared[0];
    sync_cube();
    sum
}

/// The greatest of every unit's `value`. Each unit of the cube must call it.
#[cube]
pub(crate) fn cube_max(value: f32, #[comptime] units: u32) -> f32 {
    let mut shared = Shared::<[f32]>::new_slice(units as usize);
    shared[UNIT_POS as usize] = value;
    sync_cube();
    let mut half = comptime!(units / 2).runtime();
    while half > 0 {
        if UNIT_POS < half {
            let other = shared[(UNIT_POS + half) as usize];
            shared[UNIT_POS as usize] = max(shared[UNIT_POS as usize], other);
        }
        sync_cube();
        half /= 2;
    }
    let greatest = shared[0];
    sync_cube();
    greatest
}
