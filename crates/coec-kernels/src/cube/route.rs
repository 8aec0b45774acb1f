//! Which rows go to which expert: a stable counting sort of the selected indices, on the device.
//!
//! Slots, that is pairs of a token and one of its K places, are sorted by expert and within an expert by
//! slot. Three launches: each chunk of slots counts its experts; one cube sums the counts up, expert by
//! expert and chunk by chunk, and cuts each expert's rows into blocks; each chunk puts its slots in place.
//! A slot's place in its chunk is the number of slots before it with its expert, so that nothing is added
//! atomically and the order is always the same.

use burn::backend::cubecl::dtype_to_storage_type;
use burn::tensor::DType;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::{
    launch::{UNITS, buffer, cubes, empty},
    tile::Tile,
};

/// Slots of a chunk: one for each unit of a cube.
const CHUNK: usize = UNITS as usize;

/// Where each slot's row is, and whose rows they are.
#[derive(Debug, Clone)]
pub struct Route {
    /// `[N*K]`: the slot of each sorted row.
    pub(crate) slots: CubeTensor,
    /// `[N*K]`: the sorted row of each slot.
    pub(crate) rows: CubeTensor,
    /// `[E + 1]`: where each expert's rows begin.
    pub(crate) offsets: CubeTensor,
    /// `[blocks, 3]`: a block's expert, its first row, and the row that is none of its any more.
    pub(crate) blocks: CubeTensor,
    /// N*K.
    pub(crate) count: usize,
    /// K.
    pub(crate) selected: usize,
    /// E.
    pub(crate) experts: usize,
    /// What products of these rows are cut into. A block has as many rows as it is high, or fewer.
    pub(crate) tile: Tile,
}

impl Route {
    /// The route of `[N, K]` indices, each in `0..experts`. One that is not is in no block.
    pub fn new(indices: &CubeTensor, tokens: usize, selected: usize, experts: usize) -> Self {
        let count = tokens * selected;
        let chunks = count.div_ceil(CHUNK).max(1);
        let tile = Tile::of_route(count, experts);
        let ints = |length: usize| empty(indices, [length], DType::U32);
        let route = Self {
            slots: ints(count),
            rows: ints(count),
            offsets: ints(experts + 1),
            blocks: ints(3 * most_blocks(count, experts, tile)),
            count,
            selected,
            experts,
            tile,
        };
        let counts = ints(chunks * experts);
        let units = CubeDim::new_1d(UNITS);
        let client = &indices.client;
        let int = dtype_to_storage_type(indices.dtype);
        count_chunks::launch(
            client,
            cubes(chunks),
            units,
            buffer(indices),
            buffer(&counts),
            count,
            experts,
            int,
        );
        sum_up::launch(
            client,
            cubes(1),
            units,
            buffer(&counts),
            buffer(&route.offsets),
            buffer(&route.blocks),
            chunks,
            route.most_blocks(),
            tile.height() as u32,
            experts,
        );
        place_slots::launch(
            client,
            cubes(chunks),
            units,
            buffer(indices),
            buffer(&counts),
            buffer(&route.offsets),
            buffer(&route.rows),
            buffer(&route.slots),
            count,
            experts,
            int,
        );
        route
    }

    /// Blocks, at most: a launch has so many, and those that are not needed have no rows.
    pub fn most_blocks(&self) -> usize {
        most_blocks(self.count, self.experts, self.tile)
    }
}

fn most_blocks(count: usize, experts: usize, tile: Tile) -> usize {
    (count / tile.height() + experts.min(count)).max(1)
}

/// The expert of each unit's slot of a chunk, in shared memory. A slot that is none has no expert's number.
#[cube]
fn chunk<I: Int>(indices: &[I], first: usize, count: usize) -> Shared<[u32]> {
    let mut experts = Shared::<[u32]>::new_slice(CHUNK);
    let slot = first + UNIT_POS as usize;
    let mut expert = 0xFFFF_FFFFu32.runtime();
    if slot < count {
        expert = u32::cast_from(indices[slot]);
    }
    experts[UNIT_POS as usize] = expert;
    sync_cube();
    experts
}

/// `counts[chunk, expert]`.
#[cube(launch)]
fn count_chunks<I: Int>(
    indices: &[I],
    counts: &mut [u32],
    count: usize,
    experts: usize,
    #[define(I)] _int: ElemType,
) {
    let first = CUBE_POS * CHUNK;
    if first >= count {
        terminate!();
    }
    let chunk = chunk::<I>(indices, first, count);
    let mut expert = UNIT_POS as usize;
    while expert < experts {
        let mut found = 0u32;
        for slot in 0..CHUNK {
            if chunk[slot] == expert as u32 {
                found += 1u32;
            }
        }
        counts[CUBE_POS * experts + expert] = found;
        expert += CHUNK;
    }
}

/// Makes of each chunk's counts how many rows of the expert come before the chunk's, and of their sums the
/// offsets and the blocks.
#[cube(launch)]
#[allow(clippy::manual_div_ceil)] // a kernel has none
fn sum_up(
    counts: &mut [u32],
    offsets: &mut [u32],
    blocks: &mut [u32],
    chunks: usize,
    most_blocks: usize,
    height: u32,
    #[comptime] experts: usize,
) {
    if CUBE_POS > 0 {
        terminate!();
    }
    let mut totals = Shared::<[u32]>::new_slice(experts);
    let mut first_rows = Shared::<[u32]>::new_slice(comptime!(experts + 1));
    let mut first_blocks = Shared::<[u32]>::new_slice(comptime!(experts + 1));
    let mut expert = UNIT_POS as usize;
    while expert < experts {
        let mut sum = 0u32;
        for chunk in 0..chunks {
            let here = counts[chunk * experts + expert];
            counts[chunk * experts + expert] = sum;
            sum += here;
        }
        totals[expert] = sum;
        expert += CHUNK;
    }
    sync_cube();
    if UNIT_POS == 0 {
        let mut rows = 0u32;
        let mut cut = 0u32;
        for expert in 0..experts {
            first_rows[expert] = rows;
            first_blocks[expert] = cut;
            rows += totals[expert];
            cut += (totals[expert] + height - 1u32) / height;
        }
        first_rows[experts] = rows;
        first_blocks[experts] = cut;
    }
    sync_cube();
    let mut expert = UNIT_POS as usize;
    while expert <= experts {
        offsets[expert] = first_rows[expert];
        expert += CHUNK;
    }
    let mut expert = UNIT_POS as usize;
    while expert < experts {
        let end = first_rows[expert + 1];
        let mut row = first_rows[expert];
        let mut block = first_blocks[expert] as usize;
        while row < end {
            blocks[block * 3] = expert as u32;
            blocks[block * 3 + 1] = row;
            blocks[block * 3 + 2] = min(row + height, end);
            row += height;
            block += 1;
        }
        expert += CHUNK;
    }
    let mut block = first_blocks[experts] as usize + UNIT_POS as usize;
    while block < most_blocks {
        blocks[block * 3] = 0u32;
        blocks[block * 3 + 1] = 0u32;
        blocks[block * 3 + 2] = 0u32;
        block += CHUNK;
    }
}

/// Puts each slot where its expert's rows, its chunk's among them, and its own place in the chunk say.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn place_slots<I: Int>(
    indices: &[I],
    counts: &[u32],
    offsets: &[u32],
    rows: &mut [u32],
    slots: &mut [u32],
    count: usize,
    experts: usize,
    #[define(I)] _int: ElemType,
) {
    let first = CUBE_POS * CHUNK;
    if first >= count {
        terminate!();
    }
    let chunk = chunk::<I>(indices, first, count);
    let slot = first + UNIT_POS as usize;
    let expert = chunk[UNIT_POS as usize];
    if slot < count {
        if (expert as usize) < experts {
            let mut before = 0u32;
            for other in 0..UNIT_POS as usize {
                if chunk[other] == expert {
                    before += 1u32;
                }
            }
            let row = offsets[expert as usize] + counts[CUBE_POS * experts + expert as usize] + before;
            rows[slot] = row;
            slots[row as usize] = slot as u32;
        } else {
            rows[slot] = 0xFFFF_FFFFu32;
        }
    }
}
