//! One tile of a product, by one cube: the factors go through shared memory, the sums stay in registers.

use cubecl::prelude::*;

use crate::cube::{
    numbers::{divisible, nearest_bf16},
    tile::Tile,
};

/// How a factor is read. Its lines are the rows of a left factor, the columns of a right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Reading {
    /// Whether neighbours in memory are neighbours in a line.
    pub along_line: bool,
    /// What stands in a place of the sorted rows that is not the row itself.
    pub gathered: Gathered,
    /// Whether what is gathered is multiplied with the gate of its slot, if that can be undone: before it is rounded.
    pub weighed: bool,
    /// Whether lines come in pairs: the second half of a tile's are the partners of the first.
    pub pairs: bool,
    /// Whether elements are rounded to bf16.
    pub rounded: bool,
}

/// Which index of a factor is a place among the sorted rows, to be replaced by the token that goes there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Gathered {
    /// Neither.
    No,
    /// The line.
    Line,
    /// The place in the line, which is summed over.
    Depth,
}

/// A factor, or the part of it that a cube reads: `from[base + line * per_line + place * per_place]`.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Lines {
    /// Where it begins.
    pub base: usize,
    /// From one line to the next.
    pub per_line: usize,
    /// From one place in a line to the next.
    pub per_place: usize,
    /// The first line of the tile.
    pub first: usize,
    /// The line that is none any more.
    pub end: usize,
    /// From the first of a pair of lines to the second.
    pub between: usize,
    /// Slots of a token.
    pub selected: usize,
}

/// Copies `depth` places of the tile's lines into shared memory, as `[depth, lines + 1]`; zeros outside.
///
/// One column more than lines keeps neighbours in a line out of one bank of memory.
#[cube]
#[allow(clippy::too_many_arguments)]
pub(super) fn load(
    from: &[f32],
    to: &mut Shared<[f32]>,
    lines: &Lines,
    slots: &[u32],
    gates: &[f32],
    place: usize,
    places: usize,
    #[comptime] count: usize,
    #[comptime] depth: usize,
    #[comptime] units: usize,
    #[comptime] reading: Reading,
) {
    let parts = comptime!((count * depth).div_ceil(units));
    #[unroll]
    for part in 0..parts {
        let at = part * units + UNIT_POS as usize;
        if comptime!((count * depth).is_multiple_of(units)) || at < count * depth {
            let (local, deep) = spot(at, count, depth, reading);
            let value = read(from, lines, slots, gates, local, place + deep, places, count, reading);
            to[deep * (count + 1) + local] = value;
        }
    }
}

/// Which of `count` lines, and which place of it, a unit reads: neighbours are read by neighbours.
#[cube]
pub(super) fn spot(
    at: usize,
    #[comptime] count: usize,
    #[comptime] depth: usize,
    #[comptime] reading: Reading,
) -> (usize, usize) {
    if comptime!(reading.along_line) { (at / depth, at % depth) } else { (at % count, at / count) }
}

/// One element of the tile's lines, zero outside.
#[cube]
#[allow(clippy::too_many_arguments)]
pub(super) fn read(
    from: &[f32],
    lines: &Lines,
    slots: &[u32],
    gates: &[f32],
    local: usize,
    place: usize,
    places: usize,
    #[comptime] count: usize,
    #[comptime] reading: Reading,
) -> f32 {
    let mut line = lines.first + local;
    let mut is_inside = line < lines.end;
    if comptime!(reading.pairs) {
        let half = comptime!(count / 2);
        line = lines.first + local % half;
        is_inside = line < lines.end;
        line += (local / half) * lines.between;
    }
    let mut value = 0.0f32;
    if is_inside && place < places {
        value = element(from, lines, slots, gates, line, place, reading);
    }
    value
}

/// One element of a factor.
#[cube]
fn element(
    from: &[f32],
    lines: &Lines,
    slots: &[u32],
    gates: &[f32],
    line: usize,
    place: usize,
    #[comptime] reading: Reading,
) -> f32 {
    let mut line = line;
    let mut place = place;
    let mut gate = 1.0f32;
    if comptime!(reading.gathered == Gathered::Line) {
        let slot = slots[line] as usize;
        if comptime!(reading.weighed) {
            gate = divisible(gates[slot]);
        }
        line = slot / lines.selected;
    }
    if comptime!(reading.gathered == Gathered::Depth) {
        let slot = slots[place] as usize;
        if comptime!(reading.weighed) {
            gate = divisible(gates[slot]);
        }
        place = slot / lines.selected;
    }
    let mut value = from[lines.base + line * lines.per_line + place * lines.per_place];
    if comptime!(reading.weighed) {
        value *= gate;
    }
    if comptime!(reading.rounded) {
        value = nearest_bf16(value);
    }
    value
}

/// What a unit has summed up: element `i * columns + j` stands in row `unit / side + i * side` of the tile
/// and in column `unit % side + j * side`.
#[cube]
#[allow(clippy::too_many_arguments)]
pub(super) fn sums(
    left: &[f32],
    right: &[f32],
    rows: &Lines,
    columns: &Lines,
    slots: &[u32],
    gates: &[f32],
    place: usize,
    places: usize,
    #[comptime] tile: Tile,
    #[comptime] left_reading: Reading,
    #[comptime] right_reading: Reading,
) -> Array<f32> {
    let height = comptime!(tile.height());
    let width = comptime!(tile.width());
    let units = comptime!(tile.units());
    let mut left_tile = Shared::<[f32]>::new_slice(comptime!(tile.depth * (height + 1)));
    let mut right_tile = Shared::<[f32]>::new_slice(comptime!(tile.depth * (width + 1)));
    let row = UNIT_POS as usize / tile.side;
    let column = UNIT_POS as usize % tile.side;

    let mut sums = Array::<f32>::new(comptime!(tile.rows * tile.columns));
    #[unroll]
    for at in 0..comptime!(tile.rows * tile.columns) {
        sums[at] = 0.0;
    }
    let mut left_values = Array::<f32>::new(tile.rows);
    let mut right_values = Array::<f32>::new(tile.columns);

    let mut begin = place;
    while begin < places {
        load(
            left,
            &mut left_tile,
            rows,
            slots,
            gates,
            begin,
            places,
            height,
            tile.depth,
            units,
            left_reading,
        );
        load(
            right,
            &mut right_tile,
            columns,
            slots,
            gates,
            begin,
            places,
            width,
            tile.depth,
            units,
            right_reading,
        );
        sync_cube();
        for deep in 0..tile.depth {
            #[unroll]
            for i in 0..tile.rows {
                left_values[i] = left_tile[deep * (height + 1) + row + i * tile.side];
            }
            #[unroll]
            for j in 0..tile.columns {
                right_values[j] = right_tile[deep * (width + 1) + column + j * tile.side];
            }
            #[unroll]
            for i in 0..tile.rows {
                #[unroll]
                for j in 0..tile.columns {
                    sums[i * tile.columns + j] += left_values[i] * right_values[j];
                }
            }
        }
        sync_cube();
        begin += tile.depth;
    }
    sums
}
