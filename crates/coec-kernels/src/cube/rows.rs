//! Sums and maxima over the units of a cube, and over a row that they go through together.

use cubecl::prelude::*;

/// What becomes of two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Fold {
    Sum,
    Greatest,
}

/// The sum of every unit's `value`, in a fixed order. Each unit of the cube must call it.
#[cube]
pub(crate) fn cube_sum(value: f32, #[comptime] units: u32) -> f32 {
    folded(value, units, Fold::Sum)
}

/// The greatest of every unit's `value`. Each unit of the cube must call it.
#[cube]
fn cube_max(value: f32, #[comptime] units: u32) -> f32 {
    folded(value, units, Fold::Greatest)
}

#[cube]
fn folded(value: f32, #[comptime] units: u32, #[comptime] fold: Fold) -> f32 {
    let mut shared = Shared::<[f32]>::new_slice(units as usize);
    shared[UNIT_POS as usize] = value;
    sync_cube();
    let mut half = comptime!(units / 2).runtime();
    while half > 0 {
        if UNIT_POS < half {
            let other = shared[(UNIT_POS + half) as usize];
            if comptime!(fold == Fold::Sum) {
                shared[UNIT_POS as usize] += other;
            } else {
                shared[UNIT_POS as usize] = max(shared[UNIT_POS as usize], other);
            }
        }
        sync_cube();
        half /= 2;
    }
    let all = shared[0];
    sync_cube();
    all
}

/// The greatest of `scale` times the `length` elements from `base` on.
#[cube]
pub(crate) fn greatest_of_row(
    row: &[f32],
    base: usize,
    length: usize,
    scale: f32,
    #[comptime] units: u32,
) -> f32 {
    let mut greatest = f32::min_value();
    let mut column = UNIT_POS as usize;
    while column < length {
        greatest = max(greatest, row[base + column] * scale);
        column += units as usize;
    }
    cube_max(greatest, units)
}

/// The scalar product of two rows, each of the `length` elements from `base` on.
#[cube]
pub(crate) fn product_of_rows(
    a: &[f32],
    b: &[f32],
    base: usize,
    length: usize,
    #[comptime] units: u32,
) -> f32 {
    let mut sum = 0.0f32;
    let mut column = UNIT_POS as usize;
    while column < length {
        sum += a[base + column] * b[base + column];
        column += units as usize;
    }
    cube_sum(sum, units)
}
