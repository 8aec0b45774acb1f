//! The k largest scores of each row on GPUs: a cube a row, k times the largest not yet taken.

use burn::backend::{
    Cube, TensorMetadata,
    cubecl::dtype_to_storage_type,
    get_or_init_device_settings,
    tensor::{FloatTensor, IntTensor},
};
use cubecl::prelude::*;

use super::SelectTopKKernel;
use crate::cube::{ask_for_f32, buffer, cubes, empty};

/// Units of a cube: rows are as wide as there are experts.
const UNITS: u32 = 64;

impl SelectTopKKernel for Cube {
    fn selected(scores: FloatTensor<Self>, k: usize) -> IntTensor<Self> {
        ask_for_f32("select_top_k", scores.dtype());
        let [rows, experts] = scores.shape().dims();
        // In the device's own integer type, so that the indices mix with its other integers.
        let dtype = get_or_init_device_settings::<Self>(&scores.device()).int_dtype.into();
        let indices = empty(&scores, [rows, k], dtype);
        pick::launch(
            &scores.client,
            cubes(rows),
            CubeDim::new_1d(UNITS),
            buffer(&scores),
            buffer(&indices),
            rows,
            experts,
            k,
            dtype_to_storage_type(dtype),
        );
        indices
    }
}

/// A score's rank in the order of the real numbers, as an integer: 1 for NaN, which is below all. 0 is none's.
#[cube]
fn rank(score: f32) -> u32 {
    let bits = u32::reinterpret(score);
    // Zero and minus zero are one number.
    let bits = select((bits << 1u32) == 0u32, 0u32, bits);
    let is_nan = (bits & 0x7FFF_FFFFu32) > 0x7F80_0000u32;
    let is_negative = (bits >> 31u32) == 1u32;
    let ordered = select(is_negative, !bits, bits | 0x8000_0000u32);
    select(is_nan, 1u32, ordered)
}

#[cube(launch)]
fn pick<I: Int>(
    scores: &[f32],
    indices: &mut [I],
    rows: usize,
    experts: usize,
    k: usize,
    #[define(I)] _int: ElemType,
) {
    let row = CUBE_POS;
    if row >= rows {
        terminate!();
    }
    let mut ranks = Shared::<[u32]>::new_slice(UNITS as usize);
    let mut places = Shared::<[u32]>::new_slice(UNITS as usize);
    // What was taken last: what comes next ranks below it, or equal and further right.
    let mut last_rank = 0xFFFF_FFFFu32;
    let mut last_place = 0u32;
    for taken in 0..k {
        let mut best = 0u32;
        let mut place = 0xFFFF_FFFFu32;
        let mut expert = UNIT_POS;
        while (expert as usize) < experts {
            let here = rank(scores[row * experts + expert as usize]);
            let is_left = here < last_rank || (here == last_rank && expert > last_place);
            let is_left = is_left || taken == 0;
            if is_left && here > best {
                best = here;
                place = expert;
            }
            expert += UNITS;
        }
        ranks[UNIT_POS as usize] = best;
        places[UNIT_POS as usize] = place;
        sync_cube();
        let mut half = comptime!(UNITS / 2).runtime();
        while half > 0 {
            if UNIT_POS < half {
                let (here, other) = (UNIT_POS as usize, (UNIT_POS + half) as usize);
                let is_better = ranks[other] > ranks[here]
                    || (ranks[other] == ranks[here] && places[other] < places[here]);
                if is_better {
                    ranks[here] = ranks[other];
                    places[here] = places[other];
                }
            }
            sync_cube();
            half /= 2;
        }
        last_rank = ranks[0];
        last_place = places[0];
        if UNIT_POS == 0 {
            indices[row * k + taken] = I::cast_from(last_place);
        }
        sync_cube();
    }
}
