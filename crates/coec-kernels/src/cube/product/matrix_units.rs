//! A tile by a device's matrix units (tensor cores): bf16 factors, sums in f32.
//!
//! A cube of eight planes of 32 units makes 128 by 128 elements, a plane 64 by 32 of them: four pieces of 16 rows
//! down, and two of 16 columns across that are half a tile apart, so that a gate and its partner are one plane's.

use std::sync::atomic::{AtomicBool, Ordering};

use cubecl::{cmma, prelude::*};
use half::bf16;

use super::{
    form::{Form, Place, Sizes, finish},
    lines::{Lines, Reading, read, spot},
};
use crate::cube::tile::Tile;

/// Whether they are used.
static ARE_TRUSTED: AtomicBool = AtomicBool::new(true);

/// Multiplies without matrix units from now on, in the whole process: for devices whose own are wrong.
/// Says whether they were used before.
pub fn without_matrix_units() -> bool {
    ARE_TRUSTED.swap(false, Ordering::Relaxed)
}

/// Whether they are used on a device that has them.
pub(super) fn are_trusted() -> bool {
    ARE_TRUSTED.load(Ordering::Relaxed)
}

/// Sides of a piece.
const PIECE: usize = 16;
/// Pieces of a plane down and across.
const DOWN: usize = 4;
const ACROSS: usize = 2;
/// Planes down and across.
const PLANES_DOWN: usize = 2;
const PLANES_ACROSS: usize = 4;
/// Units of a plane.
pub(super) const PLANE: usize = 32;
/// What goes through shared memory at once.
const DEPTH: usize = 32;
/// From one line to the next there: eight more, so that neighbours in a piece stand in different banks.
const LINE: usize = DEPTH + 8;

/// The tile, as a launch is cut into: units are those of a square with as many.
pub(super) const TILE: Tile = Tile { side: 16, rows: 8, columns: 8, depth: DEPTH };

/// The product of a tile, put where it belongs.
#[cube]
#[allow(clippy::too_many_arguments)]
pub(super) fn multiply(
    left: &[f32],
    right: &[f32],
    out: &mut [f32],
    activated: &mut [f32],
    rows: &Lines,
    columns: &Lines,
    slots: &[u32],
    gates: &[f32],
    bias: &[f32],
    at: &Place,
    sizes: &Sizes,
    #[comptime] form: Form,
) {
    let mut left_tile = Shared::<[bf16]>::new_aligned_slice(comptime!(TILE.height() * LINE), 32usize);
    let mut right_tile = Shared::<[bf16]>::new_aligned_slice(comptime!(TILE.width() * LINE), 32usize);
    let mut finished = Shared::<[f32]>::new_aligned_slice(
        comptime!(PLANES_DOWN * PLANES_ACROSS * ACROSS * PIECE * PIECE),
        32usize,
    );
    let plane = UNIT_POS as usize / PLANE;
    let (down, across) = (plane / PLANES_ACROSS, plane % PLANES_ACROSS);

    let mut sums = Sequence::<cmma::Matrix<f32>>::new();
    #[unroll]
    for _ in 0..comptime!(DOWN * ACROSS) {
        sums.push(cmma::Matrix::<f32>::from_value(
            cmma::MatrixIdent::Accumulator,
            PIECE,
            PIECE,
            PIECE,
            cmma::MatrixLayout::Undefined,
            0.0f32,
        ));
    }
    let mut begin = at.begin;
    while begin < at.end {
        load(left, &mut left_tile, rows, slots, gates, begin, at.end, comptime!(TILE.height()), form.left);
        load(
            right,
            &mut right_tile,
            columns,
            slots,
            gates,
            begin,
            at.end,
            comptime!(TILE.width()),
            form.right,
        );
        sync_cube();
        #[unroll]
        for deep in 0..comptime!(DEPTH / PIECE) {
            let mut of_right = Sequence::<cmma::Matrix<bf16>>::new();
            #[unroll]
            for j in 0..ACROSS {
                let line = j * (PLANES_ACROSS * PIECE) + across * PIECE;
                let from = line * LINE + deep * PIECE;
                of_right.push(cmma::Matrix::<bf16>::from_slice(
                    cmma::MatrixIdent::B,
                    PIECE,
                    PIECE,
                    PIECE,
                    cmma::MatrixLayout::ColMajor,
                    &right_tile[from..from + PIECE * LINE],
                    comptime!(LINE as u32),
                ));
            }
            #[unroll]
            for i in 0..DOWN {
                let from = (down * (DOWN * PIECE) + i * PIECE) * LINE + deep * PIECE;
                let of_left = cmma::Matrix::<bf16>::from_slice(
                    cmma::MatrixIdent::A,
                    PIECE,
                    PIECE,
                    PIECE,
                    cmma::MatrixLayout::RowMajor,
                    &left_tile[from..from + PIECE * LINE],
                    comptime!(LINE as u32),
                );
                #[unroll]
                for j in 0..ACROSS {
                    let sum = &sums[comptime!(i * ACROSS + j)];
                    cmma::execute(&of_left, &of_right[j], sum, sum);
                }
            }
        }
        sync_cube();
        begin += DEPTH;
    }

    let lane = UNIT_POS as usize % PLANE;
    let own = plane * (ACROSS * PIECE * PIECE);
    #[unroll]
    for i in 0..DOWN {
        #[unroll]
        for j in 0..ACROSS {
            let to = own + j * (PIECE * PIECE);
            let sum = &sums[comptime!(i * ACROSS + j)];
            cmma::store(
                &mut finished[to..to + PIECE * PIECE],
                sum,
                comptime!(PIECE as u32),
                cmma::MatrixLayout::RowMajor,
            );
        }
        sync_cube();
        #[unroll]
        for part in 0..comptime!(PIECE * PIECE / PLANE) {
            let local = part * PLANE + lane;
            let first = finished[own + local];
            let second = finished[own + comptime!(PIECE * PIECE) + local];
            let row = at.first_row + down * (DOWN * PIECE) + i * PIECE + local / PIECE;
            let column = at.first_column + across * PIECE + local % PIECE;
            finish(first, second, row, column, out, activated, bias, at, sizes, form);
            if comptime!(form.inputs() == 1) {
                let column = column + comptime!(PLANES_ACROSS * PIECE);
                finish(second, second, row, column, out, activated, bias, at, sizes, form);
            }
        }
        sync_cube();
    }
}

/// Copies `DEPTH` places of the tile's lines into shared memory, as `[lines, LINE]` in bf16; zeros outside.
#[cube]
#[allow(clippy::too_many_arguments)]
fn load(
    from: &[f32],
    to: &mut Shared<[bf16]>,
    lines: &Lines,
    slots: &[u32],
    gates: &[f32],
    place: usize,
    places: usize,
    #[comptime] count: usize,
    #[comptime] reading: Reading,
) {
    #[unroll]
    for part in 0..comptime!(count * DEPTH / TILE.units()) {
        let at = part * comptime!(TILE.units()) + UNIT_POS as usize;
        let (local, deep) = spot(at, count, DEPTH, reading);
        let value = read(from, lines, slots, gates, local, place + deep, places, count, reading);
        to[local * LINE + deep] = bf16::cast_from(value);
    }
}
